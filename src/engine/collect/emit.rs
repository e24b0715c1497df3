//! From cells to facts.

use std::collections::BTreeMap;

use super::counted::Counted;
use super::table::Cell;
use crate::engine::fact::{Facts, GroupFact, SeriesIx, SlotFact, SlotState, Trust};
use crate::engine::plan::Wanted;
use crate::slo::model::Labels;
use crate::slo::time::Ts;
use crate::slo::unit::Events;

/// The groups of each slot.
type Slots<'a> = BTreeMap<Ts, Vec<(&'a Labels, &'a Cell)>>;

/// One [`Facts`] per series of the query group.
pub(super) fn facts(counted: &Counted) -> Vec<Facts> {
    let mut by_member: BTreeMap<usize, Slots<'_>> = BTreeMap::new();
    for ((member, labels), row) in &counted.table {
        let slots = by_member.entry(*member).or_default();
        for (at, cell) in row {
            slots.entry(*at).or_default().push((labels, cell));
        }
    }
    let none = BTreeMap::new();
    let mut out = Vec::new();
    for (i, member) in counted.group.members.iter().enumerate() {
        let slots = by_member.get(&i).unwrap_or(&none);
        for (position, wanted) in member.wanted.iter().enumerate() {
            out.push(series(counted, i, (position, wanted), slots));
        }
    }
    out
}

/// Slots that wait for a question that follows.
pub(super) fn open(counted: &Counted) -> Vec<(SeriesIx, Ts)> {
    let mut open = Vec::new();
    for ((member, _), row) in &counted.table {
        let wanted = counted.group.members.get(*member).map_or(&[][..], |member| &member.wanted);
        for (at, cell) in row.iter().filter(|(_, cell)| cell.open) {
            let judged = wanted.iter().enumerate().filter(|(position, _)| cell.held(*position).is_none());
            open.extend(judged.map(|(_, wanted)| (wanted.series, *at)));
        }
    }
    open
}

fn series(
    counted: &Counted,
    member: usize,
    (position, wanted): (usize, &Wanted),
    slots: &Slots<'_>,
) -> Facts {
    let older = counted.reach.slots_of(member, &counted.grid);
    let slot = |end: Ts| {
        let unknown = counted.unknown.iter().any(|(first, last)| (*first..=*last).contains(&end));
        let state = match slots.get(&end) {
            _ if unknown => SlotState::Unknown,
            None => SlotState::Absent,
            Some(cells) => known(cells, position),
        };
        SlotFact { end, state }
    };
    let all = older.into_iter().chain(counted.grid.ends()).map(slot).collect();
    let mut facts = Facts { series: wanted.series, tier: counted.grid.tier, slots: all };
    facts.take_back(|end| slots.get(&end).is_some_and(|cells| is_unreadable(cells, wanted)));
    facts
}

/// What cannot be read leaves nothing known where it is the only value, or where it would be taken
/// off a total and so turn into bad events; else it is one group that is not whole.
fn is_unreadable(cells: &[(&Labels, &Cell)], wanted: &Wanted) -> bool {
    let alone = wanted.role.good_of.is_some() || matches!(cells, [(labels, _)] if labels.is_empty());
    alone && cells.iter().any(|(_, cell)| cell.unreadable)
}

fn known(cells: &[(&Labels, &Cell)], position: usize) -> SlotState {
    let fact = |(labels, cell): &(&Labels, &Cell)| {
        let raw = cell.values.get(position).copied().unwrap_or_default();
        let withheld = cell.withheld.get(position).copied().unwrap_or_default();
        if let Some(raw) = cell.held(position) {
            return GroupFact { group: (*labels).clone(), raw, withheld, trust: Trust::Held };
        }
        // What was left out uninvestigated is no ruling; the next time it is asked it may be one.
        let (raw, withheld) = if cell.open { (raw.minus(withheld), Events::ZERO) } else { (raw, withheld) };
        let trust = if cell.unreadable || cell.open { Trust::Open } else { cell.trust };
        GroupFact { group: (*labels).clone(), raw, withheld, trust }
    };
    SlotState::Known(cells.iter().map(fact).collect())
}
