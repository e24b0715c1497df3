//! What the ledger learned, packed for the store, and read back at a restart.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::shared::Shared;
use crate::engine::fact::{Facts, SeriesIx, SlotFact, SlotState, Tier};
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
/// Bytes held back while the store does not write. What is shed beyond it, the oldest, is not asked
/// again while the process lives: only a restart misses it, until the series' next image.
const MOST_BYTES: usize = 64 << 20;
/// Groups and slots on one page.
const PAGE: usize = 50_000;
/// Images read at once.
const IMAGES: usize = 64;
/// Version of the blob's layout.
const VERSION: u8 = 1;

/// What one series was told.
type Entry = (u64, Tier, Vec<SlotFact>);

/// Facts in the order they were booked.
#[derive(Serialize, Deserialize, Debug)]
struct Page {
    version: u8,
    facts: Vec<Entry>,
}

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
            self.note((id, facts.tier, changed));
        }
    }

    /// Notes facts, however long nothing is written: beyond a bound the oldest are shed.
    fn note(&mut self, entry: Entry) {
        self.filled += entry.2.iter().map(size).sum::<usize>();
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
        let page = Page { version: VERSION, facts: std::mem::take(&mut self.facts) };
        self.filled = 0;
        if !page.facts.is_empty() {
            let blob = postcard::to_stdvec(&page).unwrap_or_default();
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
        while let Some(page) = self.pages.front_mut() {
            // It is kept for so long from when it is written.
            page.at = now.0;
            shared.store.append_slices(epoch, std::slice::from_ref(page), &[]).await?;
            self.pages.pop_front();
        }
        if images.is_empty() {
            return Ok(());
        }
        shared.store.append_slices(epoch, &[], &images).await
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

/// How much of a page a slot takes.
fn size(slot: &SlotFact) -> usize {
    match &slot.state {
        SlotState::Known(groups) => 1 + groups.len(),
        SlotState::Absent | SlotState::Unknown => 1,
    }
}

/// Puts back what the store kept of series that a plan counts anew. An image that is not readable is
/// as good as none: its history is asked again.
pub(super) async fn revive(shared: &Shared, new: &[SeriesIx]) -> Result<(), StoreError> {
    let ids: Vec<i64> = {
        let world = shared.world.read();
        let series = new.iter().filter_map(|ix| world.ledger.series(*ix));
        series.map(|series| series.id().cast_signed()).collect()
    };
    for ids in ids.chunks(IMAGES) {
        let rows = shared.store.images(ids).await?;
        let images: Vec<SeriesImage> =
            rows.iter().filter_map(|row| SeriesImage::from_bytes(&row.blob).ok()).collect();
        let mut world = shared.world.write();
        for image in images {
            let _ = world.ledger.restore(image);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fact::{GroupFact, Trust};
    use crate::engine::plan::Plan;
    use crate::service::planner::keeps;
    use crate::service::testing::Service;
    use crate::service::tests::{plan, slo};
    use crate::slo::model::Labels;
    use crate::slo::unit::Events;

    /// A slot with so many groups, each with a label of a hundred bytes.
    fn wide(end: i64, groups: usize) -> SlotFact {
        let fact = |group: usize| GroupFact {
            group: Labels::from([("route".to_owned(), format!("{group:0100}"))]),
            raw: Events::ZERO,
            withheld: Events::ZERO,
            trust: Trust::Counted,
        };
        SlotFact { end: Ts(end), state: SlotState::Known((0..groups).map(fact).collect()) }
    }

    #[test]
    fn what_cannot_be_written_is_bounded_and_the_newest_is_kept() {
        let mut journal = Journal::default();
        for end in 0..30_i64 {
            journal.note((end.cast_unsigned(), Tier::Fine, vec![wide(end, PAGE)]));
        }
        let bytes: usize = journal.pages.iter().map(|page| page.blob.len()).sum();
        assert!(journal.facts.is_empty() && bytes <= MOST_BYTES, "{bytes}");
        let ids = |page: &SliceBlob| postcard::from_bytes::<Page>(&page.blob).unwrap().facts[0].0;
        assert_eq!(journal.pages.back().map(ids), Some(29));
        let first = journal.pages.front().map(ids).unwrap();
        assert_eq!(journal.pages.len(), usize::try_from(30 - first).unwrap(), "the oldest went");
        assert!(journal.pages.len() > 5);
    }

    fn put(service: &Service, plan: &Arc<Plan>) {
        let mut world = service.shared.world.write();
        world.ledger = Ledger::default();
        world.ledger.adopt(keeps(plan, Ts(1_800_000_000)));
        world.plan = Arc::clone(plan);
    }

    #[tokio::test]
    async fn what_was_held_back_is_written_page_by_page_and_read_back() {
        let service = Service::start().await;
        let plan = Arc::new(plan(&slo("cart")));
        put(&service, &plan);
        let mut journal = Journal::default();
        let facts = |ix: u32, slots: i64| {
            let slot = |n: i64| SlotFact { end: Ts(1_800_000_000 + n * 30), state: SlotState::Absent };
            Facts { series: SeriesIx(ix), tier: Tier::Fine, slots: (0..slots).map(slot).collect() }
        };
        journal.book(&service.shared, &plan, &[facts(0, 700), facts(1, 700)]);
        journal.pack();
        journal.book(&service.shared, &plan, &[facts(0, 900)]);
        let epoch = service.shared.epoch();
        service.shared.set_epoch(epoch.map(|epoch| epoch + 1));
        assert!(journal.write_facts(&service.shared).await.is_err());
        assert_eq!(journal.pages.len(), 2);
        service.shared.set_epoch(epoch);
        journal.write_facts(&service.shared).await.unwrap();
        assert!(journal.pages.is_empty());
        let before: Vec<_> =
            service.shared.world.read().ledger.all().iter().map(|s| s.answered().clone()).collect();

        put(&service, &plan);
        let mut ledger = std::mem::take(&mut service.shared.world.write().ledger);
        assert_eq!(replay(&service.shared, &mut ledger).await.unwrap(), 2);
        let after: Vec<_> = ledger.all().iter().map(|s| s.answered().clone()).collect();
        assert_eq!(before, after);
    }

    #[tokio::test]
    async fn series_that_are_counted_again_get_their_images_back_together() {
        let service = Service::start().await;
        let names: Vec<String> = (0..IMAGES).map(|i| slo(&format!("job{i}"))).collect();
        let plan = Arc::new(plan(&names.join("---\n")));
        put(&service, &plan);
        let mut journal = Journal::default();
        let all: Vec<SeriesIx> =
            (0..plan.series.len()).map(|ix| SeriesIx(u32::try_from(ix).unwrap())).collect();
        assert!(all.len() > IMAGES, "more than one reading");
        let slots = vec![SlotFact { end: Ts(1_800_000_000), state: SlotState::Absent }];
        let facts: Vec<Facts> =
            all.iter().map(|ix| Facts { series: *ix, tier: Tier::Fine, slots: slots.clone() }).collect();
        journal.book(&service.shared, &plan, &facts);
        let images: Vec<ImageRow> = {
            let world = service.shared.world.read();
            let image =
                |image: SeriesImage| ImageRow { id: image.id().cast_signed(), at: 0, blob: image.to_bytes() };
            world.ledger.all().iter().map(SeriesImage::of).map(image).collect()
        };
        service.shared.store.append_slices(service.shared.epoch().unwrap(), &[], &images).await.unwrap();
        put(&service, &plan);
        revive(&service.shared, &all).await.unwrap();
        let world = service.shared.world.read();
        assert!(world.ledger.all().iter().all(|series| !series.answered().is_empty()));
    }
}
