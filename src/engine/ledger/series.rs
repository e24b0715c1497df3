//! One series of slices: which of them are known, and its groups.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::doubted::Doubted;
use super::group::{Group, MOST_CUTS};
use super::intervals::Intervals;
use super::other::{fold, is_other};
use super::track::FINE_REACH;
use crate::engine::fact::{GroupFact, SeriesIx, SeriesKey, SlotFact, SlotState, Tier};
use crate::slo::model::{Labels, Overflow};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// What the plan wants kept of a series.
#[derive(Clone, PartialEq, Debug)]
pub struct Keep {
    /// Identity.
    pub key: SeriesKey,
    /// The longest window or period asked of it.
    pub span: Span,
    /// How far back a difference reaches: the query's lookback.
    pub reach: Span,
    /// Groups kept apart at most.
    pub limit: usize,
    /// What becomes of the groups beyond the limit.
    pub overflow: Overflow,
    /// Series that decide which groups are kept apart: the totals of its SLOs, for a group that is
    /// apart in the one and not in the other is read wrong. It decides alone where this is empty.
    pub follows: Vec<SeriesIx>,
    /// Of a total, the other series of its SLOs: where its samples came late, theirs did.
    pub beside: Vec<SeriesIx>,
    /// Where the present calendar periods of its SLOs began.
    pub cuts: Vec<Ts>,
}

/// Groups of one series at most, so that its image is never refused: what one that follows may keep
/// at the largest limit of a definition, 10,000. Twice that by itself, as many decided by its total,
/// and one for all others.
pub(super) const MOST_GROUPS: usize = 3 * 10_000 + 1;

/// One series of slices.
#[derive(Clone, Debug)]
pub struct Series {
    id: u64,
    pub(super) keep: Keep,
    /// Slots the source answered in whole, absence included.
    pub(super) answered: Intervals,
    /// Slots in which no group existed.
    pub(super) absent: Intervals,
    pub(super) groups: Vec<Group>,
    pub(super) by_labels: BTreeMap<Labels, usize>,
    /// Whether there ever were groups beyond the limit.
    overflowed: bool,
    /// The place of the group that those are counted in.
    other: Option<usize>,
    /// Newest slot with at least one group, if there ever was one.
    pub(super) born: Option<Ts>,
    /// Slots that were told as absent in doubt; see [`super::doubted`].
    pub(super) doubted: Doubted,
    /// Up to where slots were booked under another lookback than that of the plan.
    pub(super) otherwise: Option<Ts>,
    /// Between which slots are not known that were told once, as they were too many pieces: they must not
    /// be added to hours that hold them.
    pub(super) lost: Option<(Ts, Ts)>,
}

impl Series {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            id: keep.key.id(),
            keep,
            answered: Intervals::default(),
            absent: Intervals::default(),
            groups: Vec::new(),
            by_labels: BTreeMap::new(),
            overflowed: false,
            other: None,
            born: None,
            doubted: Doubted::default(),
            otherwise: None,
            lost: None,
        }
    }

    /// The id of the key; see [`SeriesKey::id`].
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Identity, and what is kept.
    pub fn keep(&self) -> &Keep {
        &self.keep
    }

    /// Slots the source answered in whole, absence included.
    pub fn answered(&self) -> &Intervals {
        &self.answered
    }

    /// Slots in which no group existed.
    pub fn absent(&self) -> &Intervals {
        &self.absent
    }

    /// Slots that need not be asked: all that were answered, but for those to be asked once more.
    pub fn settled(&self) -> Cow<'_, Intervals> {
        self.doubted.leave_out(&self.answered)
    }

    /// The groups, in the order they were first seen.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Whether there ever were groups beyond the limit: one that is kept apart later than that was counted
    /// among them before.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The group in which those beyond the limit are counted, if there are any.
    pub(super) fn other(&self) -> Option<&Group> {
        self.groups.get(self.other?)
    }

    /// The group with these label values.
    pub fn group(&self, labels: &Labels) -> Option<&Group> {
        if let [only] = &*self.groups {
            return (only.labels == *labels).then_some(only);
        }
        self.groups.get(*self.by_labels.get(labels)?)
    }

    /// Up to where slots may have been booked under another lookback than that of the plan: around gaps
    /// longer than one of the two they would be counted in another way now.
    pub fn booked_otherwise(&self) -> Option<Ts> {
        self.otherwise
    }

    /// Whether any group was ever seen.
    pub fn was_born(&self) -> bool {
        self.born.is_some()
    }

    /// Where the oldest slot with a group begins.
    pub fn first_known(&self) -> Option<Ts> {
        self.answered.within(Ts(i64::MIN), Ts(i64::MAX)).find_map(|(from, to)| {
            let absent = self.absent.within(Ts(from), Ts(to)).next();
            match absent {
                Some((a, b)) if a == from => (b < to).then_some(Ts(b)),
                _ => Some(Ts(from)),
            }
        })
    }

    /// The same history under a new promise of what is kept.
    pub(super) fn kept_for(mut self, keep: Keep) -> Self {
        if keep.span > self.keep.span {
            for group in &mut self.groups {
                group.track = group.track.kept_for(keep.key.step, keep.span);
            }
        }
        if keep.reach != self.keep.reach {
            self.otherwise = self.otherwise.max(self.answered.last());
        }
        self.outgrow(self.keep.span, keep.span);
        self.keep = keep;
        self
    }

    /// Books one slot; says whether anything changed. Facts are absolute and idempotent; what is
    /// known is never unlearned, because a source that lost its data answers "absent" too.
    pub(super) fn apply(&mut self, tier: Tier, slot: &SlotFact) -> bool {
        let end = slot.end;
        let from = self.begin(tier, end);
        let doubted = slot.state != SlotState::Unknown && self.doubted.told(from, end);
        if tier == Tier::Fine && self.answered.last().is_some_and(|newest| newest.since(end) > FINE_REACH) {
            return false;
        }
        let known_before = self.answered.contains(end) && !self.absent.contains(end);
        if tier != Tier::Fine && !self.may_tell(from, end, known_before) {
            return false;
        }
        match &slot.state {
            SlotState::Unknown => false,
            SlotState::Absent if known_before && !self.is_only_stale(from, end) => false,
            SlotState::Absent => {
                let changed = known_before || !self.answered.contains(end);
                self.answer(from, end);
                if self.answered.contains(end) {
                    let too_many = self.absent.insert(from, end);
                    self.lose(too_many);
                }
                self.groups.iter_mut().for_each(|group| group.stale.remove(from, end));
                changed
            }
            SlotState::Known(facts) => {
                let told =
                    known_before && !doubted && self.answered.overlap(from, end) == end.since(from).secs();
                self.answer(from, end);
                // A difference reaches back over absence, too.
                let before = self.born.filter(|born| *born < from && end.since(*born) <= self.keep.reach);
                let too_many = self.absent.withdraw(before.unwrap_or(from), end);
                self.lose(too_many);
                self.born = self.born.max(Some(end));
                self.book(tier, (from, end), facts, told) || !known_before
            }
        }
    }

    fn book(&mut self, tier: Tier, slot: (Ts, Ts), facts: &[GroupFact], told: bool) -> bool {
        let (step, reach) = (self.keep.key.step, self.keep.reach);
        let book = |group: &mut Group, fact: &GroupFact| group.book(tier, slot, fact, step, reach, told);
        let mut changed = false;
        let mut overflow: Option<GroupFact> = None;
        for fact in facts {
            match self.group_ix(&fact.group) {
                Some(ix) => {
                    changed |= self.groups.get_mut(ix).is_some_and(|group| book(group, fact));
                }
                None if self.keep.overflow == Overflow::Drop => {}
                None => overflow = Some(fold(overflow, fact)),
            }
        }
        // Without any events is not without a sample.
        for group in self.groups.iter_mut().filter(|group| group.stale.contains(slot.1)) {
            if facts.iter().all(|fact| fact.group != group.labels) {
                group.stale.remove(slot.0, slot.1);
                changed = true;
            }
        }
        let Some(fact) = overflow else { return changed };
        let ix = self.other_ix(&fact.group);
        changed | self.groups.get_mut(ix).is_some_and(|group| book(group, &fact))
    }

    /// Remembers what lies before the beginning of the present calendar period.
    pub(super) fn note_cut(&mut self, boundary: Ts) {
        self.keep.cuts.retain(|known| *known != boundary);
        self.keep.cuts.push(boundary);
        if self.keep.cuts.len() > MOST_CUTS {
            self.keep.cuts.remove(0);
        }
        for group in &mut self.groups {
            group.note_cut(boundary);
        }
    }

    /// The newest slot with any group.
    pub(super) fn born(&self) -> Option<Ts> {
        self.born
    }

    /// Whether a group was seen within this time before a slot.
    pub(super) fn saw_within(&self, time: Span, labels: &Labels, newest: Option<Ts>) -> bool {
        let seen = self.group(labels).map(|group| group.seen);
        seen.is_some_and(|seen| newest.is_none_or(|newest| newest.since(seen) <= time))
    }

    pub(super) fn remove_groups(&mut self, gone: &BTreeSet<Labels>) {
        if !gone.is_empty() {
            self.groups.retain(|group| !gone.contains(&group.labels));
            self.by_labels = self.groups.iter().enumerate().map(|(ix, g)| (g.labels.clone(), ix)).collect();
            self.other = self.groups.iter().position(|group| is_other(&group.labels));
        }
    }

    /// Whether there is room for one more group.
    pub(super) fn has_room(&self) -> bool {
        self.groups.len() < self.keep.limit.max(1)
    }

    /// Keeps a group apart that another series decides on. One that it has room for but does not
    /// keep yet may take up to twice the limit.
    pub(super) fn follow(&mut self, labels: Labels, decided: bool) {
        let most = if decided { MOST_GROUPS - 1 } else { self.keep.limit.saturating_mul(2) };
        if self.groups.len() < most {
            self.add_group(labels);
        }
    }

    /// Bytes held on the heap.
    pub fn heap(&self) -> usize {
        self.answered.heap()
            + self.absent.heap()
            + self.doubted.heap()
            + self.groups.iter().map(|g| size_of::<Group>() + g.heap()).sum::<usize>()
    }

    /// The group's place, made if there is room; `None` beyond the limit.
    fn group_ix(&mut self, labels: &Labels) -> Option<usize> {
        if let Some(ix) = self.by_labels.get(labels) {
            return Some(*ix);
        }
        (self.keep.follows.is_empty() && self.has_room()).then(|| self.add_group(labels.clone()))
    }

    fn other_ix(&mut self, labels: &Labels) -> usize {
        self.by_labels.get(labels).copied().unwrap_or_else(|| self.add_group(labels.clone()))
    }

    pub(super) fn add_group(&mut self, labels: Labels) -> usize {
        let ix = self.groups.len();
        let mut group = Group::new(labels.clone(), self.keep.key.step, self.keep.span);
        for boundary in &self.keep.cuts {
            group.put_cut(*boundary, Events::ZERO);
        }
        if is_other(&labels) {
            (self.overflowed, self.other) = (true, Some(ix));
        }
        self.groups.push(group);
        self.by_labels.insert(labels, ix);
        ix
    }
}
