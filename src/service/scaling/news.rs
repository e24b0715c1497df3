//! Lines of history: what moved, why something holds, what was asked, what became of a write.

use serde_json::json;

use super::commands::{Commands, words};
use super::state::Seen;
use crate::engine::scale::{Decision, Intent, Reason, State, Verdict};
use crate::service::clock;
use crate::slo::policy::ScaleMode;
use crate::slo::time::{Span, Ts};
use crate::store::HistoryPut;

/// Between two lines about nothing in particular: at the edge of a rule each decision has another
/// reason than the one before.
const QUIET: Span = Span::from_mins(5);

/// What was told last of a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    kind: String,
    at: Ts,
}

impl Told {
    /// What a decision has to tell, if anything: something moves, or it holds for another reason.
    pub(super) fn of(last: Option<&Self>, decision: &Decision) -> Option<Self> {
        let news = Self { kind: kind(decision), at: decision.at };
        let moves = decision.verdict != Verdict::Hold;
        let Some(last) = last.filter(|_| !moves) else { return Some(news) };
        let is_due = matters(&decision.reason) || decision.at.since(last.at) >= QUIET;
        (last.kind != news.kind && is_due).then_some(news)
    }
}

/// What decisions are told alike by.
fn kind(decision: &Decision) -> String {
    match &decision.reason {
        Reason::AtRest { .. } | Reason::Between { .. } | Reason::Calming { .. } => "rest".to_owned(),
        Reason::Misfit { why } => format!("misfit: {why}"),
        other => other.code(),
    }
}

/// Whether somebody should know of it at once.
fn matters(reason: &Reason) -> bool {
    let by_hand =
        matches!(reason, Reason::Stopped { .. } | Reason::Paused { .. } | Reason::Overridden { .. });
    by_hand || reason.is_warning()
}

/// A decision.
pub(super) fn decided(policy: &str, mode: ScaleMode, decision: &Decision, seen: &Seen) -> HistoryPut {
    let kind = if mode == ScaleMode::DryRun { "scaleDryRun" } else { "scale" };
    let body = json!({
        "decision": decision,
        "why": decision.reason.say(),
        "wouldChange": decision.reason.changes(),
        "seen": seen,
    });
    put(decision.at.0.saturating_mul(1000), kind, policy, &body)
}

/// What became of a write.
pub(super) fn written(policy: &str, intent: &Intent, outcome: &str, error: Option<String>) -> HistoryPut {
    let body = json!({"from": intent.from, "to": intent.to, "outcome": outcome, "error": error});
    put(clock::now_ms(), "scaleWrite", policy, &body)
}

/// What a look told of a write whose answer nobody got: the process that made it ended, or it hung.
pub(super) fn found_out(policy: &str, before: &State, after: &State, at: Option<u32>) -> Option<HistoryPut> {
    let intent = before.intent.filter(|intent| after.intent != Some(*intent))?;
    let at = at?;
    let outcome = match at {
        at if at == intent.to => "done",
        at if at == intent.from && after.overridden == before.overridden => "notMade",
        _ => "unknown",
    };
    let body = json!({"from": intent.from, "to": intent.to, "outcome": outcome, "seen": at, "error": null});
    Some(put(clock::now_ms(), "scaleWrite", policy, &body))
}

/// What people asked.
pub(super) fn asked(commands: &Commands) -> impl Iterator<Item = HistoryPut> {
    let said = words(commands).into_iter();
    said.map(|(subject, words)| put(clock::now_ms(), "scaleCommand", subject, &json!({ "asked": words })))
}

fn put(at: i64, kind: &str, subject: &str, body: &serde_json::Value) -> HistoryPut {
    HistoryPut { at, kind: kind.to_owned(), subject: subject.to_owned(), body: body.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(at: i64, reason: Reason) -> Decision {
        Decision { at: Ts(at), verdict: Verdict::Hold, reason, others: Vec::new(), adds: 0 }
    }

    /// At which of these decisions something is told.
    fn told(decisions: impl IntoIterator<Item = Decision>) -> Vec<i64> {
        let mut last = None;
        let mut lines = Vec::new();
        for decision in decisions {
            if let Some(news) = Told::of(last.as_ref(), &decision) {
                lines.push(decision.at.0);
                last = Some(news);
            }
        }
        lines
    }

    fn rest() -> Reason {
        Reason::AtRest { at: 3, base: 3 }
    }

    #[test]
    fn a_burn_at_the_edge_fills_no_history() {
        let between = || Reason::Between { slo: "a/b".into(), short: 0.8, long: 0.8 };
        let edge = (0..2_880).map(|i| hold(30 * i, if i % 2 == 0 { rest() } else { between() }));
        assert_eq!(told(edge), [0]);
        let unknown = || Reason::SaturationUnknown;
        let edge = (0..2_880).map(|i| hold(30 * i, if i % 2 == 0 { rest() } else { unknown() }));
        assert!(told(edge).len() <= 288);
    }

    #[test]
    fn moves_and_what_somebody_should_know_are_told_at_once() {
        let paused = || Reason::Paused { by: "x".into() };
        let moves = |at| Decision {
            verdict: Verdict::Scale { from: 3, to: 5 },
            ..hold(at, Reason::GiveBackUseless { at: 3, base: 3 })
        };
        let all = [hold(0, rest()), hold(30, paused()), hold(60, paused()), moves(90), moves(120)];
        assert_eq!(told(all), [0, 30, 90, 120]);
    }
}
