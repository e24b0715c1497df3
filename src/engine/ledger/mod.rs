//! Good and total events per slice, in tiers; any window is a sum.
//!
//! A ledger holds one [`Series`] per thing counted, shared by every SLO that counts it. It is told
//! [`Facts`]: absolute, idempotent, in any order. It knows nothing of SLOs.

mod doubted;
mod excluded;
mod group;
mod groups;
mod held;
mod image;
mod intervals;
mod known;
mod other;
mod ring;
mod series;
mod track;
mod wanted;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use excluded::{Edge, Excluded, Exclusion, rounded};
pub use group::Group;
pub use groups::Expiry;
pub use image::{ImageError, SeriesImage};
pub use intervals::Intervals;
pub use other::{OTHER, is_other};
pub use ring::Ring;
pub use series::{Keep, Series};
pub use track::{FINE_REACH, FIVE_REACH, Track, edge, grid};
pub use wanted::{LONGEST, MOST as MOST_EXCLUSIONS, Wanted, exclusion};

use super::collect::Past;
use super::fact::{Facts, SeriesIx, SlotFact, Tier};
use crate::slo::model::Labels;
use crate::slo::time::Ts;
use crate::slo::unit::Events;

/// All series of a plan, in the plan's order.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    series: Vec<Series>,
    /// Place of each series by the id of its key.
    places: HashMap<u64, usize>,
    /// What is left out, by whom: an SLO's id, which means nothing here.
    excluded: BTreeMap<String, Excluded>,
}

impl Ledger {
    /// Rearranges the ledger for a new plan: series that stay keep their history, the others are given back.
    pub fn adopt(&mut self, wanted: Vec<Keep>) -> Vec<Series> {
        let mut old: BTreeMap<u64, Series> = self.series.drain(..).map(|s| (s.id(), s)).collect();
        self.series = wanted
            .into_iter()
            .map(|keep| match old.remove(&keep.key.id()) {
                Some(series) => series.kept_for(keep),
                None => Series::new(keep),
            })
            .collect();
        self.places = self.series.iter().enumerate().map(|(place, s)| (s.id(), place)).collect();
        old.into_values().collect()
    }

    /// A series; `None` only for an index of another plan.
    pub fn series(&self, ix: SeriesIx) -> Option<&Series> {
        self.series.get(usize::try_from(ix.0).ok()?)
    }

    /// The place of the series with this id.
    pub fn find(&self, id: u64) -> Option<SeriesIx> {
        self.places.get(&id).and_then(|place| u32::try_from(*place).ok()).map(SeriesIx)
    }

    /// All series, in the plan's order.
    pub fn all(&self) -> &[Series] {
        &self.series
    }

    /// The newest slot known of any series.
    pub fn newest(&self) -> Option<Ts> {
        self.series.iter().filter_map(|series| series.answered().last()).max()
    }

    /// Books facts; gives back the slots that changed anything, to be journaled.
    pub fn apply(&mut self, facts: &Facts) -> Vec<SlotFact> {
        self.tell(facts, false)
    }

    /// The same of history: what is known holds, also what was told while it was asked.
    pub fn fill(&mut self, facts: &Facts) -> Vec<SlotFact> {
        self.tell(facts, true)
    }

    fn tell(&mut self, facts: &Facts, gaps_only: bool) -> Vec<SlotFact> {
        let apart = groups::apart(self, facts);
        let Some(series) = usize::try_from(facts.series.0).ok().and_then(|ix| self.series.get_mut(ix)) else {
            return Vec::new();
        };
        // What is new to the series is so in all of these slots.
        let known: Vec<_> =
            facts.slots.iter().filter_map(|slot| series.resolve(facts.tier, slot, gaps_only)).collect();
        apart.into_iter().for_each(|(labels, decided)| series.follow(labels, decided));
        let id = series.id();
        let late = series.came_late(facts);
        let turned = series.turned(facts);
        let changed = known.into_iter().filter(|slot| series.apply(facts.tier, slot));
        let changed: Vec<SlotFact> = changed.map(Cow::into_owned).collect();
        if let Some(turned) = turned {
            self.beside(facts.series, |series| series.doubted.add(turned));
        }
        if let Some(late) = late {
            self.beside(facts.series, |series| series.ask_again(late));
        }
        self.sum_excluded(|excluded| excluded.is_about(id, &changed));
        changed
    }

    /// Does something to a total and to all that is read beside it.
    fn beside(&mut self, ix: SeriesIx, to: impl Fn(&mut Series)) {
        let Some(keep) = self.series(ix).map(Series::keep) else { return };
        for ix in keep.beside.iter().copied().chain([ix]).collect::<Vec<_>>() {
            if let Some(series) = usize::try_from(ix.0).ok().and_then(|ix| self.series.get_mut(ix)) {
                to(series);
            }
        }
    }

    /// Forgets what a source told of totals that it never had a series of, and of what is read beside them
    /// alone, so that all of it is asked again; how many series that is.
    pub fn forget_unborn(&mut self, source: &str) -> usize {
        let born = self.series.iter().filter(|series| series.was_born());
        let read: BTreeSet<SeriesIx> = born.flat_map(|series| series.keep().beside.iter().copied()).collect();
        let of_source = |series: &Series| series.keep().key.source == source && !series.was_born();
        let all = (0..).map(SeriesIx).zip(&mut self.series);
        let unborn = all.filter(|(ix, series)| of_source(series) && !read.contains(ix));
        unborn.map(|(_, series)| series.forget_answers()).count()
    }

    /// Sets what an owner leaves out of these series.
    pub fn exclude(&mut self, owner: &str, list: Vec<Exclusion>, series: &[SeriesIx]) {
        if list.is_empty() {
            self.excluded.remove(owner);
            return;
        }
        let ids = series.iter().filter_map(|ix| self.series(*ix)).map(Series::id).collect();
        let mut excluded = Excluded::new(list, ids);
        excluded.sum_up(self.newest().unwrap_or_default(), |id| self.series(self.find(id)?));
        self.excluded.insert(owner.to_owned(), excluded);
    }

    /// What an owner leaves out.
    pub fn excluded(&self, owner: &str) -> Option<&Excluded> {
        self.excluded.get(owner)
    }

    /// Everything that is left out, by owner.
    pub fn all_excluded(&self) -> &BTreeMap<String, Excluded> {
        &self.excluded
    }

    /// Sums up anew what is left out by those that are meant.
    fn sum_excluded(&mut self, is_meant: impl Fn(&Excluded) -> bool) {
        if !self.excluded.values().any(&is_meant) {
            return;
        }
        let newest = self.newest().unwrap_or_default();
        let mut all = std::mem::take(&mut self.excluded);
        for excluded in all.values_mut().filter(|excluded| is_meant(excluded)) {
            excluded.sum_up(newest, |id| self.series(self.find(id)?));
        }
        self.excluded = all;
    }

    /// Puts a series back as the store kept it; a series the plan does not want is left out.
    pub fn restore(&mut self, image: SeriesImage) -> Result<bool, ImageError> {
        let place = self.places.get(&image.id()).copied();
        match place.and_then(|place| self.series.get_mut(place)) {
            Some(series) => image.into_series(series.keep().clone()).map(|restored| {
                *series = restored;
                true
            }),
            None => Ok(false),
        }
    }

    /// Forgets coverage beyond what is kept, and groups that have dropped out.
    pub fn expire(&mut self, now: Ts, expiries: &BTreeMap<SeriesIx, Expiry>) {
        let gone = |(ix, expiry)| groups::gone(self, ix, expiry).map(|gone| (ix, gone));
        let gone: BTreeMap<SeriesIx, _> =
            expiries.iter().filter_map(|(ix, expiry)| gone((*ix, expiry))).collect();
        for (ix, series) in (0..).map(SeriesIx).zip(&mut self.series) {
            series.forget(now);
            if let Some(gone) = gone.get(&ix) {
                series.remove_groups(gone);
            }
        }
    }

    /// Notes where the present calendar period of a series' SLO began. To be called at least daily.
    pub fn note_cut(&mut self, ix: SeriesIx, boundary: Ts) {
        if let Some(series) = usize::try_from(ix.0).ok().and_then(|ix| self.series.get_mut(ix)) {
            series.note_cut(boundary);
        }
    }

    /// What is known of a group before the slot that ends at `end`.
    pub fn past(&self, ix: SeriesIx, group: &Labels, tier: Tier, end: Ts) -> Past {
        let Some(series) = self.series(ix) else { return Past::default() };
        let known = series.group(group);
        let (slot, step) = (tier.span(series.keep().key.step), series.keep().key.step.span());
        let from = end.minus(slot);
        let told = |group: &&Group| series.is_told(from, end) && !group.is_stale(end);
        let other = if known.is_none() { series.other().filter(told) } else { None };
        let ruled = |other: &Group| other.ruling(tier, end).is_some_and(|r| r.withheld != Events::ZERO);
        Past {
            largest: known.map(|g| g.largest(end).scaled(slot.secs(), step.secs())).unwrap_or_default(),
            ruling: known.and_then(|g| g.ruling(tier, end)),
            begun: series.first_known().is_some_and(|first| first < from),
            stale: known.is_some_and(|g| g.is_stale(from)),
            booked: known.map(|g| g.sum(from, end)).unwrap_or_default(),
            told: known.is_some_and(|g| told(&g)),
            among: other.is_some(),
            ruled_among: other.is_some_and(ruled),
        }
    }

    /// Bytes held on the heap.
    pub fn heap(&self) -> usize {
        self.series.iter().map(|s| size_of::<Series>() + s.heap()).sum()
    }
}

#[cfg(test)]
mod tests;
