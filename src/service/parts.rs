//! A merged query that failed is asked in parts, so that the member at fault blinds nobody else.
//! Which one it is is found by halves: of a hundred members, half are answered again at the next
//! try, and the one at fault is alone after seven.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::engine::digest::Digest;
use crate::engine::plan::QueryGroup;
use crate::slo::time::{Span, Ts};

/// So long all parts must have been answered before the whole is tried again: at first, and at most.
pub(super) const WHOLE_AFTER: Span = Span::from_mins(10);
const WHOLE_AFTER_MOST: Span = Span::from_hours(6);

/// What a query, or a part of a merged one, is remembered by: by what it asks, whichever plan it is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct PartId {
    /// A digest of the whole query.
    whole: u64,
    /// The places of its members, the last one excluded.
    from: usize,
    to: usize,
}

/// Some members of a query group, or all, as they are asked.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub id: PartId,
    pub group: Arc<QueryGroup>,
}

/// Which groups are asked in parts.
#[derive(Default)]
pub(super) struct Parts {
    split: HashMap<u64, Split>,
}

/// A group that is asked in parts.
struct Split {
    /// The number of members.
    size: usize,
    parts: Vec<PartId>,
    /// When the whole is tried again, if all parts are answered until then.
    whole_at: Ts,
    wait: Span,
}

impl PartId {
    /// A query with so many members, by what is asked.
    pub(super) fn of(query: &[&str], members: usize) -> Self {
        Self { whole: Digest::of(query).short(), from: 0, to: members }
    }

    /// How many members it has.
    pub(super) fn members(&self) -> usize {
        self.to - self.from
    }

    /// Whether a member is in both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.whole == other.whole && self.from < other.to && other.from < self.to
    }

    /// What all parts of one query share.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    fn halves(self) -> Option<[Self; 2]> {
        let middle = usize::midpoint(self.from, self.to);
        (middle > self.from).then_some([Self { to: middle, ..self }, Self { from: middle, ..self }])
    }
}

impl Split {
    /// Whether this is the whole, not a part of it.
    fn is_whole(&self, id: PartId) -> bool {
        self.parts.len() > 1 && id.members() == self.size
    }
}

impl Part {
    /// A group as it is.
    pub(super) fn whole(group: &Arc<QueryGroup>) -> Self {
        let form = format!("{:?} every {} by {:?}", group.form, group.step.span(), group.by);
        let selector = group.selector().to_string();
        let mut asked = vec![group.source.as_str(), &form, &selector];
        // A part is known by its place, so the order counts, which an edit elsewhere may change.
        asked.extend(group.members.iter().filter_map(|member| member.value.as_deref()));
        Self { id: PartId::of(&asked, group.members.len()), group: Arc::clone(group) }
    }

    /// Whether there is more than one member.
    pub(super) fn is_merged(&self) -> bool {
        self.id.members() > 1
    }

    /// Two parts of it, if there is more than one member.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        let half = |id: PartId| {
            let places = id.from - self.id.from..id.to - self.id.from;
            Self { id, group: Arc::new(self.group.part(places)) }
        };
        Some(self.id.halves()?.map(half))
    }
}

impl Parts {
    /// A group as it is to be asked.
    pub(super) fn of(&self, group: &Arc<QueryGroup>, at: Ts) -> Vec<Part> {
        let whole = Part::whole(group);
        let Some(split) = self.split.get(&whole.id.whole).filter(|split| split.whole_at > at) else {
            return vec![whole];
        };
        let part = |id: &PartId| Part { id: *id, group: Arc::new(group.part(id.from..id.to)) };
        split.parts.iter().map(part).collect()
    }

    /// A merged part is asked in halves from now on. One that was the whole, tried again, goes back
    /// to the parts it was in, for longer.
    pub(super) fn halve(&mut self, id: PartId, at: Ts) {
        let Some(halves) = id.halves() else { return };
        let split = self.split.entry(id.whole).or_insert_with(|| Split {
            size: id.to,
            parts: vec![id],
            whole_at: at,
            wait: WHOLE_AFTER,
        });
        if split.is_whole(id) {
            split.wait = Span::from_secs_saturating(split.wait.secs() * 2).min(WHOLE_AFTER_MOST);
        } else if let Some(place) = split.parts.iter().position(|part| *part == id) {
            split.parts.splice(place..=place, halves);
        }
        split.whole_at = at.plus(split.wait);
    }

    /// Whether it is a whole that was tried again, and has parts to go back to.
    pub(super) fn is_split(&self, id: PartId) -> bool {
        self.split.get(&id.whole).is_some_and(|split| split.is_whole(id))
    }

    /// Remembers whether a part was answered.
    pub(super) fn learn(&mut self, id: PartId, answered: bool, at: Ts) {
        let Some(split) = self.split.get_mut(&id.whole) else { return };
        match (answered, split.is_whole(id)) {
            (true, true) => drop(self.split.remove(&id.whole)),
            (false, false) => split.whole_at = at.plus(split.wait),
            (true, false) | (false, true) => {}
        }
    }

    /// Forgets all but these queries.
    pub(super) fn keep(&mut self, asked: &HashSet<u64>) {
        self.split.retain(|whole, _| asked.contains(whole));
    }

    /// How many queries the splitting costs.
    #[cfg(test)]
    pub(super) fn extra(&self) -> usize {
        self.split.values().map(|split| split.parts.len() - 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Ts = Ts(1_800_000_000);

    fn whole(members: usize) -> PartId {
        PartId { whole: 7, from: 0, to: members }
    }

    fn ids(parts: &Parts) -> Vec<(usize, usize)> {
        parts.split.values().flat_map(|split| &split.parts).map(|id| (id.from, id.to)).collect()
    }

    #[test]
    fn the_one_at_fault_is_alone_after_a_few_tries_and_costs_few_queries() {
        let mut parts = Parts::default();
        let (culprit, mut tries, mut at_fault) = (61, 0, whole(100));
        while at_fault.members() > 1 {
            parts.halve(at_fault, AT);
            tries += 1;
            let halves = at_fault.halves().unwrap();
            at_fault = *halves.iter().find(|half| (half.from..half.to).contains(&culprit)).unwrap();
            assert!(ids(&parts).contains(&(at_fault.from, at_fault.to)));
        }
        let all = ids(&parts);
        assert!(tries <= 7 && all.len() == tries + 1, "{all:?}");
        assert!(all.windows(2).all(|w| w[0].1 == w[1].0), "every member once: {all:?}");
        assert_eq!((all[0].0, all.last().unwrap().1, parts.extra()), (0, 100, tries));
    }

    #[test]
    fn the_whole_is_tried_again_when_all_parts_were_well_and_later_each_time_it_fails() {
        let mut parts = Parts::default();
        parts.halve(whole(2), AT);
        let single = whole(2).halves().unwrap()[0];
        let wait = |parts: &Parts| parts.split[&7].whole_at.since(AT);
        assert_eq!(wait(&parts), Span::from_mins(10));
        parts.learn(single, false, AT.plus(Span::from_mins(5)));
        assert_eq!(wait(&parts), Span::from_mins(15), "a part that fails puts it off");
        parts.learn(single, true, AT.plus(Span::from_mins(6)));
        assert_eq!(wait(&parts), Span::from_mins(15));
        parts.halve(whole(2), AT);
        assert_eq!((wait(&parts), ids(&parts).len()), (Span::from_mins(20), 2));
        parts.learn(whole(2), true, AT);
        assert_eq!(ids(&parts), []);
    }

    #[test]
    fn a_single_member_has_no_halves() {
        let mut parts = Parts::default();
        parts.halve(whole(1), AT);
        assert_eq!(ids(&parts), []);
    }
}
