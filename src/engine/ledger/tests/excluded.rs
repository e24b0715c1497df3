//! Time taken out by hand: windows hold exactly the rest, at any age, and what is put back is as it was.

use proptest::prelude::*;

use super::*;
use crate::engine::ledger::{Exclusion, rounded};
use crate::engine::window::{Book, Counts, Signal};

const FIVE: i64 = 300;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// A full day.
const NOW: i64 = 20_000 * DAY;
const SLO: &str = "shop/availability";

/// Bad and total, ungrouped.
fn two() -> (Ledger, Signal, Signal) {
    let mut ledger = Ledger::default();
    let keep = |metric: &str| {
        let what = What::Atom(testing::atom(metric));
        testing::keep(what, &[])
    };
    ledger.adopt(vec![keep("bad_total"), keep("all_total")]);
    (ledger, vec![(1_000_000, SeriesIx(0))], vec![(1_000_000, SeriesIx(1))])
}

fn slot(ledger: &mut Ledger, series: u32, tier: Tier, end: i64, events: i64) {
    let fact = GroupFact { group: Labels::new(), ..fact("", events, Trust::Counted) };
    let slots = vec![SlotFact { end: Ts(end), state: SlotState::Known(vec![fact]) }];
    ledger.apply(&Facts { series: SeriesIx(series), tier, slots });
}

fn exclusion(id: i64, from: i64, to: i64) -> Exclusion {
    let (reason, by) = ("load test".into(), "ann".into());
    Exclusion { id, from: Ts(from), to: Ts(to), reason, by, at: Ts(to), edges: Vec::new() }
}

fn exclude(ledger: &mut Ledger, list: Vec<Exclusion>) {
    ledger.exclude(SLO, list, &[SeriesIx(0), SeriesIx(1)]);
}

fn counts(ledger: &Ledger, (bad, total): (&Signal, &Signal), from: i64, to: i64) -> Counts {
    let book = Book::open(ledger, bad, total, &Labels::new()).unwrap();
    book.without(ledger.excluded(SLO)).between(Ts(from), Ts(to))
}

/// Hours of four days of five minutes, then of slices: events by the end of their slot.
fn filled(holes: &[(i64, i64)]) -> (Ledger, Signal, Signal) {
    let (mut ledger, bad, total) = two();
    let fine = NOW - 10 * HOUR;
    let is_hole = |series: u32, end: i64| series == 0 && holes.iter().any(|(a, b)| end > *a && end <= *b);
    for end in ((NOW - 4 * DAY + FIVE)..=fine).step_by(300) {
        for series in [0, 1] {
            slot(&mut ledger, series, Tier::FiveMinutes, end, (end / FIVE) % 7 + 10 * i64::from(series));
        }
    }
    for end in ((fine + S)..=NOW).step_by(30) {
        for series in [0, 1].into_iter().filter(|series| !is_hole(*series, end)) {
            slot(&mut ledger, series, Tier::Fine, end, (end / S) % 5 + 10 * i64::from(series));
        }
    }
    (ledger, bad, total)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever is taken out, and wherever a window begins and ends: it holds the sum of the slots
    /// that are not in what was taken out. What is put back is exactly as it was.
    #[test]
    fn a_window_holds_what_was_not_taken_out_and_all_that_was_put_back(
        stretches in prop::collection::vec((0i64..120, 1i64..9), 0..12),
        hole in (0i64..1000, 1i64..60),
        windows in prop::collection::vec((0i64..1200, 1i64..1200), 1..12),
    ) {
        let hole = (NOW - hole.0 * S, NOW - hole.0 * S + hole.1 * S);
        let (mut ledger, bad, total) = filled(&[hole]);
        let of = (&bad, &total);
        let before: Vec<Counts> = windows.iter().map(|(back, length)| {
            let to = NOW - back * S / 2 * 2;
            counts(&ledger, of, (to - length * S).max(NOW - 10 * HOUR), to)
        }).collect();
        let mut list: Vec<Exclusion> = Vec::new();
        for (id, (back, length)) in (1..).zip(&stretches) {
            let (from, to) = (NOW - (back + length) * FIVE, NOW - back * FIVE);
            if list.iter().all(|other| other.to.0 <= from || other.from.0 >= to) {
                list.push(exclusion(id, from, to));
            }
        }
        exclude(&mut ledger, list.clone());
        let out = |end: i64| list.iter().any(|e| end > e.from.0 && end <= e.to.0);
        for whole in &before {
            let (from, to) = (whole.from.0, whole.to.0);
            let told = counts(&ledger, of, from, to);
            let mut sum = Counts { from: whole.from, to: whole.to, ..Counts::default() };
            let mut raw = ledger.clone();
            raw.exclude(SLO, Vec::new(), &[]);
            for end in ((from + S)..=to).step_by(30) {
                if out(end) {
                    sum.excluded += S;
                    continue;
                }
                let slot = counts(&raw, of, end - S, end);
                sum.bad = sum.bad.plus(slot.bad);
                sum.total = sum.total.plus(slot.total);
                sum.covered += slot.covered;
                sum.summed += slot.summed;
            }
            prop_assert_eq!(told, sum);
        }
        // What comes later for a slot that is out is out as well.
        if let Some(first) = list.first() {
            slot(&mut ledger, 1, Tier::Fine, first.to.0, 5000);
            let told = counts(&ledger, of, NOW - 10 * HOUR, NOW);
            prop_assert!(told.total < Events::whole(5000 + 20 * 1200));
            slot(&mut ledger, 1, Tier::Fine, first.to.0, (first.to.0 / S) % 5 + 10);
        }
        exclude(&mut ledger, Vec::new());
        for whole in &before {
            prop_assert_eq!(&counts(&ledger, of, whole.from.0, whole.to.0), whole);
        }
    }
}

#[test]
fn long_windows_leave_out_what_lies_in_older_tiers() {
    let (mut ledger, bad, total) = filled(&[]);
    let of = (&bad, &total);
    let (from, to) = (NOW - 3 * DAY, NOW);
    let raw = counts(&ledger, of, from, to);
    let (a, b) = (NOW - 2 * DAY - 700, NOW - 2 * DAY + 100);
    let (a, b) = rounded((Ts(a), Ts(b)), Span::from_secs(30), Ts(NOW));
    assert_eq!((a.0, b.0), (NOW - 2 * DAY - 900, NOW - 2 * DAY + 300), "outward to five minutes");
    exclude(&mut ledger, vec![exclusion(1, a.0, b.0)]);
    let told = counts(&ledger, of, from, to);
    let slots = [-600, -300, 0, 300].map(|at| (NOW - 2 * DAY + at) / FIVE % 7);
    let bad: i64 = slots.iter().sum();
    assert_eq!(raw.bad.minus(told.bad), Events::whole(bad));
    assert_eq!(raw.total.minus(told.total), Events::whole(bad + 40));
    assert_eq!((told.excluded, told.uncovered(), told.missing()), (1200, 0, 0));
}

#[test]
fn parts_of_hours_are_remembered_when_only_hours_are_kept_and_survive_the_store() {
    let (mut ledger, bad, total) = two();
    let begin = NOW - 6 * DAY;
    for end in ((begin + FIVE)..=NOW).step_by(300) {
        slot(&mut ledger, 0, Tier::FiveMinutes, end, (end / FIVE) % 7);
        slot(&mut ledger, 1, Tier::FiveMinutes, end, 10);
    }
    // From 20 past an hour to 10 past the third after it, and ten minutes within one hour.
    let (a, b) = (begin + 5 * HOUR + 1200, begin + 8 * HOUR + 600);
    let (c, d) = (begin + 20 * HOUR + 900, begin + 20 * HOUR + 1500);
    exclude(&mut ledger, vec![exclusion(1, a, b), exclusion(2, c, d)]);
    // Six days later only hours are left of it, and the process was started anew.
    for end in ((NOW + FIVE)..=(NOW + 6 * DAY)).step_by(300) {
        slot(&mut ledger, 0, Tier::FiveMinutes, end, 1);
        slot(&mut ledger, 1, Tier::FiveMinutes, end, 10);
    }
    let kept = ledger.excluded(SLO).unwrap().list().to_vec();
    let kept: Vec<Exclusion> = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    let out = |end: i64| end > a && end <= b || end > c && end <= d;
    let expected = |from: i64, to: i64| {
        let ends = ((from + FIVE)..=to).step_by(300).filter(|end| !out(*end));
        let bad = |end: i64| if end <= NOW { end / FIVE % 7 } else { 1 };
        ends.fold((0, 0), |(b, t), end| (b + bad(end), t + 10))
    };
    for again in [false, true] {
        if again {
            exclude(&mut ledger, kept.clone());
        }
        let to = NOW + 6 * DAY;
        for from in
            [begin, begin + 5 * HOUR, begin + 6 * HOUR, begin + 8 * HOUR, begin + 20 * HOUR, begin + DAY]
        {
            let told = counts(&ledger, (&bad, &total), from, to);
            let (b, t) = expected(from, to);
            assert_eq!(
                (told.bad, told.total),
                (Events::whole(b), Events::whole(t)),
                "{again} {}",
                from - begin
            );
        }
    }
}

#[test]
fn what_is_too_old_is_rounded_to_hours() {
    let at = |days: i64, seconds: i64| Ts(NOW - days * DAY + seconds);
    let rounded = |from, to| rounded((from, to), Span::from_secs(30), Ts(NOW));
    assert_eq!(rounded(at(1, 61), at(1, 599)), (at(1, 0), at(1, 600)));
    assert_eq!(rounded(at(9, 61), at(9, 3601)), (at(9, 0), at(9, 7200)));
    assert_eq!(rounded(at(9, 0), at(1, 300)), (at(9, 0), at(1, 300)));
}

/// What is told of the last five minutes, of which a part alone was taken out.
#[test]
fn an_end_within_five_minutes_is_remembered_when_slices_and_five_minutes_are_gone() {
    let (mut ledger, bad, total) = two();
    let begin = NOW - 2 * HOUR;
    for end in ((begin + S)..=NOW).step_by(30) {
        slot(&mut ledger, 0, Tier::Fine, end, end / S % 5);
        slot(&mut ledger, 1, Tier::Fine, end, 10);
    }
    // Up to the present of then: three slices into the last five minutes.
    let (a, b) = (NOW - 1500, NOW - 300 + 90);
    exclude(&mut ledger, vec![exclusion(1, a, b)]);
    let of = (&bad, &total);
    let expected = |from: i64| {
        let ends = ((from + S)..=NOW).step_by(30).filter(|end| *end <= a || *end > b);
        ends.fold((0, 0), |(b, t), end| (b + end / S % 5, t + 10))
    };
    let told = counts(&ledger, of, begin, NOW);
    let (b_, t_) = expected(begin);
    assert_eq!((told.bad, told.total, told.excluded), (Events::whole(b_), Events::whole(t_), 1290));
    for later in [DAY, 6 * DAY, 9 * DAY] {
        slot(&mut ledger, 0, Tier::Fine, NOW + later, 0);
        slot(&mut ledger, 1, Tier::Fine, NOW + later, 0);
        let kept = ledger.excluded(SLO).unwrap().list().to_vec();
        let kept: Vec<Exclusion> = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
        // The definition is in no file for a moment, and read again.
        ledger.exclude(SLO, kept, &[]);
        let kept = ledger.excluded(SLO).unwrap().list().to_vec();
        exclude(&mut ledger, kept);
        let book = Book::open(&ledger, &bad, &total, &Labels::new()).unwrap().without(ledger.excluded(SLO));
        let (bad, total) = book.taken_out(Ts(begin), Ts(NOW));
        let raw = ((begin + S)..=NOW).step_by(30).fold((0, 0), |(b, t), end| (b + end / S % 5, t + 10));
        assert_eq!((bad, total), (Events::whole(raw.0 - b_), Events::whole(raw.1 - t_)), "{later}");
        assert_eq!(book.seconds_taken_out(Ts(begin), Ts(NOW)), 1290);
    }
}

/// A month that begins at midnight in Kolkata, 18:30 UTC, with time taken out across that moment.
#[test]
fn a_calendar_period_that_begins_inside_an_hour_leaves_out_only_what_lies_in_it() {
    let start = NOW - DAY + 66_600;
    let begin = NOW - 2 * DAY;
    for (a, b) in [(-1800 - HOUR, 1800 + HOUR), (-1200, 900), (-1800, 300), (-300, 1800), (0, 900), (-900, 0)]
    {
        let (a, b) = (start + a, start + b);
        let (mut ledger, bad, total) = two();
        let told = |end: i64| end / FIVE % 7;
        let tell = |ledger: &mut Ledger, from: i64, to: i64| {
            for end in ((from + FIVE)..=to).step_by(300) {
                slot(ledger, 0, Tier::FiveMinutes, end, told(end));
                slot(ledger, 1, Tier::FiveMinutes, end, 10);
            }
        };
        tell(&mut ledger, begin, NOW);
        (0..2).for_each(|ix| ledger.note_cut(SeriesIx(ix), Ts(start)));
        exclude(&mut ledger, vec![exclusion(1, a, b)]);
        for later in [0, 6, 9] {
            let to = NOW + later * DAY;
            if later > 0 {
                tell(&mut ledger, to - 3 * DAY - if later == 6 { 3 * DAY } else { 0 }, to);
            }
            let kept = ledger.excluded(SLO).unwrap().list().to_vec();
            let kept: Vec<Exclusion> = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
            exclude(&mut ledger, kept);
            let ends = ((start + FIVE)..=to).step_by(300).filter(|end| *end <= a || *end > b);
            let (mut expected, mut all) = (0, 0);
            for end in ends {
                (expected, all) = (expected + told(end), all + 10);
            }
            let book = Book::open(&ledger, &bad, &total, &Labels::new()).unwrap();
            let counts = book.without(ledger.excluded(SLO)).since(Ts(start), Ts(to));
            assert_eq!(
                (counts.from, counts.bad, counts.total, counts.excluded),
                (Ts(start), Events::whole(expected), Events::whole(all), (b - start.max(a)).max(0)),
                "{later} days later, {} to {}",
                a - start,
                b - start
            );
        }
    }
}
