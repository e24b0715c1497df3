//! Whether a total without events is idle, has ended, or its samples have merely stopped.
//!
//! Samples that stop without a marker give a difference of zero, which would read as idle and
//! resolve alerts. Events prove a young sample by themselves, so only slots without any are asked.
//!
//! | young sample | exists | the slot before | the slot |
//! | --- | --- | --- | --- |
//! | yes | | | idle |
//! | no | yes | | stale: its samples stopped |
//! | no | no | not stale | absent: it ended |
//! | no | no | stale | stale: what merely stopped is forgotten by and by |

use std::collections::BTreeSet;

use super::LookUp;
use super::counted::{Counted, Range};
use super::read;
use super::table::{Key, Table};
use crate::engine::fact::Trust;
use crate::engine::plan::QueryGroup;
use crate::engine::sample::Frame;
use crate::slo::time::Ts;

/// Slots of totals without events that do not even exist.
#[derive(Debug, Default)]
pub(super) struct Gone(BTreeSet<(Key, Ts)>);

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

/// Takes the doubt back where there is a young sample, and notes what does not exist.
pub(super) fn take(counted: &mut Counted, range: Range, frames: &[Frame]) {
    let Counted { group, table, gone, .. } = counted;
    let answer = read::points(group, frames);
    for (key, row) in table {
        let points = answer.get(key);
        let stale = row.range_mut(range.0..=range.1).filter(|(_, cell)| cell.trust == Trust::Stale);
        for (at, cell) in stale {
            match points.and_then(|points| points.get(at)) {
                Some(point) if point.contains_key("n") => cell.trust = Trust::Counted,
                Some(_) => {}
                None => {
                    gone.0.insert((key.clone(), *at));
                }
            }
        }
    }
}

/// Takes out what ended, once everything is answered.
pub(super) fn end(counted: &mut Counted, past: LookUp<'_>) {
    let Gone(gone) = std::mem::take(&mut counted.gone);
    let mut ended = BTreeSet::new();
    for (key, at) in gone {
        let before = at.minus(counted.grid.slot);
        let row = counted.table.get(&key);
        let stale_before = match row.and_then(|row| row.get(&before)) {
            Some(cell) => cell.trust == Trust::Stale && !ended.contains(&(key.clone(), before)),
            None => at == counted.grid.first && was_stale(counted, past, &key, at),
        };
        if !stale_before {
            ended.insert((key, at));
        }
    }
    for (key, at) in ended {
        if let Some(row) = counted.table.get_mut(&key) {
            row.remove(&at);
        }
    }
}

/// What the ledger knows of the slot before.
fn was_stale(counted: &Counted, past: LookUp<'_>, key: &Key, at: Ts) -> bool {
    let wanted = counted.group.members.get(key.0).into_iter().flat_map(|member| &member.wanted);
    wanted.filter(|w| w.role.total).any(|w| past(w.series, &key.1, at).stale)
}
