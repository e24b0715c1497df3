//! A set of moments as disjoint, sorted, half-open intervals `(from, to]` in seconds.
//!
//! Coverage is kept this way because it is nearly always one interval: what is rare (gaps,
//! absence, staleness) costs memory only where it happens.

use serde::{Deserialize, Serialize};

use crate::slo::time::Ts;

/// Intervals kept at most. What is claimed shrinks beyond it, what is doubted grows.
const MOST: usize = 4096;

/// Disjoint, sorted intervals `(from, to]`; neighbours that touch are one.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Intervals(Vec<(i64, i64)>);

impl Intervals {
    /// A set of pieces that are sorted and do not touch.
    pub fn of_sorted(pieces: Vec<(i64, i64)>) -> Self {
        Self(pieces)
    }

    /// Whether it is a set that we would have written: disjoint, sorted, of moments that can be, bounded, with
    /// what is cut out of it.
    pub(super) fn is_sane(&self) -> bool {
        let apart = self.0.iter().zip(self.0.iter().skip(1)).all(|(a, b)| a.1 < b.0);
        let real = |(from, to): &(i64, i64)| from < to && Ts(*from).is_real() && Ts(*to).is_real();
        self.0.len() <= 2 * MOST && apart && self.0.iter().all(real)
    }

    /// Adds `(from, to]`, a claim: beyond the bound the shortest piece is forgotten, the oldest of these
    /// but not the newest of all. Gives what is forgotten.
    pub fn insert(&mut self, from: Ts, to: Ts) -> Option<(Ts, Ts)> {
        self.put(from.0, to.0);
        self.bound()
    }

    /// Takes `(from, to]` out of a claim, which may make two pieces of one: bounded like [`Self::insert`].
    pub fn withdraw(&mut self, from: Ts, to: Ts) -> Option<(Ts, Ts)> {
        self.cut(from, to);
        self.bound()
    }

    fn bound(&mut self) -> Option<(Ts, Ts)> {
        let old = self.0.get(..self.0.len().saturating_sub(1)).filter(|_| self.0.len() > MOST)?;
        let (shortest, _) = old.iter().enumerate().min_by_key(|(_, (from, to))| to - from)?;
        let (from, to) = self.0.remove(shortest);
        Some((Ts(from), Ts(to)))
    }

    /// Adds `(from, to]`, a doubt: beyond the bound what lies between the two pieces that are closest to
    /// each other is doubted, too.
    pub fn doubt(&mut self, from: Ts, to: Ts) {
        self.put(from.0, to.0);
        if self.0.len() <= MOST {
            return;
        }
        let holes = self.0.iter().zip(self.0.iter().skip(1)).map(|(a, b)| b.0 - a.1).enumerate();
        let Some((left, _)) = holes.min_by_key(|(_, hole)| *hole) else { return };
        let (_, end) = self.0.remove(left + 1);
        if let Some(piece) = self.0.get_mut(left) {
            piece.1 = end;
        }
    }

    fn put(&mut self, mut from: i64, mut to: i64) {
        if from >= to {
            return;
        }
        match self.0.last_mut() {
            None => return self.0.push((from, to)),
            Some(last) if from >= last.0 && from <= last.1 => {
                last.1 = last.1.max(to);
                return;
            }
            Some(_) => {}
        }
        let first = self.0.partition_point(|i| i.1 < from);
        let end = self.0.partition_point(|i| i.0 <= to);
        if let (Some(a), Some(b)) = (self.0.get(first), self.0.get(end.saturating_sub(1)))
            && first < end
        {
            from = from.min(a.0);
            to = to.max(b.1);
        }
        self.0.splice(first..end, [(from, to)]);
    }

    /// Takes `(from, to]` out of a doubt, but not where that would leave more pieces than the bound.
    pub fn remove(&mut self, from: Ts, to: Ts) {
        let splits = || self.0.iter().any(|piece| piece.0 < from.0 && to.0 < piece.1);
        if self.0.len() < MOST || !splits() {
            self.cut(from, to);
        }
    }

    /// Takes `(from, to]` out, however many pieces that leaves.
    pub fn cut(&mut self, from: Ts, to: Ts) {
        let (from, to) = (from.0, to.0);
        if from >= to || self.0.last().is_none_or(|last| last.1 <= from) {
            return;
        }
        let first = self.0.partition_point(|i| i.1 <= from);
        let end = self.0.partition_point(|i| i.0 < to);
        if first >= end {
            return;
        }
        let left = self.0.get(first).filter(|i| i.0 < from).map(|i| (i.0, from));
        let right = self.0.get(end - 1).filter(|i| i.1 > to).map(|i| (to, i.1));
        self.0.splice(first..end, left.into_iter().chain(right));
    }

    /// Forgets everything at or before `before`.
    pub fn forget(&mut self, before: Ts) {
        if self.0.first().is_some_and(|i| i.0 < before.0) {
            self.remove(Ts(i64::MIN), before);
        }
    }

    /// Whether the slot that ends at `at` is in the set.
    pub fn contains(&self, at: Ts) -> bool {
        self.since(at).is_some()
    }

    /// Where the interval begins that the slot that ends at `at` is in.
    pub fn since(&self, at: Ts) -> Option<Ts> {
        let interval = self.0.get(self.0.partition_point(|i| i.1 < at.0))?;
        (interval.0 < at.0).then_some(Ts(interval.0))
    }

    /// Seconds of `(from, to]` in the set.
    pub fn overlap(&self, from: Ts, to: Ts) -> i64 {
        self.within(from, to).map(|(a, b)| b - a).sum()
    }

    /// Seconds of `(from, to]` in both sets.
    pub fn overlap_both(&self, other: &Self, from: Ts, to: Ts) -> i64 {
        self.within(from, to).map(|(a, b)| other.overlap(Ts(a), Ts(b))).sum()
    }

    /// What of `(from, to]` is in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self, from: Ts, to: Ts) -> Self {
        Self(self.within(from, to).flat_map(|(a, b)| other.within(Ts(a), Ts(b))).collect())
    }

    /// The pieces of `(from, to]` in the set, oldest first.
    pub fn within(&self, from: Ts, to: Ts) -> impl Iterator<Item = (i64, i64)> {
        let first = self.0.partition_point(|i| i.1 <= from.0);
        self.0
            .iter()
            .skip(first)
            .take_while(move |i| i.0 < to.0)
            .map(move |i| (i.0.max(from.0), i.1.min(to.0)))
    }

    /// What of `(from, to]` is not in the set.
    #[must_use]
    pub fn outside(&self, from: Ts, to: Ts) -> Self {
        let mut outside = Self::default();
        let mut known_to = from.0;
        for (a, b) in self.within(from, to).chain([(to.0, to.0)]) {
            outside.insert(Ts(known_to), Ts(a));
            known_to = b;
        }
        outside
    }

    /// Where the set begins.
    pub fn first(&self) -> Option<Ts> {
        self.0.first().map(|i| Ts(i.0))
    }

    /// The newest interval.
    pub fn newest(&self) -> Option<(Ts, Ts)> {
        self.0.last().map(|i| (Ts(i.0), Ts(i.1)))
    }

    /// Where the set ends.
    pub fn last(&self) -> Option<Ts> {
        self.0.last().map(|i| Ts(i.1))
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes held on the heap.
    pub fn heap(&self) -> usize {
        self.0.capacity() * size_of::<(i64, i64)>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::slo::time::Span;

    proptest! {
        #[test]
        fn it_is_a_set_of_seconds(ops in prop::collection::vec((any::<bool>(), 0i64..60, 0i64..12), 1..60), probe in (0i64..60, 0i64..60)) {
            let mut set = Intervals::default();
            let mut naive = BTreeSet::new();
            for (insert, from, len) in ops {
                if insert {
                    set.insert(Ts(from), Ts(from + len));
                    naive.extend(from + 1..=from + len);
                } else {
                    set.remove(Ts(from), Ts(from + len));
                    naive.retain(|s| *s <= from || *s > from + len);
                }
            }
            let (a, b) = (probe.0.min(probe.1), probe.0.max(probe.1));
            let inside = naive.iter().filter(|s| **s > a && **s <= b).count();
            prop_assert_eq!(set.overlap(Ts(a), Ts(b)), i64::try_from(inside).unwrap());
            for s in 0..72 {
                prop_assert_eq!(set.contains(Ts(s)), naive.contains(&s));
            }
            prop_assert!(set.0.windows(2).all(|w| w[0].1 < w[1].0), "disjoint and not touching: {:?}", set);
            prop_assert!(set.0.iter().all(|i| i.0 < i.1));
        }
    }

    #[test]
    fn what_is_outside_is_everything_else() {
        let mut set = Intervals::default();
        assert_eq!(set.outside(Ts(0), Ts(100)).0, [(0, 100)]);
        set.insert(Ts(20), Ts(50));
        set.insert(Ts(55), Ts(100));
        assert_eq!(set.outside(Ts(0), Ts(120)).0, [(0, 20), (50, 55), (100, 120)]);
        assert_eq!(set.outside(Ts(30), Ts(53)).0, [(50, 53)]);
        assert_eq!(set.outside(Ts(60), Ts(100)).0, []);
    }

    /// As many pieces as may be: slots of 5 s, with holes of 5 s between.
    fn full() -> Intervals {
        let mut set = Intervals::default();
        for i in 0..i64::try_from(MOST).unwrap() {
            assert_eq!(set.insert(Ts(i * 10), Ts(i * 10 + 5)), None);
        }
        set
    }

    #[test]
    fn beyond_the_bound_the_shortest_claim_is_forgotten_but_not_the_newest() {
        let (mut set, end) = (full(), i64::try_from(MOST).unwrap() * 10);
        assert_eq!(set.insert(Ts(-1000), Ts(-900)), Some((Ts(0), Ts(5))), "the oldest of the shortest");
        assert_eq!(set.insert(Ts(end), Ts(end + 1)), Some((Ts(10), Ts(15))));
        assert!(set.contains(Ts(-900)) && set.contains(Ts(end + 1)));
        assert_eq!(set.0.len(), MOST);
    }

    #[test]
    fn beyond_the_bound_more_is_doubted() {
        let (mut set, end) = (full(), i64::try_from(MOST).unwrap() * 10);
        set.doubt(Ts(end), Ts(end + 5));
        assert_eq!(set.0.len(), MOST);
        assert!((0..=end).step_by(10).all(|from| set.contains(Ts(from + 5))), "nothing is doubted less");
        assert_eq!(set.overlap(Ts(0), Ts(end + 5)), end / 2 + 10);
    }

    #[test]
    fn a_removal_that_would_leave_too_many_pieces_is_left_out() {
        let mut set = full();
        let newest = set.last().unwrap();
        set.insert(newest, newest.plus(Span::from_secs(30)));
        set.remove(newest.plus(Span::from_secs(5)), newest.plus(Span::from_secs(10)));
        assert!(set.is_sane());
        set.remove(Ts(0), Ts(5));
        assert!(!set.contains(Ts(5)), "what makes no more of them is taken out");
    }
}
