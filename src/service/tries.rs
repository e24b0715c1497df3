//! What is remembered of queries for history: when each may be asked again, and which slots were
//! asked in vain.

use std::time::Duration;

use tokio::time::Instant;

use crate::engine::ledger::Intervals;
use crate::slo::time::Ts;

/// A slot asked so often, each time answered and never known, is lost.
const MOST_TRIES: usize = 5;
/// The wait after a failed query, doubling up to the longest.
const FAILED: Duration = Duration::from_secs(5);
const FAILED_MOST: Duration = Duration::from_secs(600);
/// The wait after slots were asked in vain, doubling up to the longest.
const VAIN: Duration = Duration::from_secs(60);
const VAIN_MOST: Duration = Duration::from_secs(1800);
/// A query that fails asks for this much less, by powers of two.
const MOST_HALVINGS: u32 = 4;

/// What became of one query so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tries {
    failures: u32,
    fruitless: u32,
    /// When it may be asked again after a failure, and the slots asked in vain.
    after: Option<Instant>,
    retry: Option<Instant>,
    /// When it was last asked: those asked longest ago go first.
    asked: Option<Instant>,
    /// By how often, less one: what was asked so often in vain.
    vain: [Intervals; MOST_TRIES],
}

impl Tries {
    /// Whether it may be asked now.
    pub(super) fn may(&self, now: Instant) -> bool {
        self.after.is_none_or(|after| after <= now)
    }

    /// When it was last asked.
    pub(super) fn asked(&self) -> Option<Instant> {
        self.asked
    }

    /// What is not asked any more.
    pub(super) fn lost(&self) -> &Intervals {
        let [.., lost] = &self.vain;
        lost
    }

    /// What is not to be asked now: all that was asked in vain while that rests, later only what is lost.
    pub(super) fn resting(&self, now: Instant) -> &Intervals {
        let [first, ..] = &self.vain;
        if self.retry.is_some_and(|retry| retry > now) { first } else { self.lost() }
    }

    /// It was asked, and whatever became of that says nothing about the question itself.
    pub(super) fn passed(&mut self, now: Instant) {
        self.asked = Some(now);
    }

    /// How many times in a row it had no answer.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// How many points to ask for: fewer after failures, which may be about too much at once.
    pub(super) fn points(&self, most: i64) -> i64 {
        (most >> self.failures.min(MOST_HALVINGS)).max(1)
    }

    /// The query had no answer.
    pub(super) fn failed(&mut self, now: Instant) {
        self.asked = Some(now);
        self.after = Some(now + longer(FAILED, self.failures, FAILED_MOST));
        self.failures = self.failures.saturating_add(1);
    }

    /// The query was answered, and `left` of what it asked is still not known. Gives back the
    /// seconds that are lost by now.
    pub(super) fn answered(&mut self, now: Instant, left: &Intervals) -> i64 {
        (self.asked, self.after, self.failures) = (Some(now), None, 0);
        if left.is_empty() {
            self.fruitless = 0;
            return 0;
        }
        self.retry = Some(now + longer(VAIN, self.fruitless, VAIN_MOST));
        self.fruitless = self.fruitless.saturating_add(1);
        let before = seconds(self.lost());
        for nth in (1..MOST_TRIES).rev() {
            let (before, from) = self.vain.split_at_mut(nth);
            if let (Some(before), Some(now)) = (before.last(), from.first_mut()) {
                add(now, &before.intersection(left, Ts(i64::MIN), Ts(i64::MAX)));
            }
        }
        if let Some(first) = self.vain.first_mut() {
            add(first, left);
        }
        seconds(self.lost()) - before
    }
}

fn seconds(set: &Intervals) -> i64 {
    set.overlap(Ts(i64::MIN), Ts(i64::MAX))
}

fn add(set: &mut Intervals, other: &Intervals) {
    for (from, to) in other.within(Ts(i64::MIN), Ts(i64::MAX)) {
        set.insert(Ts(from), Ts(to));
    }
}

fn longer(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(from: i64, to: i64) -> Intervals {
        let mut set = Intervals::default();
        set.insert(Ts(from), Ts(to));
        set
    }

    #[tokio::test]
    async fn a_failing_query_waits_longer_each_time_and_asks_for_less() {
        let mut now = Instant::now();
        let mut tries = Tries::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            tries.failed(now);
            assert!(!tries.may(now));
            let until = tries.after.unwrap();
            waits.push((until - now).as_secs());
            now = until;
            assert!(tries.may(now));
        }
        assert_eq!(waits[..4], [5, 10, 20, 40]);
        assert_eq!(waits[11], 600);
        assert_eq!(tries.points(500), 31);
        assert_eq!(tries.answered(now, &Intervals::default()), 0);
        assert_eq!(tries.points(500), 500);
    }

    #[tokio::test]
    async fn what_is_asked_in_vain_rests_is_tried_again_and_is_lost_in_the_end() {
        let mut now = Instant::now();
        let mut tries = Tries::default();
        let vain = set(100, 130);
        for nth in 1..MOST_TRIES {
            assert_eq!(tries.answered(now, &vain), 0);
            assert_eq!(*tries.resting(now), vain, "it rests");
            now = tries.retry.unwrap();
            assert!(tries.resting(now).is_empty(), "it is tried again, for the time {nth}");
        }
        assert_eq!(tries.answered(now, &vain), 30);
        now += VAIN_MOST * 2;
        assert_eq!(*tries.resting(now), vain, "it is lost");
        // Another slot has all its tries before it.
        assert_eq!(tries.answered(now, &set(200, 230)), 0);
        now += VAIN_MOST * 2;
        assert_eq!(*tries.resting(now), vain);
    }
}
