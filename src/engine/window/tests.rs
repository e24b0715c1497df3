//! Series that each have gaps of their own, against a naive recomputation.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::engine::fact::{Facts, GroupFact, SeriesKey, SlotFact, SlotState, Tier, Trust, What};
use crate::engine::ledger::{Keep, Ledger};
use crate::slo::model::{Labels, Overflow};
use crate::slo::query::{Atom, Counting, Selector};
use crate::slo::time::{Span, Step};

const S: i64 = 30;
const ONE: i64 = 1_000_000;

fn keep(metric: &str) -> Keep {
    let selector = Selector { metric: metric.into(), matchers: vec![] };
    let what = What::Atom(Atom { selector, counting: Counting::Counter });
    Keep {
        key: SeriesKey { source: "local".into(), what, by: vec![], step: Step::DEFAULT },
        span: Span::from_days(28),
        reach: Span::ZERO,
        limit: 1,
        overflow: Overflow::Other,
        follows: Vec::new(),
        beside: Vec::new(),
        cuts: Vec::new(),
    }
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.adopt(["total", "good", "more"].map(keep).into());
    ledger
}

fn known(events: i64, trust: Trust) -> SlotState {
    let (raw, withheld) = (Events::whole(events), Events::ZERO);
    SlotState::Known(vec![GroupFact { group: Labels::new(), raw, withheld, trust }])
}

fn tell(ledger: &mut Ledger, series: u32, end: i64, state: SlotState) {
    let slots = vec![SlotFact { end: Ts(end), state }];
    ledger.apply(&Facts { series: SeriesIx(series), tier: Tier::Fine, slots });
}

/// `(bad, total)` as they are written: good and total, bad and several totals.
fn forms() -> [(Signal, Signal); 2] {
    let (total, good, more) = (SeriesIx(0), SeriesIx(1), SeriesIx(2));
    [
        (vec![(ONE, total), (-ONE, good)], vec![(ONE, total)]),
        (vec![(ONE, more)], vec![(ONE, total), (ONE, good)]),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Told {
    Counted(i64),
    Stale(i64),
    Partial(i64),
    Absent,
    Unknown,
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        8 => (0i64..3000).prop_map(Told::Counted),
        1 => (0i64..50).prop_map(Told::Stale),
        1 => (0i64..50).prop_map(Told::Partial),
        2 => Just(Told::Absent),
        3 => Just(Told::Unknown),
    ]
}

/// What is known of one slice of one series, kept the plain way.
#[derive(Clone, Copy, Default)]
struct Slot {
    answered: bool,
    absent: bool,
    stale: bool,
    partial: bool,
    events: i64,
}

impl Slot {
    fn take(&mut self, told: Told) {
        match told {
            Told::Unknown => {}
            Told::Absent if self.answered && !self.absent && !(self.stale && self.events == 0) => {}
            Told::Absent => (self.answered, self.absent, self.stale) = (true, true, false),
            Told::Counted(events) => *self = Self { answered: true, events, ..Self::default() },
            Told::Stale(events) => {
                *self = Self { answered: true, absent: false, stale: true, events, ..*self }
            }
            Told::Partial(events) => {
                *self = Self { answered: true, absent: false, partial: true, events, ..*self };
            }
        }
    }

    fn level(self) -> u8 {
        match (self.answered, self.stale || self.partial) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => 2,
        }
    }
}

/// Samples that had stopped go on: what was told since they did is not known any more.
fn ask_again(slots: &mut BTreeMap<i64, Slot>, edge: i64) {
    let silent = |end: &i64| slots.get(end).is_some_and(|slot| slot.stale || slot.absent);
    let stretch: Vec<i64> = (0..).map(|n| edge - n * S).take_while(silent).collect();
    let Some(first) = stretch.iter().filter(|end| slots[end].stale).min().copied() else { return };
    for (_, slot) in slots.range_mut(first..=edge) {
        *slot = Slot { events: slot.events, ..Slot::default() };
    }
}

fn naive(slots: &[BTreeMap<i64, Slot>], (bad, total): &(Signal, Signal), from: i64, to: i64) -> Counts {
    let mut counts = Counts { from: Ts(from), to: Ts(to), ..Counts::default() };
    let (mut bads, mut totals) = (0, 0);
    for end in (from / S + 1..=to / S).map(|slice| slice * S) {
        let slot = |ix: SeriesIx| slots[ix.0 as usize].get(&end).copied().unwrap_or_default();
        let levels: Vec<u8> = bad.iter().chain(total).map(|(_, ix)| slot(*ix).level()).collect();
        if levels.iter().any(|level| *level != levels[0]) {
            continue;
        }
        let sum = |signal: &Signal| signal.iter().map(|(w, ix)| w / ONE * slot(*ix).events).sum::<i64>();
        bads += sum(bad);
        totals += sum(total);
        if levels[0] == 2 {
            let gone = total.iter().all(|(_, ix)| slot(*ix).absent);
            *(if gone { &mut counts.absent } else { &mut counts.covered }) += S;
        }
    }
    counts.summed = counts.covered;
    Counts { bad: Events::whole(bads.max(0)), total: Events::whole(totals.max(0)), ..counts }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    /// Slices of three series in any order, each with its own gaps, absence and doubts.
    #[test]
    fn a_window_counts_what_all_series_know(
        ops in prop::collection::vec((0u32..3, 0i64..60, told()), 1..300),
        start in 0i64..100_000,
        windows in prop::collection::vec((0i64..60, 0i64..60), 8),
    ) {
        let mut ledger = ledger();
        let mut slots = vec![BTreeMap::<i64, Slot>::new(); 3];
        for (series, slice, told) in ops {
            let end = (start + slice) * S;
            let state = match told {
                Told::Counted(events) => known(events, Trust::Counted),
                Told::Stale(events) => known(events, Trust::Stale),
                Told::Partial(events) => known(events, Trust::Partial),
                Told::Absent => SlotState::Absent,
                Told::Unknown => SlotState::Unknown,
            };
            tell(&mut ledger, series, end, state);
            let own = &mut slots[series as usize];
            if matches!(told, Told::Counted(_)) {
                ask_again(own, end - S);
            }
            own.entry(end).or_default().take(told);
        }
        for form in forms() {
            let book = Book::open(&ledger, &form.0, &form.1, &Labels::new()).unwrap();
            for (a, b) in &windows {
                let (from, to) = ((start + a.min(b)) * S, (start + a.max(b)) * S);
                prop_assert_eq!(book.between(Ts(from), Ts(to)), naive(&slots, &form, from, to));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    /// Nine days without an error, in which now the one and now the other query has no answer: no
    /// window of any age shows a bad event, and none shows more than what it covers.
    #[test]
    fn gaps_alone_make_no_bad_events_at_any_age(
        start in 0i64..10_000,
        gaps in prop::collection::vec((0u32..2, 0i64..26_000, 1i64..200), 1..12),
        windows in prop::collection::vec((0i64..13_000, 1i64..26_000), 12),
    ) {
        let last = start + 26_000;
        let out = |series: u32, slice: i64| {
            gaps.iter().any(|(s, from, len)| *s == series && slice > start + from && slice <= start + from + len)
        };
        let mut ledger = ledger();
        for slice in start + 1..=last {
            for series in 0..2 {
                let state = if out(series, slice) { SlotState::Unknown } else { known(100, Trust::Counted) };
                tell(&mut ledger, series, slice * S, state);
            }
        }
        let (bad, total) = &forms()[0];
        let book = Book::open(&ledger, bad, total, &Labels::new()).unwrap();
        for (back, length) in windows {
            // What ends in the past is only looked at in whole hours.
            let now = Ts(last * S);
            let (length, to) = match back {
                ..6_500 => (length * S, now),
                _ => (length * S / 3600 * 3600, now.minus(Span::from_secs_saturating(back * S)).floor_to(Span::from_hours(1))),
            };
            let counts = book.window(Span::from_secs_saturating(length), to);
            prop_assert_eq!(counts.bad, Events::ZERO, "{:?}", counts);
            prop_assert_eq!(counts.total, Events::whole(100).scaled(counts.covered, S), "{:?}", counts);
        }
    }
}

#[test]
fn a_slot_whose_good_events_are_not_known_counts_for_nothing() {
    let mut ledger = ledger();
    for slice in 1..=10 {
        tell(&mut ledger, 0, slice * S, known(100, Trust::Counted));
        let good = if slice > 7 { SlotState::Unknown } else { known(99, Trust::Counted) };
        tell(&mut ledger, 1, slice * S, good);
    }
    let (bad, total) = &forms()[0];
    let book = Book::open(&ledger, bad, total, &Labels::new()).unwrap();
    let counts = book.window(Span::from_mins(5), Ts(10 * S));
    assert_eq!((counts.bad, counts.total), (Events::whole(7), Events::whole(700)));
    assert_eq!((counts.covered, counts.missing()), (7 * S, 3 * S));
}

/// A day of slices, of which one was withheld in part or was stale in one series twenty hours ago.
fn doubtful(form: usize, series: u32, trust: Trust) -> Counts {
    let mut ledger = ledger();
    let usual = |ix: u32| if ix == 1 { 90 } else { 100 };
    let doubted = 480;
    for slice in 1..=2880 {
        for ix in 0..3 {
            let doubt = slice == doubted && ix == series;
            let state =
                known(usual(ix) / if doubt { 10 } else { 1 }, if doubt { trust } else { Trust::Counted });
            tell(&mut ledger, ix, slice * S, state);
        }
    }
    let (bad, total) = &forms()[form];
    Book::open(&ledger, bad, total, &Labels::new()).unwrap().window(Span::from_days(1), Ts(2880 * S))
}

#[test]
fn a_slot_withheld_in_part_takes_no_others_out_of_the_sums() {
    let counts = doubtful(1, 0, Trust::Partial);
    assert_eq!((counts.total, counts.bad), (Events::whole(2880 * 190 - 90), Events::whole(2880 * 100)));
    assert_eq!(counts.covered, 2879 * S);
}

#[test]
fn a_slot_whose_samples_had_stopped_leaves_the_sums_with_its_five_minutes() {
    let counts = doubtful(1, 0, Trust::Stale);
    assert_eq!((counts.total, counts.bad), (Events::whole(2870 * 190), Events::whole(2870 * 100)));
    assert_eq!(counts.covered, 2870 * S);
}

#[test]
fn good_events_withheld_in_part_are_never_bad_ones() {
    let counts = doubtful(0, 1, Trust::Partial);
    assert_eq!((counts.total, counts.bad), (Events::whole(2870 * 100), Events::whole(2870 * 10)));
}

#[test]
fn a_total_withheld_in_part_takes_no_bad_events_away() {
    let counts = doubtful(0, 0, Trust::Partial);
    assert_eq!((counts.total, counts.bad), (Events::whole(2870 * 100), Events::whole(2870 * 10)));
}

#[test]
fn the_mean_traffic_is_that_of_the_time_whose_total_is_in_the_sums() {
    let day = 86_400;
    let errors = doubtful(1, 2, Trust::Partial);
    assert_eq!((errors.covered, errors.missing()), (day - S, 0));
    assert_eq!(errors.mean_traffic(day), errors.total);
    // Of a total that is withheld itself more may have been.
    let total = doubtful(1, 0, Trust::Partial);
    assert_eq!((total.covered, total.missing()), (day - S, S));
    assert!(total.mean_traffic(day) > total.total);
}
