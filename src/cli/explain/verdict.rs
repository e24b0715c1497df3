//! What was decided, the rule that decided, the one that comes next, and what would change it.

use super::{pair, section};
use crate::api::{DecisionView, PolicyView, ReasonView};
use crate::cli::moment::Moment;
use crate::cli::table::{aligned, plain};
use crate::slo::time::Ts;

/// Who it is about, and when was decided.
pub(super) fn heading(view: &PolicyView, moment: &Moment) -> Vec<String> {
    let mode = match view.mode.as_str() {
        "auto" => "auto",
        _ => "dry run: it decides and writes nothing",
    };
    let mut rows = vec![
        pair("target", format!("{}, {} to {} replicas", plain(&view.target), view.min, view.max)),
        pair("mode", if view.paused { format!("{mode}, PAUSED by command") } else { mode.to_owned() }),
    ];
    if let Some(decision) = &view.decision {
        rows.push(pair("decided", moment.tell(Ts(decision.at))));
    }
    let mut lines = vec![format!("{}: {}", plain(&view.name), outcome(view))];
    lines.extend(aligned(&rows).into_iter().map(|line| format!("  {line}")));
    lines
}

fn outcome(view: &PolicyView) -> String {
    let position = view.seen.as_ref().and_then(|seen| seen.workload.as_ref()).map(|w| w.position);
    let would = if view.mode == "auto" { "moves" } else { "would move" };
    match &view.decision {
        None => "nothing is decided yet; it comes with the next tick".to_owned(),
        Some(DecisionView { from: Some(from), to: Some(to), .. }) => format!("{would} {from} → {to}"),
        Some(_) => match position {
            Some(at) => format!("holds at {at}"),
            None => "holds; where it stands is not known".to_owned(),
        },
    }
}

/// Why, what would decide without it, and what would change it.
pub(super) fn why(view: &PolicyView, moment: &Moment) -> Vec<String> {
    let Some(decision) = &view.decision else { return Vec::new() };
    let told = |text: &str| moment.sentence(&plain(text));
    let mut rows = vec![pair("because", told(&decision.reason.why))];
    rows.extend(until(&decision.reason, moment));
    rows.push(pair("changes with", told(&decision.reason.would_change)));
    if let Some(next) = &decision.runner_up {
        rows.push(pair("else", told(&next.why)));
        rows.extend(until(next, moment));
    }
    section("WHY", &rows)
}

/// Until when, where the words that follow do not say it.
fn until(reason: &ReasonView, moment: &Moment) -> Option<Vec<String>> {
    let until = Ts(reason.numbers.get("until")?.as_i64()?);
    (!reason.would_change.contains(&until.to_string()))
        .then(|| pair("", format!("until {}", moment.tell(until))))
}
