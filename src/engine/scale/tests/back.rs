//! Giving replicas back.

use super::*;

#[test]
fn calm_gives_back_one_at_a_time_down_to_where_it_began() {
    let mut case = Case::of(2.0, 0.72);
    case.run(Span::from_mins(1));
    case.burns(0.1);
    case.observed.saturation = Finite::new(0.3);
    let moves = case.run(Span::from_mins(30));
    let counts: Vec<(u32, u32)> = moves.iter().map(|(_, from, to)| (*from, *to)).collect();
    assert_eq!(counts, [(7, 6), (6, 5)]);
    assert!(moves[0].0 >= 300 && moves[1].0 - moves[0].0 >= 300, "{moves:?}");
    assert_eq!(case.held(), Reason::AtRest { at: 5, base: 5 });
}

#[test]
fn what_the_others_could_not_carry_stays() {
    let mut case = Case::of(0.0, 0.6);
    case.state.base = Some(3);
    case.state.seen = Some(5);
    case.state.calm_since = Some(Ts(0));
    assert!(matches!(case.held(), Reason::WouldFill { .. }));
    case.observed.saturation = Finite::new(0.5);
    assert_eq!(case.decide().verdict, Verdict::Scale { from: 5, to: 4 });
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
fn a_min_that_was_raised_holds_for_what_is_given_back() {
    let mut case = Case::of(0.0, 0.1);
    (case.state.base, case.state.seen) = (Some(3), Some(8));
    (case.workload().wanted, case.workload().ready) = (8, 8);
    case.policy.replicas = Bounds::new(6, 20).unwrap();
    let moves = case.run(Span::from_hours(3));
    assert_eq!(moves.iter().map(|(_, _, to)| *to).collect::<Vec<_>>(), [7, 6]);
}

#[test]
fn a_max_that_was_lowered_does_not_hold_what_damper_added_for_ever() {
    let mut case = Case::of(2.0, 0.72);
    case.run(Span::from_mins(15));
    let peak = case.workload().wanted;
    assert!(peak > 8, "{peak}");
    case.policy.replicas = Bounds::new(3, 8).unwrap();
    case.burns(0.0);
    case.observed.saturation = Finite::new(0.1);
    let moves = case.run(Span::from_hours(3));
    assert!(moves.iter().all(|(_, from, to)| from - to == 1), "{moves:?}");
    assert_eq!(case.workload().wanted, 5, "where it began: {moves:?}");
}

#[test]
fn what_somebody_else_set_above_max_is_left_alone() {
    let mut case = Case::of(0.0, 0.1);
    case.decide();
    (case.workload().wanted, case.workload().ready) = (40, 40);
    assert_eq!(case.run(Span::from_hours(12)), []);
    case.burns(3.0);
    case.observed.saturation = Finite::new(0.9);
    assert_eq!(case.held(), Reason::AboveMax { at: 40, max: 20 });
}

#[test]
fn a_floor_below_the_min_goes_back_to_where_it_was() {
    let mut case = Case::of(3.0, 0.72);
    case.workload().lever = floor(0, 50);
    case.decide();
    assert_eq!(case.workload().position(), 7);
    case.burns(0.0);
    case.observed.saturation = Finite::new(0.05);
    case.run(Span::from_hours(6));
    assert_eq!(case.workload().position(), 0);
}

#[test]
fn a_floor_below_what_runs_is_lowered_though_the_autoscaler_keeps_its_target() {
    let mut case = Case::of(0.0, 0.70);
    (case.state.base, case.state.seen) = (Some(3), Some(8));
    (case.workload().wanted, case.workload().ready) = (12, 12);
    case.state.owner = Some(OWNER.to_owned());
    case.workload().lever = floor(8, 20);
    case.run(Span::from_hours(12));
    assert_eq!(case.workload().position(), 3, "{:?}", case.held());
}

#[test]
fn a_floor_that_the_autoscaler_does_not_follow_is_given_back() {
    let mut case = Case::of(0.0, 0.2);
    (case.state.base, case.state.seen) = (Some(3), Some(7));
    case.state.owner = Some(OWNER.to_owned());
    case.workload().lever = floor(7, 20);
    case.run(Span::from_hours(12));
    assert_eq!(case.workload().position(), 3, "{:?}", case.held());
}
