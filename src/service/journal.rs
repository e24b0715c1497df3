//! What the ledger learned, packed for the store, and read back at a restart.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::shared::Shared;
use crate::engine::fact::{Facts, SeriesIx, SlotFact, Tier};
use crate::engine::ledger::{Ledger, SeriesImage};
use crate::engine::plan::Plan;
use crate::slo::time::{Span, Ts};
use crate::store::{ImageRow, SliceBlob, StoreError};

/// Each series' image is renewed this often, a few at each tick.
const RENEW: Span = Span::from_hours(1);
/// The journal is kept this long: longer than the oldest image, should ticks have been slow.
const KEEP: Span = Span::from_hours(3);
/// Images not renewed for so long belong to series that nobody counts any more.
const FORGET: Span = Span::from_days(7);
/// Entries held back while the store does not write.
const MOST_FACTS: usize = 200_000;
/// Version of the blob's layout.
const VERSION: u8 = 1;

/// Facts of one tick, in the order they were booked.
#[derive(Serialize, Deserialize, Debug)]
struct Page {
    version: u8,
    facts: Vec<(u64, Tier, Vec<SlotFact>)>,
}

/// Collects what changed in the ledger until it is written.
#[derive(Default)]
pub(super) struct Journal {
    facts: Vec<(u64, Tier, Vec<SlotFact>)>,
    /// The series whose image is next.
    next: usize,
}

impl Journal {
    /// Books facts in the ledger and notes what changed. Facts of a plan that is not in force any
    /// more are left out: their positions mean something else now.
    pub(super) fn book(&mut self, shared: &Shared, plan: &Arc<Plan>, all: &[Facts]) {
        let mut world = shared.world.write();
        if !Arc::ptr_eq(&world.plan, plan) {
            return;
        }
        for facts in all {
            let changed = world.ledger.apply(facts);
            let Some(id) = world.ledger.series(facts.series).map(|s| s.id()).filter(|_| !changed.is_empty())
            else {
                continue;
            };
            super::measure::trust(shared, &changed);
            self.facts.push((id, facts.tier, changed));
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

    /// Writes what changed. A failure is told, and what was not written is kept for the next time,
    /// up to a bound; what is shed beyond it comes back with the series' image, or is asked again.
    pub(super) async fn write_facts(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let now = shared.world.read().now();
        self.append(shared, now, Vec::new()).await
    }

    async fn append(&mut self, shared: &Shared, now: Ts, images: Vec<ImageRow>) -> Result<(), StoreError> {
        let Some(epoch) = shared.epoch() else { return Ok(()) };
        let page = Page { version: VERSION, facts: std::mem::take(&mut self.facts) };
        let mut slices = Vec::new();
        if !page.facts.is_empty() {
            let blob = postcard::to_stdvec(&page).unwrap_or_default();
            slices.push(SliceBlob { tier: 0, at: now.0, blob });
        }
        if slices.is_empty() && images.is_empty() {
            return Ok(());
        }
        let written = shared.store.append_slices(epoch, &slices, &images).await;
        if written.is_err() && page.facts.len() <= MOST_FACTS {
            self.facts = page.facts;
        }
        written
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
        let images = all.iter().skip(self.next).take(share).map(SeriesImage::of).collect::<Vec<_>>();
        self.next += images.len();
        drop(world);
        images
            .into_iter()
            .map(|image| ImageRow { id: image.id().cast_signed(), at: now.0, blob: image.to_bytes() })
            .collect()
    }
}

/// Fills a ledger with what the store kept. Damaged or foreign rows are told and left out.
pub(super) async fn restore(shared: &Shared, ledger: &mut Ledger) -> Result<(), StoreError> {
    let series = restore_images(shared, ledger).await?;
    let pages = replay(shared, ledger).await?;
    tracing::info!(series, pages, "ledger restored");
    Ok(())
}

async fn restore_images(shared: &Shared, ledger: &mut Ledger) -> Result<usize, StoreError> {
    let (mut series, mut after) = (0, None);
    loop {
        let page = shared.store.load_images(after).await?;
        for id in page.damaged {
            tracing::warn!(id, "the image of a series is damaged in the store; its history is asked again");
        }
        for row in page.images {
            let restored = SeriesImage::from_bytes(&row.blob).and_then(|image| ledger.restore(image));
            match restored {
                Ok(restored) => series += usize::from(restored),
                Err(error) => tracing::warn!(id = row.id, %error, "the image of a series is left out"),
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(series),
        }
    }
}

async fn replay(shared: &Shared, ledger: &mut Ledger) -> Result<usize, StoreError> {
    let (mut pages, mut after) = (0, 0);
    loop {
        let read = shared.store.load_slices(0, i64::MIN, after).await?;
        for damaged in read.damaged {
            tracing::warn!(seq = damaged.seq, "a page of slices is damaged in the store; it is asked again");
        }
        for row in read.slices {
            pages += 1;
            let page: Option<Page> =
                postcard::from_bytes(&row.blob).ok().filter(|p: &Page| p.version == VERSION);
            let Some(page) = page else {
                tracing::warn!(seq = row.seq, "a page of slices is not readable; it is asked again");
                continue;
            };
            for (id, tier, slots) in page.facts {
                if let Some(series) = ledger.find(id) {
                    ledger.apply(&Facts { series, tier, slots });
                }
            }
        }
        match read.next {
            Some(next) => after = next,
            None => return Ok(pages),
        }
    }
}

/// Puts back what the store kept of series that a plan counts anew.
pub(super) async fn revive(shared: &Shared, new: &[SeriesIx]) -> Result<(), StoreError> {
    let ids: Vec<u64> = {
        let world = shared.world.read();
        new.iter().filter_map(|ix| world.ledger.series(*ix)).map(|series| series.id()).collect()
    };
    for id in ids {
        let Some(row) = shared.store.image(id.cast_signed()).await? else { continue };
        if let Ok(image) = SeriesImage::from_bytes(&row.blob) {
            // An image that is not readable is as good as none: its history is asked again.
            let _ = shared.world.write().ledger.restore(image);
        }
    }
    Ok(())
}
