//! What people ask of policies: rows that the leader reads before it decides next, whichever replica
//! takes them.

use std::io::{self, Write as _};

use reqwest::Method;

use crate::cli::CommandError;
use crate::cli::args::RemoteArgs;
use crate::cli::check::Output;
use crate::cli::remote::{ask, segment};
use crate::service::scaling::Word;

/// Asks something of one policy.
pub(super) async fn one(remote: &RemoteArgs, word: Word, policy: &str) -> Result<u8, CommandError> {
    let path = format!("api/v1/scale/{}/{}", segment(policy)?, written(word));
    post(remote, &path, &told(word, policy)).await
}

/// Asks something of all scaling.
pub(super) async fn all(remote: &RemoteArgs, word: Word) -> Result<u8, CommandError> {
    post(remote, &format!("api/v1/scaling/{}", written(word)), &told(word, "")).await
}

async fn post(remote: &RemoteArgs, path: &str, told: &str) -> Result<u8, CommandError> {
    let answer = ask(remote, Method::POST, path, None).await?;
    let text = match remote.output {
        Output::Json => format!("{answer:#}\n"),
        Output::Text => told.to_owned(),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

fn written(word: Word) -> &'static str {
    match word {
        Word::Pause => "pause",
        Word::Resume => "resume",
        Word::Release => "release",
        Word::Stop => "stop",
        Word::Start => "start",
    }
}

fn told(word: Word, policy: &str) -> String {
    let what = match word {
        Word::Pause => {
            format!("{policy} is paused: it moves nothing until `damper scale resume {policy}`")
        }
        Word::Resume => format!("{policy} goes on, whatever held it: a pause, somebody's count, a new version"),
        Word::Release => {
            format!("a floor that {policy} raised is put back, a count that it set stays; it is left alone for its respectOverride, or until `damper scale resume {policy}`")
        }
        Word::Stop => {
            "all scaling stops: nothing is moved until `damper scale start`; raised floors stay where they are"
                .to_owned()
        }
        Word::Start => "scaling goes on".to_owned(),
    };
    let see = if policy.is_empty() { String::new() } else { format!(" {policy}") };
    format!("{what}\nit counts from the next decision; `damper scale status{see}` shows it\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_told_with_how_to_see_and_undo_it() {
        assert_eq!(
            told(Word::Pause, "web"),
            "web is paused: it moves nothing until `damper scale resume web`\n\
             it counts from the next decision; `damper scale status web` shows it\n"
        );
        assert!(told(Word::Stop, "").ends_with("`damper scale status` shows it\n"));
    }
}
