//! What follow-ups are needed for.

use std::collections::{BTreeMap, BTreeSet};

use super::counted::Range;
use super::table::Key;
use crate::engine::plan::Narrow;
use crate::slo::time::Ts;

/// Questions about births.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Members whose newborn part must be known, and over which slots.
    pub newborn: BTreeSet<usize>,
    pub newborn_range: Option<Range>,
    /// Slots to investigate, with the members concerned.
    pub evidence: BTreeMap<Ts, BTreeSet<usize>>,
    /// Slots in which series came back, with the members concerned.
    pub returning: BTreeMap<Ts, BTreeSet<usize>>,
}

impl Needs {
    /// Whether everything is known.
    pub(super) fn is_empty(&self) -> bool {
        self.newborn.is_empty() && self.evidence.is_empty() && self.returning.is_empty()
    }

    /// A member's newborn part must be known in one more slot.
    pub(super) fn newborn(&mut self, member: usize, at: Ts) {
        let (first, last) = self.newborn_range.unwrap_or((at, at));
        self.newborn.insert(member);
        self.newborn_range = Some((first.min(at), last.max(at)));
    }

    /// The smallest part of a query group and range of slots that holds these cells.
    pub(super) fn around<'a>(cells: impl Iterator<Item = (&'a Key, Ts)>) -> Option<(Narrow, Range)> {
        let mut narrow = Narrow::default();
        let mut range: Option<Range> = None;
        for ((member, labels), at) in cells {
            narrow.members.insert(*member);
            narrow.groups.insert(labels.clone());
            let (first, last) = range.unwrap_or((at, at));
            range = Some((first.min(at), last.max(at)));
        }
        Some((narrow, range?))
    }
}
