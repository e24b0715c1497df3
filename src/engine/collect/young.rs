//! Whether a total without events is idle or its samples have stopped.
//!
//! Samples that stop without a marker give a difference of zero, which would read as idle and
//! resolve alerts. Events prove a young sample by themselves, so only slots without any are asked.

use std::collections::BTreeSet;

use super::read;
use super::table::{Key, Table};
use crate::engine::fact::Trust;
use crate::engine::plan::QueryGroup;
use crate::engine::sample::Frame;
use crate::slo::time::Ts;

/// Marks slots of totals without events as stale, until proved young, and gives them.
pub(super) fn doubt(table: &mut Table, group: &QueryGroup) -> BTreeSet<(Key, Ts)> {
    let mut idle = BTreeSet::new();
    for (key, row) in table {
        let total = |i: usize| group.members.get(i).is_some_and(|m| m.wanted.iter().any(|w| w.role.total));
        if !total(key.0) {
            continue;
        }
        for (at, cell) in row.iter_mut().filter(|(_, cell)| cell.is_idle()) {
            cell.trust = Trust::Stale;
            idle.insert((key.clone(), *at));
        }
    }
    idle
}

/// Takes the doubt back where there is a young sample.
pub(super) fn take(table: &mut Table, group: &QueryGroup, frames: &[Frame]) {
    for (key, points) in read::points(group, frames) {
        let Some(row) = table.get_mut(&key) else { continue };
        for at in points.keys() {
            if let Some(cell) = row.get_mut(at).filter(|cell| cell.trust == Trust::Stale) {
                cell.trust = Trust::Counted;
            }
        }
    }
}
