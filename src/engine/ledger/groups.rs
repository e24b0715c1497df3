//! Groups over several series: which are kept apart, and which have dropped out.
//!
//! One SLO reads a group of all its series. Where the limit is reached, or a group is dropped, in
//! the one and not in the other, errors are read without their total, or a total without its good
//! events: both must be decided for all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, Series};
use crate::engine::fact::{Facts, SeriesIx};
use crate::slo::model::Labels;
use crate::slo::time::Span;

/// When the groups of a series drop out.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Expiry {
    /// How long they are not seen.
    pub after: Span,
    /// The totals of its SLOs: a group drops out only when none of them has seen it, for one that
    /// has no more errors is still asked for, and keeps its history.
    pub totals: BTreeSet<SeriesIx>,
}

/// Groups new to a series that those it follows keep apart, and whether they do already: `false`
/// where they only have room, because they may not have been told of them yet.
pub(super) fn apart(ledger: &Ledger, facts: &Facts) -> BTreeMap<Labels, bool> {
    let Some(series) = ledger.series(facts.series) else { return BTreeMap::new() };
    let leaders: Vec<&Series> = series.keep().follows.iter().filter_map(|ix| ledger.series(*ix)).collect();
    if leaders.is_empty() {
        return BTreeMap::new();
    }
    let told = facts.slots.iter().flat_map(|slot| slot.state.groups());
    let new: BTreeSet<&Labels> =
        told.map(|fact| &fact.group).filter(|labels| series.group(labels).is_none()).collect();
    let has_room = leaders.iter().any(|leader| leader.has_room());
    let decided = |labels: &Labels| leaders.iter().any(|leader| leader.group(labels).is_some());
    let apart = |labels: &Labels| (labels.clone(), decided(labels));
    new.into_iter().map(apart).filter(|(_, decided)| *decided || has_room).collect()
}

/// The groups of a series that have dropped out; `None` when it has none to lose.
///
/// Error series vanish with the process that had errors, so that the newest slot of all of them may be
/// the last in which this group was seen: what only they have seen is measured by their totals too.
pub(super) fn gone(ledger: &Ledger, ix: SeriesIx, expiry: &Expiry) -> Option<BTreeSet<Labels>> {
    let series = ledger.series(ix).filter(|series| !series.keep().key.by.is_empty())?;
    let totals: Vec<&Series> = expiry.totals.iter().filter_map(|ix| ledger.series(*ix)).collect();
    let newest = totals.iter().filter_map(|total| total.born()).chain(series.born()).max();
    let is_seen = |labels: &Labels| {
        totals.iter().any(|total| total.saw_within(expiry.after, labels, total.born()))
            || series.saw_within(expiry.after, labels, newest)
    };
    Some(series.groups().iter().map(|g| &g.labels).filter(|labels| !is_seen(labels)).cloned().collect())
}
