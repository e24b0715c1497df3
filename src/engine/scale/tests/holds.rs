//! What holds a policy.

use super::*;
use crate::engine::scale::{Brake, Version, Writer, WriterKind};
use crate::slo::policy::Veto;

/// A case in which nothing but the test's own change forbids adding.
fn burning() -> Case {
    Case::of(3.0, 0.72)
}

#[test]
fn nothing_is_done_on_missing_data() {
    let mut case = burning();
    case.observed.burns[0].known = None;
    assert!(matches!(case.held(), Reason::BurnUnknown { .. }));
    assert_eq!(case.state.calm_since, None);

    let mut case = burning();
    case.observed.saturation = None;
    assert_eq!(case.held(), Reason::SaturationUnknown);

    let mut case = burning();
    case.observed.workload = None;
    assert_eq!(case.held(), Reason::WorkloadUnknown);

    // Half of the short window is not known: what is missing may be bad, and is read as good.
    let mut case = Case::of(3.0, 0.72);
    let short = &mut case.observed.burns[0].known.as_mut().unwrap().parts[0].short;
    (short.covered, short.summed) = (50, 50);
    assert!(matches!(case.held(), Reason::Between { .. }));

    // Calm with a gap is not calm.
    let mut case = Case::of(0.0, 0.1);
    (case.state.base, case.state.seen) = (Some(3), Some(5));
    case.observed.burns[0].known.as_mut().unwrap().parts[0].long.covered -= 30;
    assert_eq!(case.run(Span::from_hours(1)), []);
}

#[test]
fn few_bad_events_add_nothing() {
    let mut case = burning();
    case.policy.min_bad_events = Events::whole(1_000_000);
    assert!(matches!(case.held(), Reason::TooFew { .. }));
}

#[test]
fn burn_that_is_no_load_adds_nothing() {
    let mut case = burning();
    case.observed.saturation = Finite::new(0.69);
    assert!(matches!(case.held(), Reason::NotLoad { .. }));
}

#[test]
fn a_veto_and_a_veto_without_an_answer_hold() {
    let mut case = burning();
    case.policy.unless = vec![Veto { query: "db".to_owned(), above: Finite::new(0.9).unwrap() }];
    case.observed.vetoes = vec![Finite::new(0.95)];
    assert!(matches!(case.held(), Reason::Vetoed { .. }));
    case.observed.vetoes = vec![None];
    assert!(matches!(case.held(), Reason::VetoUnknown { .. }));
    case.observed.vetoes = vec![Finite::new(0.9)];
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
}

#[test]
fn a_version_that_began_shortly_before_the_burn_is_suspect_until_somebody_trusts_it() {
    let mut case = burning();
    let since = case.now.minus(Span::from_mins(14));
    case.workload().version = Some(Version { since, name: "revision 12".to_owned() });
    let decision = case.decide();
    assert!(matches!(decision.reason, Reason::SuspectVersion { .. }), "{decision:?}");
    assert!(matches!(decision.runner_up, Some(Reason::Burning { .. })), "{decision:?}");
    assert!(decision.reason.say().contains("revision 12"));
    // It stays suspect while this burn lasts.
    case.now = case.now.plus(Span::from_mins(30));
    assert!(matches!(case.held(), Reason::SuspectVersion { .. }));
    case.state.trusted = Some(since);
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
}

#[test]
fn what_cannot_be_had_is_given_back_once_it_is_calm() {
    let mut case = Case::of(0.0, 0.9);
    (case.state.base, case.state.seen) = (Some(3), Some(6));
    let workload = case.workload();
    (workload.wanted, workload.ready, workload.blocked) = (6, 4, Some("quota".to_owned()));
    assert!(matches!(case.held(), Reason::Blocked { .. }), "not at once");
    case.now = case.now.plus(Span::from_mins(5));
    assert!(matches!(case.held(), Reason::Blocked { .. }), "not where the others would be full");
    case.observed.saturation = Finite::new(0.3);
    assert_eq!(case.decide().verdict, Verdict::Scale { from: 6, to: 5 });
    // What is merely not ready yet is waited for.
    let mut case = Case::of(0.0, 0.3);
    (case.state.base, case.state.seen, case.state.calm_since) = (Some(3), Some(5), Some(Ts(0)));
    case.workload().ready = 4;
    assert!(matches!(case.held(), Reason::Starting { .. }));
}

#[test]
fn blocked_starting_rolling_paused_and_zero_hold() {
    type Change = fn(&mut Workload);
    type Expected = fn(&Reason) -> bool;
    let cases: [(Change, Expected); 5] = [
        (|w| w.blocked = Some("quota".to_owned()), |r| matches!(r, Reason::Blocked { .. })),
        (|w| w.ready = 4, |r| *r == Reason::Starting { ready: 4, wanted: 5 }),
        (|w| w.rolling = true, |r| *r == Reason::Rolling),
        (|w| w.paused = Some("somebody".to_owned()), |r| matches!(r, Reason::Paused { .. })),
        (|w| (w.wanted, w.ready) = (0, 0), |r| *r == Reason::AtZero),
    ];
    for (change, expected) in cases {
        let mut case = burning();
        change(case.workload());
        let reason = case.held();
        assert!(expected(&reason), "{reason:?}");
    }
}

#[test]
fn after_a_start_it_settles_first() {
    let mut case = burning();
    case.state.ready_since = None;
    let until = case.now.plus(Span::from_secs(60));
    assert_eq!(case.held(), Reason::Settling { until });
    case.now = until;
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
}

#[test]
fn a_count_that_somebody_set_is_left_alone_and_becomes_what_is_given_back_to() {
    let mut case = burning();
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
fn a_count_above_the_bounds_is_somebody_elses_and_one_below_is_brought_inside_by_a_step() {
    let mut case = burning();
    (case.workload().wanted, case.workload().ready) = (40, 40);
    assert_eq!(case.held(), Reason::AboveMax { at: 40, max: 20 });
    let mut case = burning();
    (case.workload().wanted, case.workload().ready) = (1, 1);
    assert_eq!(case.decide().verdict, Verdict::Scale { from: 1, to: 3 });
}

#[test]
fn a_controller_that_puts_it_back_twice_is_a_fight() {
    let mut case = burning();
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
fn a_controller_that_puts_back_several_steps_at_once_fights_too() {
    let mut case = burning();
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

#[test]
fn a_write_that_never_came_still_cools_down_and_is_no_override() {
    let mut case = burning();
    let (state, decision) = decide(case.now, STEP, &case.observed, &case.state, &case.policy);
    assert!(matches!(decision.verdict, Verdict::Scale { from: 5, to: 7 }));
    // The process died before the write: the count stays at 5.
    case.state = state;
    case.now = case.now.plus(STEP);
    assert!(matches!(case.held(), Reason::InFlight { to: 7, .. }));
    case.now = case.now.plus(Span::from_secs(1));
    assert!(matches!(case.held(), Reason::Cooldown { .. }));
    assert_eq!((case.state.intent, case.state.trial, case.state.base), (None, None, Some(5)));
    case.now = case.now.plus(Span::from_mins(4));
    assert!(matches!(case.decide().verdict, Verdict::Scale { from: 5, to: 7 }));
}

#[test]
fn a_person_who_sets_what_a_dead_write_wanted_is_still_a_person() {
    let mut case = burning();
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
    let mut case = burning();
    case.workload().lever = Lever::Floor { at: 3, most: 8, owner: "HorizontalPodAutoscaler x".to_owned() };
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
fn a_page_keeps_replicas_and_a_brake_holds_everything() {
    let mut case = Case::of(0.0, 0.1);
    (case.state.base, case.state.seen) = (Some(3), Some(5));
    case.observed.burns[0].pages = true;
    assert_eq!(case.run(Span::from_hours(1)), []);
    let mut case = burning();
    case.observed.brake = Some(Brake::Stopped { by: "the stop file".to_owned() });
    assert!(matches!(case.held(), Reason::Stopped { .. }));
}

#[test]
fn a_dry_run_decides_and_intends_nothing() {
    let mut case = burning();
    case.policy.mode = ScaleMode::DryRun;
    assert!(matches!(case.decide().verdict, Verdict::Scale { from: 5, to: 7 }));
    assert_eq!(case.state.intent, None);
    assert!(matches!(case.held(), Reason::Cooldown { .. }));
}

/// Decides a write that the workload's API does not make.
fn unmade(case: &mut Case) {
    let (state, decision) = decide(case.now, STEP, &case.observed, &case.state, &case.policy);
    assert!(matches!(decision.verdict, Verdict::Scale { .. }), "{decision:?}");
    case.state = state;
}

#[test]
fn a_refused_write_is_the_reason_until_it_is_tried_again() {
    let mut case = burning();
    unmade(&mut case);
    case.state.was_refused("403".to_owned());
    case.now = case.now.plus(STEP);
    assert!(matches!(case.held(), Reason::Refused { why, .. } if why == "403"));
    let moves = case.run(Span::from_mins(4));
    assert!(matches!(moves[..], [(180..=210, 5, 7)]), "{moves:?}");
    assert_eq!(case.state.refused, None);
    // Nobody wants it any more.
    let mut case = burning();
    unmade(&mut case);
    case.state.was_refused("403".to_owned());
    case.burns(0.9);
    case.now = case.now.plus(STEP);
    assert!(matches!(case.held(), Reason::Refused { .. }) && case.state.refused.is_none());
}

#[test]
fn a_write_that_was_put_off_costs_no_cooldown_and_comes_not_before() {
    for (secs, next) in [(5, 30), (100, 120)] {
        let mut case = burning();
        unmade(&mut case);
        case.state.was_put_off(case.now.plus(Span::from_secs(secs)));
        assert!(case.state.writes.is_empty() && case.state.trial.is_none());
        assert_eq!(case.run(Span::from_mins(3)), [(next, 5, 7)]);
    }
}

#[test]
fn a_policy_that_does_not_fit_moves_nothing_and_says_why_whatever_else_is_known() {
    let mut case = burning();
    case.observed.misfit = Some("there is no SLO shop/web any more".to_owned());
    let decision = case.decide();
    assert_eq!(decision.verdict, Verdict::Hold);
    assert!(matches!(decision.reason, Reason::Misfit { .. }), "{decision:?}");
    assert!(decision.reason.say().contains("no SLO shop/web"));
    assert_eq!(case.run(Span::from_hours(1)), []);
    case.observed.workload = None;
    assert!(matches!(case.held(), Reason::Misfit { .. }));
}

#[test]
fn edited_bounds_hold_for_what_is_given_back_too() {
    let mut case = Case::of(0.0, 0.1);
    (case.state.base, case.state.seen) = (Some(3), Some(8));
    (case.workload().wanted, case.workload().ready) = (8, 8);
    case.policy.replicas = Bounds::new(6, 20).unwrap();
    let moves = case.run(Span::from_hours(3));
    assert_eq!(moves.iter().map(|(_, _, to)| *to).collect::<Vec<_>>(), [7, 6]);
    // Lowered below where it stands: that is somebody's to bring down.
    let mut case = Case::of(0.0, 0.1);
    (case.state.base, case.state.seen) = (Some(3), Some(8));
    (case.workload().wanted, case.workload().ready) = (8, 8);
    case.policy.replicas = Bounds::new(3, 6).unwrap();
    assert_eq!(case.held(), Reason::AboveMax { at: 8, max: 6 });
    assert_eq!(case.run(Span::from_hours(3)), []);
}

#[test]
fn an_edited_policy_keeps_its_cooldown() {
    let mut case = burning();
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
    case.policy.replicas = Bounds::new(3, 100).unwrap();
    case.policy.up.iter_mut().for_each(|step| step.cooldown = Span::from_secs(1));
    case.now = case.now.plus(STEP);
    assert!(matches!(case.held(), Reason::Cooldown { .. }));
}
