//! How many merged queries are halved where a source leaves most unanswered. It may be overloaded,
//! and more queries would make that worse; or many of them have a member at fault, and only halving
//! finds those.

use std::cmp::Reverse;

use super::parts::{PartId, WHOLE_AFTER};
use crate::slo::time::Ts;

/// So many are halved in one tick, and so many in all while nothing more is answered for it.
const AT_ONCE: usize = 4;
const IN_VAIN: usize = 32;

/// The probing of one source.
#[derive(Default)]
pub(super) struct Probes {
    /// Halved since more was answered than ever before.
    spent: usize,
    /// The most series that were answered in one tick.
    most: usize,
    /// When most was last left unanswered.
    last: Ts,
}

impl Probes {
    /// Which to halve now. Half of them are the largest, which give most if the source is well; the
    /// others the smallest: one at fault is soon alone, and the rest of its part answered, however
    /// many are at fault elsewhere.
    pub(super) fn choose(&mut self, mut suspects: Vec<PartId>, answered: usize, at: Ts) -> Vec<PartId> {
        self.last = at;
        if answered > self.most {
            (self.spent, self.most) = (0, answered);
        }
        let now = AT_ONCE.min(IN_VAIN.saturating_sub(self.spent)).min(suspects.len());
        suspects.sort_by_key(|suspect| Reverse(suspect.members()));
        let smallest = suspects.split_off(now.div_ceil(2));
        suspects.extend(smallest.into_iter().rev().take(now / 2));
        self.spent += suspects.len();
        suspects
    }

    /// Whether the next bad time is another one, if the source answers most by now: what was halved
    /// is whole again. One that is bad in turns would be asked ever more otherwise.
    pub(super) fn are_over(&self, at: Ts) -> bool {
        at.since(self.last) >= WHOLE_AFTER
    }
}
