//! `damper explain scale POLICY`: why replicas move or stay, for a person who was just woken.
//!
//! | file      | says                                                        |
//! |-----------|-------------------------------------------------------------|
//! | `verdict` | what was decided, why, and what would change it             |
//! | `inputs`  | every number that was looked at, beside what it is held to  |
//! | `past`    | what holds it or will, and what was moved lately            |

mod inputs;
mod past;
#[cfg(test)]
pub(super) mod tests;
mod verdict;

use std::io::{self, Write as _};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::CommandError;
use super::args::RemoteArgs;
use super::check::Output;
use super::moment::Moment;
use super::remote::{ask, read, segment};
use super::table::aligned;
use crate::api::PolicyView;
use crate::slo::time::Ts;

/// `damper explain`
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Why the replicas of a policy move or stay
    Scale(PolicyArgs),
}

/// `damper explain scale`
#[derive(Args, Debug)]
struct PolicyArgs {
    /// The policy's name
    #[arg(value_name = "POLICY")]
    policy: String,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Tells why.
pub(super) async fn run(args: ExplainArgs) -> Result<u8, CommandError> {
    let What::Scale(PolicyArgs { policy, remote }) = args.what;
    let answer = ask(&remote, Method::GET, &format!("api/v1/scale/{}", segment(&policy)?), None).await?;
    let text = match remote.output {
        Output::Json => format!("{answer:#}\n"),
        Output::Text => {
            explained(&read(&answer)?, answer.get("asOf").and_then(Value::as_i64), &Moment::now())
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

/// Everything, in sections.
fn explained(view: &PolicyView, held: Option<i64>, moment: &Moment) -> String {
    let mut sections = vec![verdict::heading(view, moment), verdict::why(view, moment)];
    if let Some(at) = held {
        let at = moment.tell(Ts(at));
        sections.push(vec![format!("HELD: as of {at}; Damper cannot know better now, see `damper status`")]);
    }
    sections.extend(inputs::all(view, moment));
    sections.push(past::holds(view, moment));
    sections.push(past::moves(view, moment));
    let texts = sections.into_iter().filter(|lines| !lines.is_empty()).map(|lines| lines.join("\n"));
    texts.collect::<Vec<_>>().join("\n\n") + "\n"
}

/// A heading over aligned, indented lines.
fn section(head: &str, rows: &[Vec<String>]) -> Vec<String> {
    let lines = aligned(rows).into_iter().map(|line| format!("  {line}"));
    std::iter::once(head.to_owned()).chain(lines).collect()
}

/// Two cells of a row.
fn pair(name: &str, text: impl Into<String>) -> Vec<String> {
    vec![name.to_owned(), text.into()]
}
