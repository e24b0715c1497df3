//! What holds a policy or will, and what was moved lately.

use serde_json::Value;

use super::{pair, section};
use crate::api::{LineView, MoveView, PolicyView};
use crate::cli::moment::Moment;
use crate::cli::table::plain;
use crate::slo::time::{Span, Ts};

/// Moves that are listed.
const MOVES: usize = 12;

/// Cooldown, counts of others, what did not help; only what counts now.
pub(super) fn holds(view: &PolicyView, moment: &Moment) -> Vec<String> {
    let mut rows = Vec::new();
    let coming = |at: Option<i64>| at.map(Ts).filter(|at| *at > moment.now);
    if let Some(until) = coming(cooldown(view)) {
        rows.push(pair("cooldown", format!("no write before {}", moment.tell(until))));
    }
    let holds = &view.holds;
    if let Some(flight) = &holds.in_flight {
        let until = moment.tell(Ts(flight.until));
        rows.push(pair("under way", format!("the write to {}, void at {until}", flight.to)));
    }
    let mut other = |name: &str, other: &Option<MoveView>| {
        if let Some(other) = other.as_ref().filter(|other| Ts(other.until) > moment.now) {
            let by = other.by.as_deref().map_or_else(|| "somebody else".to_owned(), plain);
            let until = moment.tell(Ts(other.until));
            rows.push(pair(name, format!("{by} set it to {}; left alone until {until}", other.to)));
        }
    };
    other("override", &holds.overridden);
    other("fight", &holds.fight);
    if let Some(until) = coming(holds.useless_until) {
        rows.push(pair(
            "no help",
            format!("adding did not help; nothing is added until {}", moment.tell(until)),
        ));
    }
    if let Some(since) = holds.burning_since {
        rows.push(pair("burning", format!("asks for more since {}", moment.tell(Ts(since)))));
    }
    if let Some(since) = holds.calm_since {
        let calm = Span::from_secs_saturating(view.rule.calm_seconds);
        rows.push(pair("calm", format!("since {}, of {calm} that are needed", moment.tell(Ts(since)))));
    }
    if let Some(since) = holds.ready_since {
        let settle = Span::from_secs_saturating(view.rule.settle_seconds);
        rows.push(pair("all ready", format!("since {}, judged after {settle}", moment.tell(Ts(since)))));
    }
    rows.push(pair("writes", format!("{} of {} within 1h", holds.writes, view.rule.max_actions_per_hour)));
    section("HOLDS AND CLOCKS", &rows)
}

/// The end that the decision waits for, which leaves room for two leaders' clocks; else as it was set.
fn cooldown(view: &PolicyView) -> Option<i64> {
    let decision = view.decision.as_ref();
    let reasons = decision.into_iter().flat_map(|d| [Some(&d.reason), d.runner_up.as_ref()]).flatten();
    let mut told = reasons.filter(|reason| reason.code == "cooldown");
    told.find_map(|reason| reason.numbers.get("until")?.as_i64()).or(view.cooldown_until)
}

/// What was decided to move, written and asked, newest first.
pub(super) fn moves(view: &PolicyView, moment: &Moment) -> Vec<String> {
    let rows: Vec<_> = view.history.iter().filter_map(|line| row(line, moment)).take(MOVES).collect();
    if rows.is_empty() {
        return vec!["LAST MOVES  none that history remembers".to_owned()];
    }
    section("LAST MOVES", &rows)
}

fn row(line: &LineView, moment: &Moment) -> Option<Vec<String>> {
    let (what, why) = match line.kind.as_str() {
        kind @ ("scale" | "scaleDryRun") => {
            let moved = line.body.pointer("/decision/verdict/scale")?;
            let word = if kind == "scale" { "decided" } else { "would have" };
            (format!("{word} {}", arrow(moved)?), text(&line.body, "why", moment))
        }
        "scaleWrite" => match line.body.get("outcome").and_then(Value::as_str) {
            Some("done") => (format!("wrote {}", arrow(&line.body)?), String::new()),
            _ => (format!("NOT WRITTEN {}", arrow(&line.body)?), text(&line.body, "error", moment)),
        },
        "scaleCommand" => {
            let asked = line.body.get("asked")?.as_array()?.iter().filter_map(Value::as_str);
            ("told".to_owned(), plain(&asked.collect::<Vec<_>>().join(", then ")))
        }
        _ => return None,
    };
    let at = Ts(line.at_ms.div_euclid(1000));
    Some(vec![moment.time(at), moment.away(at), what, why])
}

fn arrow(of: &Value) -> Option<String> {
    Some(format!("{} → {}", of.get("from")?.as_u64()?, of.get("to")?.as_u64()?))
}

fn text(body: &Value, key: &str, moment: &Moment) -> String {
    moment.sentence(&plain(body.get(key).and_then(Value::as_str).unwrap_or_default()))
}
