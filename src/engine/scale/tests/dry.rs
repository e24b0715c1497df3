//! A dry run, and what it leaves.

use super::*;

#[test]
fn a_dry_run_decides_and_intends_nothing() {
    let mut case = Case::of(3.0, 0.72);
    case.policy.mode = ScaleMode::DryRun;
    assert!(matches!(case.decide().verdict, Verdict::Scale { from: 5, to: 7 }));
    assert_eq!(case.state.intent, None);
    assert!(matches!(case.held(), Reason::Cooldown { .. }));
}

#[test]
fn dry_writes_do_not_hold_a_policy_that_begins_to_act() {
    let mut case = Case::of(3.0, 0.72);
    case.policy.mode = ScaleMode::DryRun;
    case.run(Span::from_mins(50));
    case.policy.mode = ScaleMode::Auto;
    let decision = case.decide();
    assert!(matches!(decision.verdict, Verdict::Scale { .. }), "{decision:?}");
}

#[test]
fn what_was_written_before_a_dry_run_counts_after_it() {
    let mut case = Case::of(3.0, 0.72);
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
    case.now = case.now.plus(STEP);
    case.policy.mode = ScaleMode::DryRun;
    assert!(matches!(case.held(), Reason::Cooldown { .. }));
    case.policy.mode = ScaleMode::Auto;
    case.now = case.now.plus(STEP);
    assert!(matches!(case.held(), Reason::Cooldown { .. }));
    assert_eq!(case.state.writes.len(), 1);
}
