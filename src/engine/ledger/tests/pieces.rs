//! A series that is known in more pieces than are kept.

use super::*;

const DAY: i64 = 86_400;
/// Where slots begin to be known one by one.
const THEN: i64 = 30 * DAY;

fn five(ledger: &mut Ledger, end: i64) {
    tell_five(ledger, end, SlotState::Known(vec![fact("a", 10, Trust::Counted)]));
}

fn tell_five(ledger: &mut Ledger, end: i64, state: SlotState) {
    let slots = vec![SlotFact { end: Ts(end), state }];
    ledger.apply(&Facts { series: SeriesIx(0), tier: Tier::FiveMinutes, slots });
}

/// Five minutes after five minutes, but for every second of four days; then all of it for four days more.
fn in_pieces() -> Ledger {
    let mut ledger = ledger();
    ledger.adopt(vec![keep("x_total", 90)]);
    for end in (DAY..=THEN).step_by(300) {
        five(&mut ledger, end);
    }
    for end in (THEN + 60..=THEN + 8192 * 60 + 60 * 40).step_by(60) {
        tell(&mut ledger, end, SlotState::Known(vec![fact("a", 1, Trust::Counted)]));
    }
    ledger
}

fn sum(ledger: &Ledger, from: i64, to: i64) -> i64 {
    let group = ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap();
    group.sum(Ts(from), Ts(to)).thousandths() / 1000
}

#[test]
fn what_is_known_for_long_stays_known() {
    let ledger = in_pieces();
    let series = ledger.series(SeriesIx(0)).unwrap();
    assert!(series.answered().contains(Ts(DAY)) && series.answered().contains(Ts(THEN)));
    let newest = series.answered().last().unwrap();
    assert!(newest.0 > THEN + 4096 * 60, "more slots than pieces: {newest:?}");
    assert!(!series.answered().contains(Ts(THEN + 60)), "the oldest of the shortest is not");
}

#[test]
fn what_was_lost_is_not_added_to_hours_that_hold_it() {
    for restart in [false, true] {
        let mut ledger = in_pieces();
        let newest = THEN + 20 * DAY;
        tell(&mut ledger, newest, SlotState::Known(vec![fact("a", 1, Trust::Counted)]));
        if restart {
            let bytes = image(&ledger);
            assert!(ledger.restore(SeriesImage::from_bytes(&bytes).unwrap()).unwrap());
        }
        let before = sum(&ledger, DAY, THEN + 3600);
        // Beyond the reach of five minutes by now, and not known, half of it as it was lost.
        for end in (THEN + 300..=THEN + 3600).step_by(300) {
            five(&mut ledger, end);
        }
        assert_eq!(sum(&ledger, DAY, THEN + 3600), before);
        // What was never told can be.
        let after = THEN + 10 * DAY;
        five(&mut ledger, after);
        assert_eq!(sum(&ledger, after - 3600, after), 10);
    }
}

#[test]
fn what_had_stopped_and_goes_on_is_asked_again_among_many_pieces_too() {
    let mut ledger = in_pieces();
    let newest = ledger.series(SeriesIx(0)).unwrap().answered().last().unwrap().0;
    let known = |trust| SlotState::Known(vec![fact("a", 1, trust)]);
    for (slot, trust) in [Trust::Counted, Trust::Stale, Trust::Stale, Trust::Counted].into_iter().enumerate()
    {
        tell(&mut ledger, newest + (i64::try_from(slot).unwrap() + 1) * S, known(trust));
    }
    let series = ledger.series(SeriesIx(0)).unwrap();
    assert!(
        !series.answered().contains(Ts(newest + 3 * S)) && series.answered().contains(Ts(newest + 4 * S))
    );
}

/// Of a long absence in more pieces than are kept none is taken for time without events.
#[test]
fn what_was_absent_in_too_many_pieces_is_not_known_any_more() {
    let mut ledger = ledger();
    ledger.adopt(vec![keep("x_total", 90)]);
    let ends = || (DAY + 300..=DAY + 4200 * 1200).step_by(300);
    ends().for_each(|end| tell_five(&mut ledger, end, SlotState::Absent));
    let has_samples = |end: &i64| (end - DAY) % 1200 == 600;
    ends().filter(has_samples).for_each(|end| five(&mut ledger, end));
    let series = ledger.series(SeriesIx(0)).unwrap();
    let is_without_events =
        |end: &i64| series.answered().contains(Ts(*end)) && !series.absent().contains(Ts(*end));
    assert_eq!(ends().filter(has_samples).filter(is_without_events).count(), 4200);
    assert_eq!(ends().filter(|end| !has_samples(end)).find(is_without_events), None);
}
