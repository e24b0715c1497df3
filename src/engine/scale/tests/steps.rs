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
    // Percent does not end at 1.
    let mut case = Case::of(2.0, 75.0);
    case.policy.saturation.as_mut().unwrap().scale_above = Finite::new(70.0).unwrap();
    assert_eq!(case.decide().verdict, Verdict::Scale { from: 5, to: 7 });
    let mut case = Case::of(1.5, 0.9);
    case.workload().wanted = 10;
    case.workload().ready = 10;
    assert_eq!(case.decide().verdict, Verdict::Scale { from: 10, to: 13 });
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
