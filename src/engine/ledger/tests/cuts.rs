//! Calendar periods that begin inside an hour.

use super::*;

#[test]
fn a_calendar_period_that_begins_inside_an_hour_is_exact_to_its_end() {
    // A month that began at midnight in Kolkata, 18:30 UTC, told as it came; and one backfilled.
    let start = Ts(1_800_000_000 - 1_800_000_000 % 86_400 + 66_600);
    let begin = start.0 - 2 * 86_400;
    let now = start.0 + 20 * 86_400;
    let told = |slice: i64| slice % 11;
    let expected: i64 = (start.0 / S + 1..=now / S).map(told).sum();

    let mut live = ledger();
    live.note_cut(SeriesIx(0), start);
    for slice in begin / S + 1..=now / S {
        tell(&mut live, slice * S, SlotState::Known(vec![fact("a", told(slice), Trust::Counted)]));
        if slice * S % 3600 == 0 && slice * S > start.0 {
            live.note_cut(SeriesIx(0), start);
        }
    }
    let mut backfilled = ledger();
    backfilled.note_cut(SeriesIx(0), start);
    let fine_from = now - 43_200;
    for slice in fine_from / S + 1..=now / S {
        tell(&mut backfilled, slice * S, SlotState::Known(vec![fact("a", told(slice), Trust::Counted)]));
    }
    for slot in (begin / 300 + 1..=fine_from / 300).rev() {
        let events = ((slot - 1) * 10 + 1..=slot * 10).map(told).sum();
        let state = SlotState::Known(vec![fact("a", events, Trust::Counted)]);
        let slots = vec![SlotFact { end: Ts(slot * 300), state }];
        backfilled.apply(&Facts { series: SeriesIx(0), tier: Tier::FiveMinutes, slots });
    }
    for ledger in [live, backfilled] {
        for ledger in [&ledger, &restored(&ledger)] {
            let group = ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap();
            assert_eq!(group.since(start, Ts(now)), (start, Events::whole(expected)));
        }
    }
}

#[test]
fn a_week_and_a_month_counted_by_one_series_are_both_exact() {
    // Both began inside an hour that only hours tell of any more; the month is noted first.
    let day = 86_400;
    let month = Ts(1_800_000_000 - 1_800_000_000 % day + 66_600);
    let week = Ts(month.0 + 11 * day - 1800);
    let (begin, now) = (month.0 - day, month.0 + 20 * day);
    let told = |slice: i64| slice % 13 + 1;
    let mut ledger = ledger();
    for slice in begin / S + 1..=now / S {
        tell(&mut ledger, slice * S, SlotState::Known(vec![fact("a", told(slice), Trust::Counted)]));
        if slice * S % 3600 == 0 {
            for boundary in [month, week].into_iter().filter(|boundary| boundary.0 < slice * S) {
                ledger.note_cut(SeriesIx(0), boundary);
            }
        }
    }
    for ledger in [&ledger, &restored(&ledger)] {
        let group = ledger.series(SeriesIx(0)).unwrap().group(&route("a")).unwrap();
        for start in [month, week] {
            let expected: i64 = (start.0 / S + 1..=now / S).map(told).sum();
            assert_eq!(group.since(start, Ts(now)), (start, Events::whole(expected)));
        }
    }
}
