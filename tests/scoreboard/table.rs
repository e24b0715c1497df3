//! The tables, as `docs/scaling-scoreboard.md` shows them.

use std::fmt::Write;

use super::score::Recovered;
use super::{Compared, Score};

/// The line of the document after which they stand.
pub const BEGIN: &str = "## The tables";

/// One scenario: what happens, and what each controller made of it.
pub fn markdown(compared: &Compared) -> String {
    let mut text = format!("### {}\n\n{}\n\n", compared.scenario.name, compared.scenario.about);
    text += "| | recovered | budget | replica-minutes | actions | reversals | harm |\n";
    text += "| --- | --- | --- | --- | --- | --- | --- |\n";
    for (controller, score) in &compared.scores {
        let Score { replica_minutes, actions, reversals, .. } = score;
        writeln!(
            text,
            "| {} | {} | {:.1} % | {replica_minutes} | {actions} | {reversals} | {} |",
            controller.name(),
            recovered(score.recovered),
            score.budget,
            harm(score),
        )
        .unwrap();
    }
    text
}

fn recovered(recovered: Recovered) -> String {
    match recovered {
        Recovered::Unbroken => "not broken".to_owned(),
        Recovered::Never => "never".to_owned(),
        Recovered::After(seconds) if seconds < 60 => format!("{seconds}s"),
        Recovered::After(seconds) if seconds % 60 == 0 => format!("{}m", seconds / 60),
        Recovered::After(seconds) => format!("{}m{}s", seconds / 60, seconds % 60),
    }
}

fn harm(score: &Score) -> String {
    match (score.wrong, score.removed_blind) {
        (0, _) => String::new(),
        (wrong, 0) => format!("{wrong} actions"),
        (wrong, removed) => format!("{wrong} actions, {removed} removed blindly"),
    }
}
