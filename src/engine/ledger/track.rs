//! The events of one group of one series, in tiers that sum into each other.

use super::ring::Ring;
use crate::slo::time::{Span, Step, Ts};
use crate::slo::unit::Events;

/// How far back slices of one step reach.
pub const FINE_REACH: Span = Span::from_hours(12);
/// How far back five-minute slots reach.
pub const FIVE_REACH: Span = Span::from_days(7);

const FIVE: i64 = 300;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// Slices of one step for 12 h, five minutes for 7 d, hours and days for as long as asked.
///
/// Every tier holds the sum of the finer one, so a window is a few finer slots at its edges and
/// coarser ones between: at most `2·(300/S) + 2·12 + 2·24` slots plus one a day.
#[derive(Clone, Debug)]
pub struct Track {
    pub(super) fine: Ring,
    pub(super) five: Ring,
    pub(super) hour: Ring,
    pub(super) day: Ring,
}

impl Track {
    /// An empty track that holds windows of up to `keep`.
    pub fn new(step: Step, keep: Span) -> Self {
        let slots = |reach: i64, unit: i64| usize::try_from(reach / unit + 1).unwrap_or(1);
        let keep = keep.secs().max(FINE_REACH.secs());
        Self {
            fine: Ring::new(step.secs(), slots(FINE_REACH.secs() + HOUR, step.secs())),
            five: Ring::new(FIVE, slots(keep.min(FIVE_REACH.secs()) + 2 * HOUR, FIVE)),
            hour: Ring::new(HOUR, slots(keep + DAY, HOUR)),
            day: Ring::new(DAY, slots(keep + 2 * DAY, DAY)),
        }
    }

    /// The same events in a track that holds windows of up to `keep`.
    pub(super) fn kept_for(&self, step: Step, keep: Span) -> Self {
        let mut track = Self::new(step, keep);
        let tiers = [
            (&self.fine, &mut track.fine),
            (&self.five, &mut track.five),
            (&self.hour, &mut track.hour),
            (&self.day, &mut track.day),
        ];
        for (old, new) in tiers {
            new.copy(old);
        }
        track
    }

    /// Forgets everything up to the end of an hour, which the hours after it are still held of.
    pub(super) fn forget(&mut self, upto: Ts) {
        for ring in [&mut self.fine, &mut self.five, &mut self.hour, &mut self.day] {
            ring.forget(upto.0.div_euclid(ring.unit()));
        }
        let day = slot(upto.plus(Span::from_secs(1)), DAY);
        let left = self.hour.sum(upto.0.div_euclid(HOUR) + 1, day * DAY / HOUR);
        if self.day.held().is_some_and(|(oldest, newest)| oldest <= day && day <= newest) {
            self.day.set(day, left);
        }
    }

    /// Puts the value of the slice that ends at `end`; says whether anything changed.
    /// A slice too old for the tier is left out: it is asked at five minutes instead.
    pub fn set_fine(&mut self, end: Ts, value: Events) -> bool {
        let Some(old) = self.fine.set(end.0.div_euclid(self.fine.unit()), value) else { return false };
        let delta = value.minus(old);
        self.five.add(slot(end, FIVE), delta);
        self.propagate(end, delta);
        delta != Events::ZERO
    }

    /// Puts the value of the five minutes that end at `end`; says whether anything changed.
    pub fn set_five(&mut self, end: Ts, value: Events) -> bool {
        let delta = match self.five.set(slot(end, FIVE), value) {
            Some(old) => value.minus(old),
            // Older than the tier: only the hour keeps it, so it can be told only once; see `Series::apply`.
            None => value,
        };
        self.propagate(end, delta);
        delta != Events::ZERO
    }

    /// Whether five-minute slots reach back to the one that ends at `end`.
    pub fn holds_five(&self, end: Ts) -> bool {
        self.five.held().is_none_or(|(oldest, _)| slot(end, FIVE) >= oldest)
    }

    /// Where the oldest slot with events begins, as finely as that is still held.
    pub(super) fn first(&self) -> Option<Ts> {
        let day = self.day.first(i64::MIN, i64::MAX)?;
        let tiers = [(&self.hour, HOUR), (&self.five, FIVE), (&self.fine, self.fine.unit())];
        let (from, _) = tiers.into_iter().fold(((day - 1) * DAY, day * DAY), |(from, to), (ring, unit)| {
            let slot = ring.first(slot(Ts(from), unit) + 1, slot(Ts(to), unit));
            slot.map_or((from, to), |slot| ((slot - 1) * unit, slot * unit))
        });
        Some(Ts(from))
    }

    /// Events in `(from, to]`; both edges lie on the grid of the finest tier that holds them,
    /// see [`edge`]. The ragged edges come from the finer tier, what is between from the coarser.
    pub fn sum(&self, from: Ts, to: Ts) -> Events {
        let step = self.fine.unit();
        let fine = |(a, b): Cut| self.fine.sum(a.div_euclid(step) + 1, b.div_euclid(step));
        let five = |(a, b): Cut| self.five.sum(a.div_euclid(FIVE) + 1, b.div_euclid(FIVE));
        let hour = |(a, b): Cut| self.hour.sum(a.div_euclid(HOUR) + 1, b.div_euclid(HOUR));
        let day = |(a, b): Cut| self.day.sum(a.div_euclid(DAY) + 1, b.div_euclid(DAY));

        let all = (from.0, to.0);
        let Some([old, fives, new]) = cut(all, FIVE) else { return fine(all) };
        let edges = fine(old).plus(fine(new));
        let Some([old, hours, new]) = cut(fives, HOUR) else { return edges.plus(five(fives)) };
        let edges = edges.plus(five(old)).plus(five(new));
        let Some([old, days, new]) = cut(hours, DAY) else { return edges.plus(hour(hours)) };
        edges.plus(hour(old)).plus(hour(new)).plus(day(days))
    }

    /// Events of the hour that `boundary` lies in, up to it; `None` once five minutes do not reach back.
    pub(super) fn hour_until(&self, boundary: Ts) -> Option<Events> {
        let hour = boundary.floor_to(Span::from_hours(1));
        let first = slot(hour.plus(Span::from_mins(5)), FIVE);
        let held = self.five.held().is_some_and(|(oldest, _)| first >= oldest);
        held.then(|| self.five.sum(first, slot(boundary, FIVE)))
    }

    /// Bytes held on the heap.
    pub fn heap(&self) -> usize {
        self.fine.heap() + self.five.heap() + self.hour.heap() + self.day.heap()
    }

    fn propagate(&mut self, end: Ts, delta: Events) {
        self.hour.add(slot(end, HOUR), delta);
        self.day.add(slot(end, DAY), delta);
    }
}

/// The window's real old edge: on the grid of the finest tier that reaches it, rounded outward.
pub fn edge(from: Ts, to: Ts) -> Ts {
    from.floor_to(grid(from, to))
}

/// The grid of the finest tier that reaches back to `from`; a second where every slice is kept.
pub fn grid(from: Ts, now: Ts) -> Span {
    let age = now.since(from);
    if age <= FINE_REACH {
        Span::from_secs(1)
    } else if age <= FIVE_REACH {
        Span::from_mins(5)
    } else {
        Span::from_hours(1)
    }
}

/// The slot of `unit` seconds that the moment `end` closes or lies in.
fn slot(end: Ts, unit: i64) -> i64 {
    end.0.div_euclid(unit) + i64::from(end.0.rem_euclid(unit) != 0)
}

/// A time `(from, to]`.
type Cut = (i64, i64);

/// The old edge, whole slots of `unit` seconds, the new edge; `None` where no slot lies inside.
#[inline]
fn cut((from, to): Cut, unit: i64) -> Option<[Cut; 3]> {
    let first = slot(Ts(from), unit) * unit;
    let last = to.div_euclid(unit) * unit;
    (first < last).then_some([(from, first), (first, last), (last, to)])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const STEP: i64 = 30;

    fn step() -> Step {
        Step::new(Span::from_secs(30)).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Slices in any order, told again with other values: every window is the naive sum.
        #[test]
        fn every_window_is_the_sum_of_its_slices(
            start in 0i64..200_000,
            told in prop::collection::vec((0i64..1500, -5i64..2000), 1..400),
            windows in prop::collection::vec((0i64..1500, 0i64..1500), 1..20),
        ) {
            let mut track = Track::new(step(), Span::from_days(28));
            let mut naive = BTreeMap::new();
            for (slice, value) in told {
                let end = (start + slice) * STEP;
                track.set_fine(Ts(end), Events::whole(value));
                naive.insert(end, value);
            }
            for (a, b) in windows {
                let (from, to) = ((start + a.min(b)) * STEP, (start + a.max(b)) * STEP);
                let expected: i64 = naive.iter().filter(|(end, _)| **end > from && **end <= to).map(|(_, v)| v).sum();
                prop_assert_eq!(track.sum(Ts(from), Ts(to)), Events::whole(expected));
            }
        }
    }

    #[test]
    fn a_long_window_is_whole_after_its_slices_are_gone() {
        let mut track = Track::new(step(), Span::from_days(28));
        let day = 86_400;
        for end in (STEP..=30 * day).step_by(30) {
            track.set_fine(Ts(end), Events::whole(end / STEP % 7));
        }
        let now = Ts(30 * day);
        for window in [
            Span::from_mins(5),
            Span::from_hours(6),
            Span::from_days(1),
            Span::from_days(3),
            Span::from_days(28),
        ] {
            let from = edge(now.minus(window), now);
            let expected: i64 = (from.0 / STEP + 1..=now.0 / STEP).map(|slice| slice % 7).sum();
            assert_eq!(track.sum(from, now), Events::whole(expected), "{window}");
        }
    }

    #[test]
    fn five_minutes_told_whole_replace_what_was_known_of_them() {
        let mut track = Track::new(step(), Span::from_days(28));
        track.set_fine(Ts(330), Events::whole(4));
        assert!(track.set_five(Ts(600), Events::whole(100)));
        assert!(!track.set_five(Ts(600), Events::whole(100)), "told twice is told once");
        assert_eq!(track.sum(Ts(300), Ts(600)), Events::whole(100));
        assert_eq!(track.sum(Ts(0), Ts(86_400)), Events::whole(100));
    }

    #[test]
    fn edges_round_outward_with_age() {
        let now = Ts(100 * 86_400 + 12_345 * 30);
        assert_eq!(edge(now.minus(Span::from_hours(6)), now), now.minus(Span::from_hours(6)));
        let three_days = edge(now.minus(Span::from_days(3)), now);
        assert!(three_days <= now.minus(Span::from_days(3)) && three_days.0 % 300 == 0);
        let month = edge(now.minus(Span::from_days(28)), now);
        assert!(month <= now.minus(Span::from_days(28)) && month.0 % 3600 == 0);
    }
}
