//! Where the lever is, and who brought it there.

use super::*;
use crate::engine::scale::{Overridden, Writer, WriterKind};

#[test]
fn a_count_that_somebody_set_is_left_alone_and_becomes_what_is_given_back_to() {
    let mut case = Case::of(3.0, 0.72);
    case.run(Span::from_mins(1));
    (case.workload().wanted, case.workload().ready) = (4, 4);
    let until = case.now.plus(Span::from_hours(1));
    assert_eq!(case.held(), Reason::Overridden { by: None, to: 4, until });
    assert_eq!(case.run(Span::from_mins(59)), []);
    assert_eq!(case.state.base, Some(4));
    case.now = until;
    assert!(matches!(case.decide().verdict, Verdict::Scale { from: 4, .. }));
}

#[test]
fn a_controller_that_puts_it_back_twice_is_a_fight() {
    let mut case = Case::of(3.0, 0.72);
    for round in 0..2 {
        let moved = case.run(Span::from_mins(3));
        assert_eq!(moved.len(), 1, "round {round}: {moved:?}");
        let at = case.now;
        let writer = Writer { name: "argocd-controller".to_owned(), kind: WriterKind::Controller, at };
        (case.workload().wanted, case.workload().ready) = (5, 5);
        case.workload().writer = Some(writer);
        case.decide();
        case.now = case.now.plus(STEP);
    }
    let reason = case.held();
    assert!(matches!(&reason, Reason::Fight { by: Some(by), to: 5, .. } if by == "argocd-controller"));
    assert_eq!(case.run(Span::from_mins(50)), []);
}

#[test]
fn a_write_that_never_came_still_cools_down_and_is_no_override() {
    let mut case = Case::of(3.0, 0.72);
    let (state, decision) = decide(case.now, STEP, &case.observed, &case.state, &case.policy);
    assert!(matches!(decision.verdict, Verdict::Scale { from: 5, to: 7 }));
    // The process died before the write: the count stays at 5.
    case.state = state;
    case.now = case.now.plus(STEP);
    assert!(matches!(case.held(), Reason::InFlight { to: 7, .. }));
    case.now = case.now.plus(Span::from_secs(1));
    assert!(matches!(case.held(), Reason::Cooldown { .. }));
    assert_eq!((case.state.intent, &case.state.trial, case.state.base), (None, &None, Some(5)));
    case.now = case.now.plus(Span::from_mins(4));
    assert!(matches!(case.decide().verdict, Verdict::Scale { from: 5, to: 7 }));
}

#[test]
fn a_person_who_sets_what_a_dead_write_wanted_is_still_a_person() {
    let mut case = Case::of(3.0, 0.72);
    let (state, _) = decide(case.now, STEP, &case.observed, &case.state, &case.policy);
    case.state = state;
    case.now = case.now.plus(STEP);
    (case.workload().wanted, case.workload().ready) = (7, 7);
    let at = case.now;
    case.workload().writer = Some(Writer { name: "kubectl".to_owned(), kind: WriterKind::Person, at });
    assert!(matches!(case.held(), Reason::Overridden { to: 7, .. }));
}

#[test]
fn with_an_autoscaler_only_its_floor_moves() {
    let mut case = Case::of(3.0, 0.72);
    case.workload().lever = floor(3, 8);
    // Five run already: the floor goes above them, and no higher than the autoscaler's own maximum.
    assert_eq!(case.decide().verdict, Verdict::Scale { from: 3, to: 7 });
    case.now = case.now.plus(STEP);
    let moves = case.run(Span::from_mins(5));
    assert_eq!((moves[0].1, moves[0].2, moves.len()), (7, 8, 1));
    case.now = case.now.plus(Span::from_mins(5));
    assert!(matches!(case.held(), Reason::AtMax { at: 8, max: 8, owner: Some(_) }));
    case.burns(0.0);
    case.observed.saturation = Finite::new(0.1);
    case.run(Span::from_hours(2));
    assert_eq!(case.workload().position(), 3);
}

#[test]
fn a_release_holds_for_a_while() {
    let mut case = Case::of(3.0, 0.72);
    (case.workload().wanted, case.workload().ready) = (9, 9);
    (case.state.seen, case.state.base) = (Some(9), Some(5));
    // What `service/scaling/commands.rs: release` does.
    let until = case.now.plus(Span::from_hours(1));
    case.state = State { seen: None, intent: None, last: None, trial: None, ..case.state.clone() };
    case.state.overridden = Some(Overridden { by: Some("`damper scale release`".to_owned()), to: 5, until });
    let decision = case.decide();
    assert_eq!(decision.verdict, Verdict::Hold, "{decision:?}");
    assert_eq!(case.state.base, Some(5));
}

#[test]
fn a_floor_that_damper_itself_put_back_is_not_somebody_elses() {
    let mut case = Case::of(3.0, 0.72);
    case.workload().lever = floor(3, 20);
    case.decide();
    case.now = case.now.plus(STEP);
    case.decide();
    // `releaseOnShutdown`, or the end of the policy's former name.
    let at = case.now;
    case.workload().lever = floor(3, 20);
    case.workload().writer = Some(Writer { name: "damper".to_owned(), kind: WriterKind::Damper, at });
    case.now = case.now.plus(Span::from_mins(5));
    let decision = case.decide();
    assert!(!matches!(decision.reason, Reason::Overridden { .. }), "{decision:?}");
    assert_eq!((case.state.base, &case.state.overridden), (Some(3), &None));
}

#[test]
fn a_write_that_was_taken_for_lost_and_comes_late_is_given_back_all_the_same() {
    let mut case = Case::of(3.0, 0.72);
    let (mut state, _) = decide(case.now, STEP, &case.observed, &case.state, &case.policy);
    state.never_came();
    case.state = state;
    case.now = case.now.plus(STEP);
    (case.workload().wanted, case.workload().ready) = (7, 7);
    let at = case.now;
    case.workload().writer = Some(Writer { name: "damper".to_owned(), kind: WriterKind::Damper, at });
    assert!(!matches!(case.held(), Reason::Overridden { .. }));
    assert_eq!((case.state.base, case.state.seen), (Some(5), Some(7)));
}

#[test]
fn a_raised_floor_is_given_back_though_nothing_is_remembered_of_it() {
    let mut case = Case::of(0.0, 0.1);
    (case.workload().wanted, case.workload().ready) = (9, 9);
    let raised = |at| Lever::Floor { at, most: 20, owner: OWNER.to_owned(), original: Some(3) };
    case.workload().lever = raised(9);
    case.decide();
    assert_eq!((case.state.base, case.state.raised()), (Some(3), Some(9)));
    case.run(Span::from_hours(2));
    assert_eq!(case.workload().position(), 3);
    // Nor is it somebody else's, should what is remembered be older than it.
    let mut case = Case::of(0.0, 0.1);
    case.workload().lever = floor(3, 20);
    case.decide();
    case.workload().lever = raised(9);
    case.decide();
    assert_eq!((case.state.base, &case.state.overridden), (Some(3), &None));
}

#[test]
fn a_controller_that_puts_back_several_steps_at_once_fights_too() {
    let mut case = Case::of(3.0, 0.72);
    for round in 0..2 {
        let moved = case.run(Span::from_mins(if round == 0 { 5 } else { 3 }));
        assert!(moved.len() > usize::from(round == 0), "round {round}: {moved:?}");
        let writer =
            Writer { name: "kustomize-controller".to_owned(), kind: WriterKind::Controller, at: case.now };
        (case.workload().wanted, case.workload().ready) = (5, 5);
        case.workload().writer = Some(writer);
        case.decide();
        case.now = case.now.plus(STEP);
    }
    let reason = case.held();
    assert!(matches!(&reason, Reason::Fight { to: 5, .. }), "{reason:?}");
}

/// Decides a write that the workload's API does not make.
fn unmade(case: &mut Case) {
    let (state, decision) = decide(case.now, STEP, &case.observed, &case.state, &case.policy);
    assert!(matches!(decision.verdict, Verdict::Scale { .. }), "{decision:?}");
    case.state = state;
}

#[test]
fn a_refused_write_is_the_reason_until_it_is_tried_again() {
    let mut case = Case::of(3.0, 0.72);
    unmade(&mut case);
    case.state.was_refused("403".to_owned());
    case.now = case.now.plus(STEP);
    assert!(matches!(case.held(), Reason::Refused { why, .. } if why == "403"));
    let moves = case.run(Span::from_mins(4));
    assert!(matches!(moves[..], [(180..=210, 5, 7)]), "{moves:?}");
    assert_eq!(case.state.refused, None);
    // Nobody wants it any more.
    let mut case = Case::of(3.0, 0.72);
    unmade(&mut case);
    case.state.was_refused("403".to_owned());
    case.burns(0.9);
    case.now = case.now.plus(STEP);
    assert!(matches!(case.held(), Reason::Refused { .. }) && case.state.refused.is_none());
}

#[test]
fn a_write_that_was_put_off_costs_no_cooldown_and_comes_not_before() {
    for (secs, next) in [(5, 30), (100, 120)] {
        let mut case = Case::of(3.0, 0.72);
        unmade(&mut case);
        case.state.was_put_off(case.now.plus(Span::from_secs(secs)), "429".to_owned());
        assert!(case.state.writes.is_empty() && case.state.trial.is_none());
        assert_eq!(case.run(Span::from_mins(3)), [(next, 5, 7)]);
    }
}
