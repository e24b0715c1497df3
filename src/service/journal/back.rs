//! What the store kept of the ledger, read back: all of it at a restart, and the images of series that
//! are counted again.

use super::page::unpack;
use crate::engine::fact::{Facts, SeriesIx};
use crate::engine::ledger::{Ledger, SeriesImage};
use crate::service::shared::Shared;
use crate::store::StoreError;

/// Images read at once.
pub(super) const IMAGES: usize = 64;

/// Fills a ledger with what the store kept. Damaged or foreign rows are told and left out.
pub(in crate::service) async fn restore(shared: &Shared, ledger: &mut Ledger) -> Result<(), StoreError> {
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

pub(super) async fn replay(shared: &Shared, ledger: &mut Ledger) -> Result<usize, StoreError> {
    let (mut pages, mut after) = (0, 0);
    loop {
        let read = shared.store.load_slices(0, i64::MIN, after).await?;
        for damaged in read.damaged {
            tracing::warn!(seq = damaged.seq, "a page of slices is damaged in the store; it is asked again");
        }
        for row in read.slices {
            pages += 1;
            if !turn(&row.blob, ledger) {
                tracing::warn!(seq = row.seq, "a page of slices is not readable; it is asked again");
            }
        }
        match read.next {
            Some(next) => after = next,
            None => return Ok(pages),
        }
    }
}

/// Books one page; says whether it could be read.
pub(crate) fn turn(blob: &[u8], ledger: &mut Ledger) -> bool {
    let Some(facts) = unpack(blob) else { return false };
    for (id, tier, slots) in facts {
        if let Some(series) = ledger.find(id) {
            ledger.apply(&Facts { series, tier, slots });
        }
    }
    true
}

/// Puts back what the store kept of series that a plan counts anew. An image that is not readable is
/// as good as none: its history is asked again.
pub(in crate::service) async fn revive(shared: &Shared, new: &[SeriesIx]) -> Result<(), StoreError> {
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

/// Whether a page of the journal is one that this version can read.
pub(in crate::service) fn is_readable(blob: &[u8]) -> bool {
    unpack(blob).is_some()
}
