//! The basic rule: how much is added and given back, and when.

use super::*;

#[test]
fn burn_of_two_adds_two_with_three_minutes_between() {
    let mut case = Case::of(2.0, 0.72);
    let moves = case.run(Span::from_mins(8));
    // The cooldown and what clocks may be apart, to the next decision.
    assert_eq!(moves, [(0, 5, 7), (210, 7, 9), (420, 9, 11)]);
}

#[test]
fn burn_of_one_and_a_half_adds_one_with_two_minutes_between() {
    let mut case = Case::of(1.5, 0.72);
    case.workload().ready = 5;
    let moves = case.run(Span::from_mins(6));
    // A judgement waits until the short window holds nothing from before.
    assert_eq!(moves.first(), Some(&(0, 5, 6)));
    assert!(moves.iter().all(|(_, from, to)| to - from == 1), "{moves:?}");
    assert!(moves.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 120), "{moves:?}");
    assert!(moves.len() >= 2, "{moves:?}");
}

#[test]
fn both_windows_must_agree() {
    for (short, long) in [(9.0, 1.4), (1.4, 9.0)] {
        let mut case = Case::of(0.0, 0.9);
        case.observed.burns = vec![burn(short, long)];
        assert!(matches!(case.held(), Reason::Between { .. }));
    }
}

#[test]
fn the_saturation_asks_for_more_than_the_step_up_to_four() {
    // What is full does not say by how much: CPU in use ends at 1, and a queue does not.
    for (saturation, to) in [(0.94, 7), (0.95, 9), (1.0, 9), (7.0, 9)] {
        let mut case = Case::of(2.0, saturation);
        assert_eq!(case.decide().verdict, Verdict::Scale { from: 5, to }, "{saturation}");
    }
    let mut case = Case::of(1.5, 0.9);
    case.workload().wanted = 10;
    case.workload().ready = 10;
    assert_eq!(case.decide().verdict, Verdict::Scale { from: 10, to: 13 });
}

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
fn little_budget_adds_one_more_and_doubles_the_calm() {
    let mut case = Case::of(2.0, 0.72);
    let mut low = burn(2.0, 2.0);
    low.known.as_mut().unwrap().budget_left = Finite::new(0.05);
    case.observed.burns = vec![low];
    assert_eq!(case.decide().verdict, Verdict::Scale { from: 5, to: 8 });
    let mut calm = burn(0.1, 0.1);
    calm.known.as_mut().unwrap().budget_left = Finite::new(0.05);
    case.observed.burns = vec![calm];
    case.observed.saturation = Finite::new(0.2);
    case.now = case.now.plus(STEP);
    let moves = case.run(Span::from_mins(15));
    assert!(moves[0].0 >= 600, "{moves:?}");
}

#[test]
fn the_worst_of_several_adds_and_all_must_agree_to_give_back() {
    let mut case = Case::of(0.0, 0.72);
    case.observed.burns = vec![burn(0.1, 0.1), burn(2.5, 2.5)];
    assert_eq!(case.decide().verdict, Verdict::Scale { from: 5, to: 7 });
    case.observed.burns = vec![burn(0.1, 0.1), burn(1.0, 1.0)];
    case.observed.saturation = Finite::new(0.2);
    case.now = case.now.plus(STEP);
    assert_eq!(case.run(Span::from_mins(30)), []);
}
