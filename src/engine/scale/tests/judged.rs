//! Whether what was added helped.

use super::*;

#[test]
fn a_step_is_judged_once_the_saturation_has_fallen_and_two_that_did_not_help_are_taken_back() {
    // Burn stays whatever is added; the saturation falls with every step and rises again.
    let mut case = Case::of(3.0, 0.72);
    let mut peak = 0;
    while !case.state.is_useless(case.now) {
        case.observed.saturation = Finite::new(if case.state.trial.is_some() { 0.5 } else { 0.72 });
        case.decide();
        peak = peak.max(case.workload().wanted);
        case.now = case.now.plus(STEP);
        assert!(case.now < Ts(14_000), "two steps that did not help are enough");
    }
    assert_eq!(peak, 9, "two steps of two");
    case.observed.saturation = Finite::new(0.3);
    let moves = case.run(Span::from_mins(29));
    let counts: Vec<(u32, u32)> = moves.iter().map(|(_, from, to)| (*from, *to)).collect();
    assert_eq!(counts, [(8, 7), (7, 6), (6, 5)], "given back although it burns, the first at once");
    case.observed.saturation = Finite::new(0.9);
    assert!(matches!(case.held(), Reason::Useless { .. }));
}

#[test]
fn a_hold_for_want_of_effect_doubles_up_to_eight_hours() {
    let mut case = Case::of(3.0, 0.72);
    case.policy.saturation = None;
    case.policy.max_actions_per_hour = 1000;
    let mut holds = Vec::new();
    for _ in 0..(40 * 120) {
        case.decide();
        let hold = case.state.useless.filter(|u| u.hold_until.is_some()).map(|useless| useless.hold);
        if hold.is_some() && holds.last() != Some(&hold) {
            holds.push(hold);
        }
        case.now = case.now.plus(STEP);
    }
    let hours: Vec<i64> = holds.into_iter().flatten().map(|hold| hold.secs() / 60).collect();
    assert_eq!(hours, [30, 60, 120, 240, 480]);
}

#[test]
fn what_helped_is_no_reason_to_stop() {
    let mut case = Case::of(4.0, 0.9);
    case.run(Span::from_mins(1));
    case.observed.saturation = Finite::new(0.6);
    case.burns(1.0);
    case.run(Span::from_mins(5));
    assert_eq!((case.state.trial, case.state.useless), (None, None));
}

#[test]
fn what_helped_a_day_ago_is_not_judged_by_todays_fault() {
    let mut case = Case::of(3.0, 0.72);
    case.run(Span::from_mins(8));
    assert!(case.state.trial.as_ref().is_some_and(|trial| trial.steps >= 2), "{:?}", case.state.trial);
    // It helped: no burn for a day, at a saturation of 0.72.
    case.burns(0.0);
    assert_eq!(case.run(Span::from_days(1)), []);
    // A fault that has nothing to do with load: it fails fast, so the saturation falls.
    case.burns(20.0);
    case.observed.saturation = Finite::new(0.4);
    case.decide();
    assert!(!case.state.is_useless(case.now), "{:?}", case.state.useless);
}

#[test]
fn without_a_saturation_a_real_overload_is_not_taken_for_useless() {
    // Ten replicas, load for thirty: each replica added serves what was refused before.
    let mut case = Case::of(0.0, 0.0);
    case.policy.saturation = None;
    case.policy.replicas = Bounds::new(3, 60).unwrap();
    (case.workload().wanted, case.workload().ready) = (10, 10);
    let mut lowest_after_peak = (0, 0);
    for _ in 0..120 {
        let served = f64::from(case.workload().ready) / 30.0;
        case.burns(((1.0 - served) / 0.001).max(0.0));
        case.decide();
        let at = case.workload().wanted;
        lowest_after_peak = (lowest_after_peak.0.max(at), at);
        assert!(
            !case.state.is_useless(case.now),
            "after {} s at {at}: {:?}",
            case.now.since(Ts(10_000)).secs(),
            case.state.useless
        );
        case.now = case.now.plus(STEP);
    }
}

#[test]
fn another_slo_that_begins_to_burn_does_not_undo_what_helped() {
    let mut case = Case::of(0.0, 0.72);
    case.observed.burns = vec![burn(3.0, 3.0), burn(0.1, 0.1)];
    case.decide();
    case.observed.burns = vec![burn(0.2, 0.2), burn(2.9, 2.9)];
    case.observed.saturation = Finite::new(0.5);
    case.now = case.now.plus(Span::from_mins(4));
    case.decide();
    case.now = case.now.plus(Span::from_mins(4));
    case.decide();
    assert_eq!(case.state.useless, None);
}

#[test]
fn what_helped_is_said_while_it_is_still_full() {
    let mut case = Case::of(4.0, 0.9);
    case.run(Span::from_mins(1));
    case.burns(3.0);
    case.run(Span::from_mins(5));
    // What was added since is a trial of its own, from where it burns now.
    assert_eq!(case.state.trial.as_ref().map(|trial| trial.before), Some(3.0));
}

#[test]
fn what_could_not_be_judged_for_an_hour_never_is() {
    let mut case = Case::of(3.0, 0.9);
    case.run(Span::from_mins(8));
    let at = case.state.trial.as_ref().unwrap().at;
    case.policy.replicas = Bounds::new(3, case.workload().wanted).unwrap();
    case.run(Span::from_mins(50));
    assert!(case.state.trial.is_some());
    case.now = at.plus(Span::from_hours(1));
    case.observed.saturation = Finite::new(0.4);
    case.decide();
    assert_eq!((&case.state.trial, case.state.useless), (&None, None));
}

#[test]
fn what_was_useless_is_forgotten_once_it_was_calm_for_a_while() {
    let mut case = Case::of(3.0, 0.72);
    case.policy.saturation = None;
    let fails = |case: &mut Case| {
        case.burns(3.0);
        while !case.state.is_useless(case.now) {
            case.decide();
            case.now = case.now.plus(STEP);
        }
        case.state.useless.unwrap().hold
    };
    assert_eq!(fails(&mut case), Span::from_mins(30));
    case.burns(0.0);
    case.run(Span::from_mins(4));
    assert!(case.state.useless.is_some(), "calm for too short a time");
    case.run(Span::from_mins(60));
    assert_eq!(case.state.useless, None);
    assert_eq!(fails(&mut case), Span::from_mins(30), "as for the first time");
}
