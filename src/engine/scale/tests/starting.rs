//! Replicas that are not ready yet, or never.

use super::*;

#[test]
fn of_many_replicas_one_in_twenty_may_be_away() {
    for (wanted, ready, is_enough) in
        [(5, 4, false), (19, 18, false), (20, 19, true), (100, 95, true), (100, 94, false)]
    {
        let mut case = Case::of(3.0, 0.9);
        case.policy.replicas = Bounds::new(3, 200).unwrap();
        (case.workload().wanted, case.workload().ready) = (wanted, ready);
        let decision = case.decide();
        let scales = matches!(decision.verdict, Verdict::Scale { .. });
        assert_eq!(scales, is_enough, "{ready} of {wanted}: {decision:?}");
        assert!(scales || decision.reason == Reason::Starting { ready, wanted }, "{decision:?}");
    }
}

#[test]
fn what_is_ready_since_a_time_to_come_is_waited_for_no_longer_than_what_is_ready_now() {
    let mut case = Case::of(3.0, 0.9);
    case.state.ready_since = Some(case.now.plus(Span::from_mins(10)));
    assert!(!matches!(case.decide().verdict, Verdict::Scale { .. }), "it has to settle");
    case.now = case.now.plus(Span::from_mins(4));
    assert!(matches!(case.decide().verdict, Verdict::Scale { .. }));
}

#[test]
fn one_that_is_away_does_not_begin_the_settling_anew() {
    let mut case = Case::of(3.0, 0.9);
    case.policy.replicas = Bounds::new(3, 300).unwrap();
    let mut moves = 0;
    for tick in 0..20 {
        case.workload().wanted = case.workload().wanted.max(200);
        case.workload().ready = case.workload().wanted - tick % 2;
        moves += u32::from(matches!(case.decide().verdict, Verdict::Scale { .. }));
        case.now = case.now.plus(STEP);
    }
    assert!(moves >= 2, "{moves}");
}

#[test]
fn what_never_becomes_ready_is_given_back_after_ten_minutes_and_nothing_is_added() {
    let mut case = Case::of(3.0, 0.9);
    (case.state.base, case.state.seen) = (Some(3), Some(5));
    case.workload().ready = 4;
    assert_eq!(case.run(Span::from_mins(20)), []);
    case.burns(0.0);
    case.observed.saturation = Finite::new(0.2);
    case.state.unready_since = Some(case.now);
    let moves = case.run(Span::from_mins(11));
    assert_eq!(moves, [(600, 5, 4)], "calm after five, and not merely starting after ten");
}
