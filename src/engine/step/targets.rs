//! How many targets of a workload are up, and how many there lately were.

use crate::engine::plan::AliveReading;
use crate::slo::time::{Span, Ts};

/// A reading is asked for in every tick; older than this it says nothing.
const FRESH: Span = Span::from_mins(2);
/// A target that went is missed for this long, and at most twice as long.
const MISSED_FOR: Span = Span::from_mins(15);

/// What an alive selector said lately.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Targets {
    /// The newest reading; `None` where its query failed.
    reading: Option<(Ts, AliveReading)>,
    /// Since when and until when it was read, without a longer pause.
    watched: Option<(Ts, Ts)>,
    /// The most targets known in this quarter of an hour and in the one before.
    most: [(i64, u64); 2],
}

impl Targets {
    /// Notes a reading; `None` where the query failed.
    pub(super) fn note(&mut self, at: Ts, reading: Option<AliveReading>) {
        self.reading = reading.map(|reading| (at, reading));
        let Some(reading) = reading else { return };
        let since =
            self.watched.filter(|(_, until)| at.since(*until) < MISSED_FOR).map_or(at, |(since, _)| since);
        self.watched = Some((since.min(at), at));
        let quarter = at.0.div_euclid(MISSED_FOR.secs());
        let [newest, _] = &mut self.most;
        if newest.0 == quarter {
            newest.1 = newest.1.max(reading.known);
        } else {
            self.most = [(quarter, reading.known), *newest];
        }
    }

    /// What is known of a moment: a reading says nothing of the time before it.
    pub fn at(&self, at: Ts) -> Option<AliveReading> {
        self.reading.filter(|(seen, _)| *seen <= at && at.since(*seen) <= FRESH).map(|(_, reading)| reading)
    }

    /// `at`, or, where it was read only later, when that was, for whoever judges a moment that is past at
    /// its source because another source is late by design.
    pub fn read_by(&self, at: Ts) -> Ts {
        let later = self.reading.map(|(seen, _)| seen).filter(|seen| seen.since(at) <= MISSED_FOR);
        later.map_or(at, |seen| seen.max(at))
    }

    /// Whether fewer than half of the targets that were up at some time before are up at `at`, or
    /// it is not known.
    ///
    /// Sick pods fail their own scrapes and take their errors with them, but their targets stay
    /// known. A workload that was made smaller has fewer targets: those that went are missed for a
    /// while only, because pods that crash go and come back.
    pub fn half_gone(&self, before: u64, at: Ts) -> bool {
        let Some(now) = self.at(at) else { return true };
        let watched = self.watched.is_some_and(|(since, _)| at.since(since) >= MISSED_FOR);
        let needed = if watched { before.min(self.lately(at)) } else { before };
        now.up.saturating_mul(2) < needed
    }

    /// Whether fewer than half of the targets that there lately were are up, or it is not known: for
    /// whoever acts on what the others say, whether something burned before or not. A workload of
    /// which no target is known at all, because nobody scrapes it, misses none.
    pub fn half_missing(&self, at: Ts) -> bool {
        self.at(at).is_none_or(|now| now.up.saturating_mul(2) < self.lately(at))
    }

    fn lately(&self, at: Ts) -> u64 {
        let quarter = at.0.div_euclid(MISSED_FOR.secs());
        self.most.iter().filter(|(q, _)| *q >= quarter - 1).map(|(_, known)| *known).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readings `(up, known)` in every half minute of so many minutes, from the epoch on.
    fn seen(readings: &[(i64, u64, u64)]) -> (Targets, Ts) {
        let mut targets = Targets::default();
        let mut now = Ts(0);
        for (minutes, up, known) in readings {
            for _ in 0..minutes * 2 {
                now = now.plus(Span::from_secs(30));
                targets.note(now, Some(AliveReading { up: *up, known: *known }));
            }
        }
        (targets, now)
    }

    #[test]
    fn targets_that_fail_their_scrapes_are_missed_for_as_long_as_they_are_known() {
        let (targets, now) = seen(&[(60, 20, 20), (600, 8, 20)]);
        assert!(targets.half_gone(20, now));
        let (targets, now) = seen(&[(60, 20, 20), (600, 10, 20)]);
        assert!(!targets.half_gone(20, now));
    }

    #[test]
    fn a_workload_made_smaller_is_itself_again_after_a_while() {
        let (targets, now) = seen(&[(60, 20, 20), (14, 8, 8)]);
        assert!(targets.half_gone(20, now), "pods that crash go and come back");
        let (targets, now) = seen(&[(60, 20, 20), (31, 8, 8)]);
        assert!(!targets.half_gone(20, now));
        let (targets, now) = seen(&[(60, 20, 20), (31, 3, 8)]);
        assert!(targets.half_gone(20, now), "half of those that are left");
    }

    #[test]
    fn half_of_what_there_lately_was_is_missed_until_it_is_forgotten() {
        let (targets, now) = seen(&[(60, 20, 20), (600, 9, 20)]);
        assert!(targets.half_missing(now), "known and down");
        let (targets, now) = seen(&[(60, 20, 20), (14, 9, 9)]);
        assert!(targets.half_missing(now), "gone");
        let (targets, now) = seen(&[(60, 20, 20), (31, 9, 9)]);
        assert!(!targets.half_missing(now), "made smaller");
        let (targets, now) = seen(&[(60, 20, 20), (1, 10, 20)]);
        assert!(!targets.half_missing(now));
        assert!(!seen(&[(60, 0, 0)]).0.half_missing(now), "nobody scrapes it");
        assert!(Targets::default().half_missing(now), "not asked");
    }

    #[test]
    fn whoever_has_not_watched_long_enough_believes_what_was_seen_before() {
        let (targets, now) = seen(&[(10, 8, 8)]);
        assert!(targets.half_gone(20, now));
        let (targets, now) = seen(&[(16, 8, 8)]);
        assert!(!targets.half_gone(20, now));
        let (mut targets, now) = seen(&[(60, 20, 20)]);
        let later = now.plus(Span::from_hours(1));
        targets.note(later, Some(AliveReading { up: 8, known: 8 }));
        assert!(targets.half_gone(20, later), "an hour in which nothing was read");
    }

    #[test]
    fn a_reading_says_nothing_of_the_time_before_it_nor_long_after_it() {
        let (mut targets, now) = seen(&[(60, 20, 20)]);
        assert_eq!(targets.at(now), Some(AliveReading { up: 20, known: 20 }));
        assert_eq!(targets.at(now.minus(Span::from_secs(30))), None);
        assert_eq!(targets.at(now.plus(Span::from_mins(3))), None);
        targets.note(now, None);
        assert!(targets.half_gone(1, now), "not knowing the targets holds");
    }
}
