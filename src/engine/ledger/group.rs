//! One group of a series: its events, what is not whole about them, and what was ruled about its births.

use super::intervals::Intervals;
use super::track::{Track, edge};
use crate::engine::collect::{Ruling, TOLD_ANEW};
use crate::engine::fact::{GroupFact, Tier, Trust};
use crate::slo::model::Labels;
use crate::slo::time::{Span, Step, Ts};
use crate::slo::unit::Events;

/// Beginnings of calendar periods remembered at most: weeks, months and quarters in some time zones.
pub(super) const MOST_CUTS: usize = 8;
/// One group of a series.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its label values; empty in a series without grouping.
    pub labels: Labels,
    pub(super) track: Track,
    /// Slots without a young sample that no later difference has reached back over yet.
    pub(super) stale: Intervals,
    /// Slots a part of which was withheld without proof.
    pub(super) partial: Intervals,
    /// What was withheld from slots that may be asked again.
    pub(super) rulings: Vec<Ruled>,
    /// Where the oldest slot with events begins.
    pub(super) first: Option<Ts>,
    /// Newest slot counted with a young sample.
    pub(super) counted: Ts,
    /// Newest slot the group was in an answer.
    pub(super) seen: Ts,
    /// Events of the hour in which a calendar period begins, up to its beginning: hours are kept
    /// longer than what would tell the two parts apart, and time zones do not fall on hours. One
    /// for each period that is counted here, the one noted longest ago first.
    pub(super) cuts: Vec<(Ts, Events)>,
    /// The largest slice of this day and of the one before.
    pub(super) largest: [(i64, Events); 2],
}

/// What was ruled about one slot that may be asked again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Ruled {
    pub tier: Tier,
    pub end: Ts,
    pub ruling: Ruling,
}

impl Group {
    pub(super) fn new(labels: Labels, step: Step, keep: Span) -> Self {
        Self {
            labels,
            track: Track::new(step, keep),
            stale: Intervals::default(),
            partial: Intervals::default(),
            rulings: Vec::new(),
            first: None,
            counted: Ts(i64::MIN),
            seen: Ts(i64::MIN),
            cuts: Vec::new(),
            largest: [(i64::MIN, Events::ZERO); 2],
        }
    }

    /// Books one fact of a slot that was `told` of before, in whole, or not; says whether anything changed.
    pub(super) fn book(
        &mut self,
        tier: Tier,
        (from, end): (Ts, Ts),
        fact: &GroupFact,
        step: Step,
        reach: Span,
        told: bool,
    ) -> bool {
        let open = fact.trust == Trust::Open;
        if open && told && self.is_whole(end) {
            return false;
        }
        let booked = fact.raw.minus(fact.withheld);
        let booked = if open { booked.max(self.track.sum(from, end)) } else { booked };
        let changed = match tier {
            Tier::Fine => self.track.set_fine(end, booked),
            Tier::FiveMinutes => {
                self.cut_old(end, booked);
                self.track.set_five(end, booked)
            }
        };
        self.seen = self.seen.max(end);
        if booked != Events::ZERO && self.first.is_none_or(|first| from < first) {
            self.first = Some(from);
        }
        // Of groups that are counted together some may have been ruled on.
        if !open || fact.withheld != Events::ZERO {
            let trust = if open { Trust::Partial } else { fact.trust };
            self.rule(tier, end, Ruling { withheld: fact.withheld, trust });
        }
        self.note_largest(end, booked, tier.span(step).secs() / step.secs());
        let before = (self.stale.contains(end), self.partial.contains(end));
        match fact.trust {
            Trust::Counted | Trust::Estimated => {
                self.partial.remove(from, end);
                // The difference reaches back over every slot without a sample inside the lookback.
                self.stale.remove(end.minus(reach).min(from), end);
                self.counted = self.counted.max(end);
            }
            // What holds was resolved before.
            Trust::Partial | Trust::Open | Trust::Held => self.partial.doubt(from, end),
            Trust::Stale => {
                let bridged = self.counted > end && self.counted.since(end) <= reach;
                if !bridged {
                    self.stale.doubt(from, end);
                }
            }
        }
        changed || before != (self.stale.contains(end), self.partial.contains(end))
    }

    /// Forgets everything up to the end of an hour.
    pub(super) fn forget(&mut self, upto: Ts) {
        self.track.forget(upto);
        self.stale.forget(upto);
        self.partial.forget(upto);
        self.rulings.retain(|ruled| ruled.end > upto);
        self.cuts.iter_mut().filter(|(at, _)| *at <= upto).for_each(|(_, before)| *before = Events::ZERO);
        self.first = self.track.first();
    }

    /// Events in `(from, to]`; the old edge as [`edge`](super::edge) gives it.
    pub fn sum(&self, from: Ts, to: Ts) -> Events {
        self.track.sum(from, to)
    }

    /// Events since a calendar period began, and from when they are really counted.
    pub fn since(&self, start: Ts, to: Ts) -> (Ts, Events) {
        let from = edge(start, to);
        let sum = self.track.sum(from, to);
        match self.hour_until(start) {
            _ if from == start => (start, sum),
            // Rounded outward to five minutes only: a beginning lies on them.
            _ if from.0 % 3600 != 0 => (from, sum),
            Some(before) => (start, sum.minus(before)),
            None => (from, sum),
        }
    }

    /// Remembers the part of the hour before a period's beginning, while it can be told; later
    /// what was told then stays. Periods nobody notes any more make room.
    pub(super) fn note_cut(&mut self, boundary: Ts) {
        let Some(before) = self.hour_until(boundary) else { return };
        self.put_cut(boundary, before);
    }

    /// Begins to add up what is told of the hour before a period's beginning.
    pub(super) fn put_cut(&mut self, boundary: Ts, before: Events) {
        self.cuts.retain(|(at, _)| *at != boundary);
        self.cuts.push((boundary, before));
        if self.cuts.len() > MOST_CUTS {
            self.cuts.remove(0);
        }
    }

    /// Events of the hour that a calendar period begins in, up to its beginning, while that can be told.
    pub(super) fn hour_until(&self, boundary: Ts) -> Option<Events> {
        let noted = || self.cuts.iter().find(|(at, _)| *at == boundary).map(|(_, before)| *before);
        self.track.hour_until(boundary).or_else(noted)
    }

    /// The beginnings of calendar periods that cut an hour in two.
    pub(super) fn begins_inside_hours(&self) -> impl Iterator<Item = Ts> {
        let hour = Span::from_hours(1);
        self.cuts.iter().map(|(at, _)| *at).filter(move |at| at.floor_to(hour) != *at)
    }

    /// Seconds of `(from, to]` that are answered but not whole: stale or partial.
    pub fn unsure(&self, from: Ts, to: Ts) -> i64 {
        if self.stale.is_empty() && self.partial.is_empty() {
            return 0;
        }
        let both = self.stale.overlap_both(&self.partial, from, to);
        self.stale.overlap(from, to) + self.partial.overlap(from, to) - both
    }

    /// The end of the newest slot that is answered but not whole: stale or partial.
    pub fn unsure_until(&self) -> Option<Ts> {
        self.stale.last().max(self.partial.last())
    }

    /// Where `(from, to]` is answered but not whole: stale or partial.
    pub fn unsure_pieces(&self, from: Ts, to: Ts) -> Intervals {
        let mut unsure = self.stale.intersection(&self.stale, from, to);
        for (a, b) in self.partial.within(from, to) {
            unsure.doubt(Ts(a), Ts(b));
        }
        unsure
    }

    /// Where the oldest slot with events begins.
    pub fn first(&self) -> Option<Ts> {
        self.first
    }

    /// Slots without a young sample that no later difference has reached back over yet.
    pub fn stale(&self) -> &Intervals {
        &self.stale
    }

    /// Whether a slot that was told of may have held the group, and nothing about it is in doubt.
    fn is_whole(&self, end: Ts) -> bool {
        end <= self.seen && !self.stale.contains(end) && !self.partial.contains(end)
    }

    /// Whether the slot that ends at `end` has no young sample.
    pub fn is_stale(&self, end: Ts) -> bool {
        self.stale.contains(end)
    }

    /// Whether a part of the slot that ends at `end` was withheld without proof.
    pub fn is_partial(&self, end: Ts) -> bool {
        self.partial.contains(end)
    }

    /// Seconds of `(from, to]` in slots a part of which was withheld without proof.
    pub fn partial(&self, from: Ts, to: Ts) -> i64 {
        self.partial.overlap(from, to)
    }

    /// The largest slice of the last one to two days.
    pub fn largest(&self, at: Ts) -> Events {
        let day = at.0.div_euclid(86_400);
        self.largest
            .iter()
            .filter(|(d, _)| *d >= day - 1 && *d <= day)
            .map(|(_, e)| *e)
            .max()
            .unwrap_or_default()
    }

    /// What was ruled about a slot before.
    pub fn ruling(&self, tier: Tier, end: Ts) -> Option<Ruling> {
        self.rulings.iter().find(|r| r.tier == tier && r.end == end).map(|r| r.ruling)
    }

    /// Whether what was ruled about a slot may be forgotten: rulings are remembered up to a bound.
    pub fn may_have_forgotten(&self, end: Ts) -> bool {
        self.rulings.len() >= TOLD_ANEW && self.rulings.iter().all(|ruled| ruled.end > end)
    }

    /// Bytes held on the heap.
    pub fn heap(&self) -> usize {
        self.track.heap()
            + self.stale.heap()
            + self.partial.heap()
            + self.rulings.capacity() * size_of::<Ruled>()
            + self.cuts.capacity() * size_of::<(Ts, Events)>()
            + self.labels.iter().map(|(k, v)| k.len() + v.len() + 64).sum::<usize>()
    }

    /// Backfilled five minutes that only their hour will keep: those before a period's beginning
    /// are remembered apart. They are told once.
    fn cut_old(&mut self, end: Ts, booked: Events) {
        if self.track.holds_five(end) {
            return;
        }
        for (boundary, before) in &mut self.cuts {
            if end <= *boundary && end > boundary.floor_to(Span::from_hours(1)) {
                *before = before.plus(booked);
            }
        }
    }

    fn rule(&mut self, tier: Tier, end: Ts, ruling: Ruling) {
        self.rulings.retain(|r| r.tier != tier || r.end != end);
        if ruling.withheld == Events::ZERO && ruling.trust != Trust::Partial {
            return;
        }
        let place = self.rulings.partition_point(|ruled| (ruled.end, ruled.tier) < (end, tier));
        self.rulings.insert(place, Ruled { tier, end, ruling });
        if self.rulings.len() > TOLD_ANEW {
            self.rulings.remove(0);
        }
    }

    fn note_largest(&mut self, end: Ts, booked: Events, slices: i64) {
        let day = end.0.div_euclid(86_400);
        let slice = booked.scaled(1, slices.max(1));
        if let Some(entry) = self.largest.iter_mut().find(|(d, _)| *d == day) {
            entry.1 = entry.1.max(slice);
        } else if let Some(oldest) = self.largest.iter_mut().min_by_key(|(d, _)| *d)
            && oldest.0 < day
        {
            *oldest = (day, slice);
        }
    }
}
