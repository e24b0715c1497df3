//! Sequences of verdicts, and the phases they lead to.

use proptest::prelude::*;

use super::*;
use crate::engine::condition::Verdict;
use crate::slo::time::{Span, Ts};
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
    assert_eq!(run(0, 60, &[Holds, Clear, Unknown, Unknown, Unknown, Clear, Clear]), [F, F, F, F, F, I, I]);
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

/// A rule that says the same of beginning and going on.
fn plain(name: &str, hold_for: u32, keep: u32, verdict: Verdict) -> RuleInput<'_> {
    RuleInput {
        name,
        hold_for: Span::from_secs(hold_for),
        keep_firing_for: Span::from_secs(keep),
        begins: verdict,
        goes_on: verdict,
    }
}

#[test]
fn moments_far_apart_count_for_what_they_speak_for() {
    // An outage judged in strides of two minutes: nothing was known in four of them.
    let stride = Span::from_mins(2);
    let mut state = AlertState::default();
    for (minute, verdict) in [(2, Holds), (4, Unknown), (6, Unknown), (8, Holds)] {
        let phase = state.advance(&[plain("r", 300, 0, verdict)], Ts(minute * 60), stride);
        assert_eq!(phase, P, "minute {minute}");
    }
    assert_eq!(state.advance(&[plain("r", 300, 0, Holds)], Ts(10 * 60), stride), P);
    assert_eq!(state.advance(&[plain("r", 300, 0, Holds)], Ts(12 * 60), stride), F);
}

#[test]
fn time_that_nobody_looked_at_counts_neither_for_nor_against() {
    let mut state = AlertState::default();
    assert_eq!(state.advance(&[plain("r", 300, 0, Holds)], Ts(30), STEP), P);
    assert_eq!(state.advance(&[plain("r", 300, 0, Holds)], Ts(3600), STEP), P);
    let mut state = AlertState::default();
    assert_eq!(state.advance(&[plain("r", 0, 300, Holds)], Ts(30), STEP), F);
    assert_eq!(state.advance(&[plain("r", 0, 300, Clear)], Ts(3600), STEP), F);
}

#[test]
fn a_clock_that_leaps_ahead_and_comes_back_freezes_nothing() {
    let year = 365 * 86_400;
    let mut state = AlertState::default();
    state.advance(&[plain("r", 60, 0, Holds)], Ts(30), STEP);
    state.advance(&[plain("r", 60, 0, Unknown)], Ts(year), STEP);
    let phases: Vec<Phase> =
        (2..8).map(|tick| state.advance(&[plain("r", 60, 0, Holds)], Ts(tick * 30), STEP)).collect();
    assert!(phases.contains(&F), "{phases:?}");
}

#[test]
fn a_rule_that_fired_and_is_not_given_any_more_is_taken_over() {
    let mut state = AlertState::default();
    assert_eq!(state.advance(&[plain("old", 0, 0, Holds)], Ts(30), STEP), F);
    let both = |a, b| [plain("new", 600, 0, a), plain("other", 600, 0, b)];
    assert_eq!(state.advance(&both(Unknown, Clear), Ts(60), STEP), F);
    assert_eq!(state.advance(&both(Holds, Holds), Ts(90), STEP), F);
    assert_eq!(state.timers["other"].since, Ts(90), "what was clear waits for itself");
    assert_eq!(state.advance(&both(Clear, Holds), Ts(120), STEP), P);
}
