//! What of a series is known: it only grows, but for what came late, what is kept no longer, and what is
//! too many pieces.

use super::group::Group;
use super::series::Series;
use super::track::FINE_REACH;
use crate::engine::fact::{Facts, Tier, Trust};
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

impl Series {
    /// Where the slot begins.
    pub(super) fn begin(&self, tier: Tier, end: Ts) -> Ts {
        end.minus(tier.span(self.keep.key.step).max(self.keep.key.grid()))
    }

    /// Whether all of `(from, to]` is answered, not by absence, and not in doubt.
    pub(super) fn is_told(&self, from: Ts, to: Ts) -> bool {
        self.answered.overlap(from, to) == to.since(from).secs()
            && self.absent.overlap(from, to) == 0
            && !self.doubted.touches(from, to)
    }

    pub(super) fn answer(&mut self, from: Ts, end: Ts) {
        let too_many = self.answered.insert(from, end);
        self.lose(too_many);
    }

    /// A piece that is not known any more, as there were too many.
    pub(super) fn lose(&mut self, piece: Option<(Ts, Ts)>) {
        let Some((from, to)) = piece else { return };
        self.answered.cut(from, to);
        self.absent.remove(from, to);
        self.lost = Some(self.lost.map_or((from, to), |lost| (lost.0.min(from), lost.1.max(to))));
    }

    /// Five minutes of which a part is known, or was known before it was lost, may be told only where
    /// the tier still holds them, so that they replace that part; where only their hour does, they would
    /// be added to it. And five minutes known whole only where no finer slices are in charge.
    pub(super) fn may_tell(&self, from: Ts, end: Ts, known_before: bool) -> bool {
        let partly = self.answered.overlap(from, end) > self.absent.overlap(from, end);
        let newest = self.answered.last().unwrap_or(end);
        let is_new = !partly && self.lost.is_none_or(|(from, to)| end <= from || to < end);
        let replaces = is_new || self.groups.iter().all(|g| g.track.holds_five(end));
        replaces && (!known_before || newest.since(from) > FINE_REACH)
    }

    /// Whether all that is known of a slot is that samples had stopped.
    pub(super) fn is_only_stale(&self, from: Ts, end: Ts) -> bool {
        self.groups.iter().any(|group| group.stale.contains(end))
            && self.groups.iter().all(|group| group.sum(from, end) == Events::ZERO)
    }

    /// Where samples had stopped right before these facts, which go on: what stopped may have come late,
    /// so it is worth another question. Absence counts to it, as the source forgets what stopped.
    pub(super) fn came_late(&self, facts: &Facts) -> Option<(Ts, Ts)> {
        let first = facts.slots.first().filter(|_| facts.tier == Tier::Fine)?;
        let edge = first.end.minus(self.keep.key.step.span());
        let goes_on = |labels: &Labels| {
            let mut known = facts.slots.iter().flat_map(|slot| slot.state.groups());
            known.any(|fact| fact.trust == Trust::Counted && fact.group == *labels)
        };
        let stopped = |group: &Group| {
            let (mut at, mut since) = (edge, None);
            while let Some(from) = group.stale.since(at).or_else(|| self.absent.since(at)) {
                if group.stale.contains(at) {
                    since = Some(from);
                }
                at = from;
            }
            since.filter(|_| goes_on(&group.labels))
        };
        let since = self.groups.iter().filter_map(stopped).min()?;
        Some((since.max(edge.minus(FINE_REACH)), edge))
    }

    /// What was told of `(from, to]` is to be asked again; until then it is not known.
    pub(super) fn ask_again(&mut self, (from, to): (Ts, Ts)) {
        let too_many = self.answered.withdraw(from, to);
        self.lose(too_many);
        self.absent.remove(from, to);
        for group in &mut self.groups {
            group.stale.remove(from, to);
            group.partial.remove(from, to);
        }
    }

    /// Has what is older than it was kept for asked again, where it is to be kept for longer: each tier
    /// held of it what it happened to, and nothing may be added to that.
    pub(super) fn outgrow(&mut self, kept: Span, keep: Span) {
        let Some(newest) = self.answered.last().filter(|_| keep > kept) else { return };
        let upto = newest.minus(kept.max(FINE_REACH)).ceil_to(Span::from_hours(1));
        self.forget_slots(upto);
        self.groups.iter_mut().for_each(|group| group.forget(upto));
    }

    /// Forgets coverage beyond what is kept.
    pub(super) fn forget(&mut self, now: Ts) {
        let before = now.minus(self.keep.span).minus(Span::from_days(2));
        self.forget_slots(before);
        for group in &mut self.groups {
            group.stale.forget(before);
            group.partial.forget(before);
        }
    }

    fn forget_slots(&mut self, upto: Ts) {
        self.answered.forget(upto);
        self.absent.forget(upto);
        self.doubted.forget(upto);
        self.lost = self.lost.map(|(from, to)| (from.max(upto), to)).filter(|(from, to)| from < to);
    }
}
