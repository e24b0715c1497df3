//! One alert and the timers of its rules. The alert fires while any of its rules does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::condition::Verdict;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};

/// An alert that is at least pending; kept in the store.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertState {
    /// Timers by rule name; a rule without one is inactive.
    pub timers: BTreeMap<String, Timer>,
    /// Present while it fires.
    pub firing: Option<Firing>,
}

/// One rule that holds, or held until lately.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timer {
    /// When it began to hold.
    pub since: Ts,
    /// Time since then in which nothing could be said; it does not count towards `for`.
    pub frozen: Span,
    /// When it last held, pushed on by time in which nothing could be said.
    pub held: Ts,
    /// `for` is over.
    pub firing: bool,
}

/// What is remembered of a firing alert, so that its resolve reaches who was told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Firing {
    /// Id of the incident.
    pub incident: String,
    /// When it began to fire.
    pub at: Ts,
    /// The labels it was told with.
    pub labels: Labels,
    /// The annotations it was told with.
    pub annotations: Labels,
    /// The receivers that are told.
    pub told: Vec<String>,
    /// How many targets were up then, where known.
    pub targets: Option<u64>,
    /// The rules that held then; their labels stay with the incident.
    pub rules: Vec<String>,
}

/// What a rule says now.
#[derive(Clone, Copy, Debug)]
pub struct RuleInput<'a> {
    /// Its name.
    pub name: &'a str,
    /// How long it must hold.
    pub hold_for: Span,
    /// How long it stays after it last held.
    pub keep_firing_for: Span,
    /// May it begin?
    pub begins: Verdict,
    /// Does it go on?
    pub goes_on: Verdict,
}

/// Where an alert stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// No rule holds.
    Inactive,
    /// A rule holds, not for long enough.
    Pending,
    /// A rule fires.
    Firing,
}

impl AlertState {
    /// Moves every rule's timer to `at`, one step after the last; rules not given any more lose theirs.
    pub fn advance(&mut self, rules: &[RuleInput<'_>], at: Ts, step: Span) -> Phase {
        self.timers.retain(|name, _| rules.iter().any(|rule| rule.name == name));
        for rule in rules {
            let next = match self.timers.get(rule.name) {
                None => begin(rule, at),
                Some(timer) if timer.firing => go_on(*timer, rule, at, step),
                Some(timer) => wait(*timer, rule, at, step),
            };
            match next {
                Some(timer) => self.timers.insert(rule.name.to_owned(), timer),
                None => self.timers.remove(rule.name),
            };
        }
        self.phase()
    }

    /// Where it stands by its timers.
    pub fn phase(&self) -> Phase {
        if self.timers.values().any(|timer| timer.firing) {
            Phase::Firing
        } else if self.timers.is_empty() {
            Phase::Inactive
        } else {
            Phase::Pending
        }
    }

    /// When the oldest of its timers began.
    pub fn active_at(&self) -> Option<Ts> {
        self.timers.values().map(|timer| timer.since).min()
    }
}

fn begin(rule: &RuleInput<'_>, at: Ts) -> Option<Timer> {
    (rule.begins == Verdict::Holds).then_some(Timer {
        since: at,
        frozen: Span::ZERO,
        held: at,
        firing: rule.hold_for.is_zero(),
    })
}

fn wait(timer: Timer, rule: &RuleInput<'_>, at: Ts, step: Span) -> Option<Timer> {
    match rule.begins {
        Verdict::Clear => None,
        Verdict::Unknown => Some(Timer {
            frozen: Span::from_secs_saturating(timer.frozen.secs() + step.secs()),
            held: timer.held.plus(step).min(at),
            ..timer
        }),
        Verdict::Holds => {
            let held_for = at.since(timer.since).secs() - timer.frozen.secs();
            Some(Timer { held: at, firing: held_for >= rule.hold_for.secs(), ..timer })
        }
    }
}

fn go_on(timer: Timer, rule: &RuleInput<'_>, at: Ts, step: Span) -> Option<Timer> {
    match rule.goes_on {
        Verdict::Holds => Some(Timer { held: at, ..timer }),
        Verdict::Unknown => Some(Timer { held: timer.held.plus(step).min(at), ..timer }),
        Verdict::Clear if rule.keep_firing_for.is_zero() => None,
        Verdict::Clear => (at.since(timer.held) < rule.keep_firing_for).then_some(timer),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Verdict::{Clear, Holds, Unknown};

    const STEP: Span = Span::from_secs(30);

    fn run(hold_for: u32, keep: u32, verdicts: &[Verdict]) -> Vec<Phase> {
        let mut state = AlertState::default();
        (1i64..)
            .zip(verdicts)
            .map(|(tick, verdict)| {
                let rule = RuleInput {
                    name: "r",
                    hold_for: Span::from_secs(hold_for),
                    keep_firing_for: Span::from_secs(keep),
                    begins: *verdict,
                    goes_on: *verdict,
                };
                state.advance(&[rule], Ts(tick * 30), STEP)
            })
            .collect()
    }

    use Phase::{Firing as F, Inactive as I, Pending as P};

    #[test]
    fn without_for_it_fires_at_once_and_resolves_at_once() {
        assert_eq!(run(0, 0, &[Clear, Holds, Holds, Clear, Holds]), [I, F, F, I, F]);
    }

    #[test]
    fn for_is_waited_out_and_begins_again_after_a_clear() {
        assert_eq!(run(60, 0, &[Holds, Holds, Clear, Holds, Holds, Holds]), [P, P, I, P, P, F]);
    }

    #[test]
    fn time_in_which_nothing_can_be_said_does_not_count_towards_for() {
        assert_eq!(run(60, 0, &[Holds, Unknown, Unknown, Holds, Holds]), [P, P, P, P, F]);
    }

    #[test]
    fn nothing_resolves_while_nothing_can_be_said() {
        assert_eq!(run(0, 0, &[Holds, Unknown, Unknown, Unknown, Clear]), [F, F, F, F, I]);
        assert_eq!(
            run(0, 60, &[Holds, Clear, Unknown, Unknown, Unknown, Clear, Clear]),
            [F, F, F, F, F, I, I]
        );
    }

    #[test]
    fn keep_firing_for_bridges_a_dip() {
        assert_eq!(run(0, 90, &[Holds, Clear, Clear, Holds, Clear, Clear, Clear]), [F, F, F, F, F, F, I]);
    }

    #[test]
    fn an_alert_fires_while_any_of_its_rules_does() {
        let rule = |name: &'static str, verdict| RuleInput {
            name,
            hold_for: Span::ZERO,
            keep_firing_for: Span::ZERO,
            begins: verdict,
            goes_on: verdict,
        };
        let mut state = AlertState::default();
        assert_eq!(state.advance(&[rule("a", Holds), rule("b", Clear)], Ts(30), STEP), F);
        assert_eq!(state.advance(&[rule("a", Clear), rule("b", Holds)], Ts(60), STEP), F);
        assert_eq!(state.advance(&[rule("b", Clear)], Ts(90), STEP), I);
    }

    proptest! {
        /// Unknown never moves the phase, whatever came before.
        #[test]
        fn unknown_holds_every_phase(verdicts in prop::collection::vec(prop_oneof![Just(Holds), Just(Clear), Just(Unknown)], 1..60), hold_for in 0u32..200, keep in 0u32..200) {
            let phases = run(hold_for, keep, &verdicts);
            for (i, verdict) in verdicts.iter().enumerate() {
                let before = if i == 0 { I } else { phases[i - 1] };
                if *verdict == Unknown {
                    prop_assert_eq!(phases[i], before);
                }
            }
        }

        /// A restart in the middle changes nothing: the state is all there is.
        #[test]
        fn a_restart_changes_nothing(verdicts in prop::collection::vec(prop_oneof![Just(Holds), Just(Clear), Just(Unknown)], 1..60), cut in 0usize..60) {
            let rule = |verdict| RuleInput { name: "r", hold_for: Span::from_secs(60), keep_firing_for: Span::from_secs(60), begins: verdict, goes_on: verdict };
            let (mut a, mut b) = (AlertState::default(), AlertState::default());
            for (i, verdict) in verdicts.iter().enumerate() {
                let at = Ts(i64::try_from(i).unwrap() * 30);
                if i == cut {
                    b = serde_json::from_str(&serde_json::to_string(&b).unwrap()).unwrap();
                }
                prop_assert_eq!(a.advance(&[rule(*verdict)], at, STEP), b.advance(&[rule(*verdict)], at, STEP));
            }
            prop_assert_eq!(a, b);
        }
    }
}
