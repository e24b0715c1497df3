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
        writeln!(
            text,
            "| {} | {} | {:.1} % | {:.0} | {:.0} | {:.0} | {} |",
            controller.name(),
            recovered(score.recovered),
            score.budget,
            score.replica_minutes,
            score.actions,
            score.reversals,
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
    // What happens in some of the runs only is not nothing.
    match (score.wrong.ceil(), score.removed_blind.ceil()) {
        (wrong, _) if wrong < 1.0 => String::new(),
        (wrong, removed) if removed < 1.0 => format!("{wrong:.0} wrong"),
        (_, removed) => format!("{removed:.0} removed blindly"),
    }
}
