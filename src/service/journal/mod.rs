//! What the ledger learned, packed for the store; read back in `back`.

mod back;
mod page;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub(crate) use back::turn;
pub(super) use back::{is_readable, restore, revive};

use super::shared::Shared;
use super::state::World;
use crate::engine::fact::{Facts, SeriesIx, SlotFact, SlotState, Tier};
use crate::engine::ledger::{Ledger, Series, SeriesImage};
use crate::engine::plan::Plan;
use crate::slo::time::{Span, Ts};
use crate::store::{ImageRow, SliceBlob, StoreError};

/// Each series' image is renewed this often, a few at each tick.
const RENEW: Span = Span::from_hours(1);
/// The journal is kept this long: longer than the oldest image, should ticks have been slow.
const KEEP: Span = Span::from_hours(3);
/// Images not renewed for so long belong to series that nobody counts any more.
const FORGET: Span = Span::from_days(7);
/// Bytes held back while the store does not write. What is shed beyond it, the oldest, is not asked
/// again while the process lives: only a restart misses it, until the series' next image.
const MOST_BYTES: usize = 64 << 20;
/// Groups and slots on one page.
const PAGE: usize = 50_000;

/// What one series was told.
pub(super) type Entry = (u64, Tier, Vec<SlotFact>);

/// Collects what changed in the ledger until it is written.
#[derive(Default)]
pub(super) struct Journal {
    /// The page that is being filled, and how full it is.
    facts: Vec<Entry>,
    filled: usize,
    /// Packed pages that are still to be written, oldest first.
    pages: VecDeque<SliceBlob>,
    /// The series whose image is next.
    next: usize,
}

impl Journal {
    /// Books facts in the ledger and notes what changed. Facts of a plan that is not in force any
    /// more are left out: their positions mean something else now.
    pub(super) fn book(&mut self, shared: &Shared, plan: &Arc<Plan>, all: &[Facts]) {
        let mut world = shared.world.write();
        for entry in learn(shared, &mut world, plan, all, Ledger::apply) {
            self.note(entry);
        }
    }

    /// The same of history. What was not judged yet is left to the next tick: whoever finds it in the
    /// store takes it for judged.
    pub(super) fn book_history(&mut self, shared: &Shared, plan: &Arc<Plan>, all: &[Facts]) {
        let mut world = shared.world.write();
        let judged = judged(&world, plan, all);
        for entry in learn(shared, &mut world, plan, all, Ledger::fill) {
            let ends = entry.2.iter().map(|slot| slot.end).max();
            if judged.get(&entry.0).is_some_and(|judged| ends > Some(*judged)) {
                world.unjudged.push(entry);
            } else {
                self.note(entry);
            }
        }
    }

    /// Takes over what history left to the tick that begins.
    pub(super) fn take_over(&mut self, shared: &Shared) {
        let left = std::mem::take(&mut shared.world.write().unjudged);
        left.into_iter().for_each(|entry| self.note(entry));
    }

    /// Notes facts, however long nothing is written: beyond a bound the oldest are shed.
    fn note(&mut self, entry: Entry) {
        self.filled += entry.2.iter().map(|slot| size(&slot.state)).sum::<usize>();
        self.facts.push(entry);
        if self.filled >= PAGE {
            self.pack();
            let mut bytes: usize = self.pages.iter().map(|page| page.blob.len()).sum();
            while bytes > MOST_BYTES
                && let Some(shed) = self.pages.pop_front()
            {
                bytes -= shed.blob.len();
            }
        }
    }

    /// Ends the page that is being filled.
    fn pack(&mut self) {
        self.filled = 0;
        if !self.facts.is_empty() {
            let blob = page::pack(std::mem::take(&mut self.facts));
            self.pages.push_back(SliceBlob { tier: 0, at: 0, blob });
        }
    }

    /// Writes what changed, renews the next images and prunes.
    pub(super) async fn write(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let now = shared.world.read().now();
        let images = self.images(shared, now);
        self.append(shared, now, images).await?;
        let Some(epoch) = shared.epoch() else { return Ok(()) };
        shared.store.prune_slices(epoch, 0, now.minus(KEEP).0).await.map(drop)
    }

    /// Writes what changed. A failure is told, and what was not written is kept for the next time.
    pub(super) async fn write_facts(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let now = shared.world.read().now();
        self.append(shared, now, Vec::new()).await
    }

    async fn append(&mut self, shared: &Shared, now: Ts, images: Vec<ImageRow>) -> Result<(), StoreError> {
        let Some(epoch) = shared.epoch() else { return Ok(()) };
        self.pack();
        // What is learned can be asked again: what space is left is for decisions.
        if shared.store.is_short().await {
            return Err(StoreError::Short { store: shared.store.name().to_owned() });
        }
        while let Some(page) = self.pages.front_mut() {
            // It is kept for so long from when it is written.
            page.at = now.0;
            shared.store.append_slices(epoch, std::slice::from_ref(page), &[]).await?;
            self.pages.pop_front();
        }
        if images.is_empty() {
            return Ok(());
        }
        let renew = shared.store.append_slices(epoch, &[], &images);
        during!("renewing images of series", renew).await
    }

    /// Forgets the images of series that nobody counts any more.
    pub(super) async fn prune(shared: &Shared) -> Result<(), StoreError> {
        let Some(epoch) = shared.epoch() else { return Ok(()) };
        let now = shared.world.read().now();
        shared.store.prune_images(epoch, now.minus(FORGET).0).await.map(drop)
    }

    fn images(&mut self, shared: &Shared, now: Ts) -> Vec<ImageRow> {
        let world = shared.world.read();
        let all = world.ledger.all();
        let ticks = (RENEW.secs() / shared.settings.step.secs().max(1)).max(1);
        let share = all.len().div_ceil(usize::try_from(ticks).unwrap_or(1));
        if self.next >= all.len() {
            self.next = 0;
        }
        let due: Vec<&Series> = all.iter().skip(self.next).take(share).collect();
        self.next += due.len();
        // One that history has told more of since this tick began has its turn an hour later.
        let unjudged: BTreeSet<u64> = world.unjudged.iter().map(|entry| entry.0).collect();
        let due = due.into_iter().filter(|series| !unjudged.contains(&series.id()));
        let images = due.map(SeriesImage::of).collect::<Vec<_>>();
        drop(world);
        images
            .into_iter()
            .map(|image| ImageRow { id: image.id().cast_signed(), at: now.0, blob: image.to_bytes() })
            .collect()
    }
}

/// Has the ledger told facts in one of its ways; what changed.
fn learn(
    shared: &Shared,
    world: &mut World,
    plan: &Arc<Plan>,
    all: &[Facts],
    tell: fn(&mut Ledger, &Facts) -> Vec<SlotFact>,
) -> Vec<Entry> {
    if !Arc::ptr_eq(&world.plan, plan) {
        return Vec::new();
    }
    let mut entries = Vec::new();
    for facts in all {
        let changed = tell(&mut world.ledger, facts);
        let Some(id) = world.ledger.series(facts.series).map(|s| s.id()).filter(|_| !changed.is_empty())
        else {
            continue;
        };
        super::measure::trust(shared, &changed);
        entries.push((id, facts.tier, changed));
    }
    entries
}

/// By the ids of series: until when all SLOs were judged that count them.
fn judged(world: &World, plan: &Plan, all: &[Facts]) -> BTreeMap<u64, Ts> {
    let series: BTreeSet<SeriesIx> = all.iter().map(|facts| facts.series).collect();
    let mut until: BTreeMap<u64, Ts> = BTreeMap::new();
    for planned in &plan.slos {
        let Some(judged) = world.judged.get(&planned.id) else { continue };
        let counted = planned.bad.iter().chain(&planned.total).map(|(_, ix)| *ix);
        for ix in counted.filter(|ix| series.contains(ix)) {
            let Some(id) = world.ledger.series(ix).map(Series::id) else { continue };
            let least = until.entry(id).or_insert(*judged);
            *least = (*least).min(*judged);
        }
    }
    until
}

/// How much of a page a slot takes.
fn size(state: &SlotState) -> usize {
    1 + state.groups().len()
}

#[cfg(test)]
mod tests;
