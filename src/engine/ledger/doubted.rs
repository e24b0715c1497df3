//! Absence that was none: a source that answers with success and nothing in it, as for a wrong tenant,
//! behind a gateway that lost its stores, or before late samples came, says "absent", and what is
//! answered nobody asks again.
//!
//! Ticks ask their newest slots several times. Where one of them was absent and has samples now, the
//! source had not known: what was told as absent right before it is asked once more, four slots for
//! each that turned and at least the lookback, and so on back while more of them turn. It costs as much as
//! it finds: of a series that was merely scraped late, one question of the lookback. Where nothing can
//! turn, because the samples had stopped by the time the source spoke again, it shows when they go on.
//!
//! Of what was never born nothing turns. It is asked again as a whole when the settings of its source
//! change, see `service/changed.rs`.

use std::borrow::Cow;

use super::intervals::Intervals;
use super::series::Series;
use crate::engine::fact::{Facts, SlotFact, Tier};
use crate::slo::time::{Span, Ts};

/// Slots asked again for each that turned; the lookback at least.
const MORE: i64 = 4;
/// Slices are asked one by one a little less far back than they are kept (12h).
const REACH: Span = Span::from_mins(11 * 60 + 30);

/// Slots that were answered and are to be asked once more.
#[derive(Clone, Default, Debug)]
pub(super) struct Doubted {
    slots: Intervals,
    /// Where the absence began that they lie in. A difference may have closed it meanwhile.
    since: Option<Ts>,
    /// Where samples went on after an absence the last time that this was looked into.
    came_back: Option<Ts>,
}

impl Doubted {
    /// Notes that a slot was told; whether it was in doubt.
    pub(super) fn told(&mut self, from: Ts, end: Ts) -> bool {
        let doubted = self.slots.contains(end);
        self.slots.remove(from, end);
        doubted
    }

    /// Whether any of `(from, to]` is in doubt.
    pub(super) fn touches(&self, from: Ts, to: Ts) -> bool {
        self.slots.overlap(from, to) > 0
    }

    pub(super) fn add(&mut self, (from, to): (Ts, Ts)) {
        self.slots.insert(from, to);
    }

    /// A set without what is in doubt.
    pub(super) fn leave_out<'a>(&self, set: &'a Intervals) -> Cow<'a, Intervals> {
        if self.slots.is_empty() {
            return Cow::Borrowed(set);
        }
        let mut left = set.clone();
        for (from, to) in self.slots.within(Ts(i64::MIN), Ts(i64::MAX)) {
            left.cut(Ts(from), Ts(to));
        }
        Cow::Owned(left)
    }

    pub(super) fn forget(&mut self, before: Ts) {
        self.slots.forget(before);
    }

    pub(super) fn heap(&self) -> usize {
        self.slots.heap()
    }
}

impl Series {
    /// Forgets all that was answered.
    pub(super) fn forget_answers(&mut self) {
        (self.answered, self.absent, self.doubted) = <_>::default();
    }

    /// What was told as absent right before slots that were, too, and of which these facts know better.
    /// Of a total alone, for errors are absent all the time.
    pub(super) fn turned(&mut self, facts: &Facts) -> Option<(Ts, Ts)> {
        if facts.tier != Tier::Fine || !self.keep.follows.is_empty() {
            return None;
        }
        // Samples that have stopped by now tell as much: there were some when nothing was said to exist.
        let has_samples = |slot: &SlotFact| !slot.state.groups().is_empty();
        let was_absent = |end: Ts| self.absent.contains(end) || self.doubted.slots.contains(end);
        let turned = facts.slots.iter().filter(|slot| has_samples(slot) && was_absent(slot.end));
        let turned: Vec<Ts> = turned.map(|slot| slot.end).collect();
        let width = self.keep.key.step.span().max(self.keep.key.grid());
        // Of what comes and goes all the time, once in a lookback.
        let lately = self.doubted.came_back.map(|at| at.plus(self.keep.reach));
        let begins = facts.slots.iter().find(|slot| has_samples(slot)).map(|slot| slot.end);
        let comes_back = begins.filter(|end| Some(*end) > lately && self.comes_back(*end, width));
        self.doubted.came_back = self.doubted.came_back.max(comes_back);
        let first = turned.first().copied().or(comes_back)?;
        let count = MORE * i64::try_from(turned.len()).unwrap_or(i64::MAX / MORE / 86_400);
        let back = Span::from_secs_saturating(count.saturating_mul(width.secs())).max(self.keep.reach);
        let (to, newest) = (first.minus(width), self.answered.last()?);
        self.doubted.since = self.absent.since(first).or(self.absent.since(to)).or(self.doubted.since);
        let from = self.doubted.since?.max(to.minus(back)).max(newest.minus(REACH)).floor_to(width);
        (from < to).then_some((from, to))
    }

    /// Whether a slot is told for the first time, with samples, right after an absence: its difference may
    /// reach back to a sample of while the source had nothing to say.
    fn comes_back(&self, end: Ts, width: Span) -> bool {
        self.born.is_some() && !self.answered.contains(end) && self.absent.contains(end.minus(width))
    }
}
