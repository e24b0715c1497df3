//! Questions with a number, and the grid of slots they are about.

use super::TOLD_ANEW;
use crate::engine::fact::Tier;
use crate::engine::plan::QueryGroup;
use crate::engine::sample::Query;
use crate::slo::time::{Span, Step, Ts};

/// Slots of one range query at most; counters are asked one point more.
pub(super) const POINTS: i64 = 1000;

/// Tells the answers of one [`super::Collect`] apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AskId(pub u32);

/// A question for a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Comes back with the answer.
    pub id: AskId,
    /// What is asked.
    pub query: Query,
}

/// The slots being filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grid {
    /// Their tier.
    pub tier: Tier,
    /// Their length.
    pub slot: Span,
    /// End of the first.
    pub first: Ts,
    /// End of the last; before `first` when there is none.
    pub last: Ts,
    /// What was told of slots that end by then holds.
    pub holds: Ts,
}

impl Grid {
    /// The slots that end after `from` and not after `to`, to be told anew. Those before them are asked
    /// only because a returning series spreads into them.
    pub(super) fn new(tier: Tier, step: Step, from: Ts, to: Ts) -> Self {
        let slot = tier.span(step);
        let (before, last) = (from.floor_to(slot), to.floor_to(slot));
        let anew = i64::try_from(TOLD_ANEW).unwrap_or(i64::MAX).saturating_mul(slot.secs());
        let holds = before.max(last.minus(Span::from_secs_saturating(anew)));
        Self { tier, slot, first: before.plus(slot), last, holds }
    }

    /// The same, to be told only where nothing is known of them.
    pub(super) fn of_gaps(tier: Tier, step: Step, from: Ts, to: Ts) -> Self {
        let grid = Self::new(tier, step, from, to);
        Self { holds: grid.last, ..grid }
    }

    /// All slot ends.
    pub(super) fn ends(&self) -> impl Iterator<Item = Ts> + use<> {
        ends(self.first, self.last, self.slot)
    }
}

/// Every `every` from `first` to `last`.
pub(super) fn ends(first: Ts, last: Ts, every: Span) -> impl Iterator<Item = Ts> {
    let mut next = first;
    std::iter::from_fn(move || {
        let now = (next <= last && !every.is_zero()).then_some(next)?;
        next = next.plus(every);
        Some(now)
    })
}

/// A range cut into pieces of at most [`POINTS`] points.
pub(super) fn pieces(first: Ts, last: Ts, every: Span) -> Vec<(Ts, Ts)> {
    let length = Span::from_secs_saturating(every.secs() * (POINTS - 1));
    let stride = Span::from_secs_saturating(every.secs() * POINTS);
    ends(first, last, stride).map(|start| (start, start.plus(length).min(last))).collect()
}

/// A question of a group over a range of points.
pub(super) fn query(group: &QueryGroup, promql: String, (start, end): (Ts, Ts), every: Span) -> Query {
    Query { source: group.source.clone(), promql, start, end, every }
}
