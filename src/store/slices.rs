//! What the ledger keeps: an image of each series, renewed now and then, and the journal of slices
//! since. Written after the decisions in a transaction of its own, read back in order at a restart.
//! A damaged row is told and skipped: slices can be asked again.

use sqlx::QueryBuilder;

use super::PRUNE;
use super::backend::both;

/// Most rows of one page.
const PAGE_ROWS: i64 = 500;
/// Most bytes of blobs of one page, unless a single blob is longer.
const PAGE_BYTES: i64 = 16 << 20;

/// Stands for the tier in an image's checksum.
const IMAGE: i16 = -1;

/// Slices of one tick and tier, packed by the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SliceBlob {
    /// The ledger's number for the tier.
    pub tier: i16,
    /// What `load_slices` and `prune_slices` compare with, in the ledger's unit.
    pub at: i64,
    /// The ledger's encoding.
    pub blob: Vec<u8>,
}

/// Everything about one series, as of a moment; replaces the one before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageRow {
    /// The ledger's id of the series.
    pub id: i64,
    /// When it was taken, in the ledger's unit.
    pub at: i64,
    /// The ledger's encoding.
    pub blob: Vec<u8>,
}

/// One page of images.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImagePage {
    /// Good images, by id.
    pub images: Vec<ImageRow>,
    /// Ids of images that are not what was written.
    pub damaged: Vec<i64>,
    /// To be given as `after` for the next page; `None` at the end.
    pub next: Option<i64>,
}

/// One page of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SlicePage {
    /// Good rows in the order they were appended.
    pub slices: Vec<StoredSlices>,
    /// Rows that are not what was written.
    pub damaged: Vec<DamagedSlices>,
    /// To be given as `after` for the next page; `None` at the end.
    pub next: Option<i64>,
}

/// One row of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSlices {
    /// Order of appending.
    pub seq: i64,
    /// As appended.
    pub at: i64,
    /// As appended.
    pub blob: Vec<u8>,
}

/// A row whose checksum does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DamagedSlices {
    /// Order of appending.
    pub seq: i64,
    /// As stored; may itself be damaged.
    pub at: i64,
}

/// Over everything a reader relies on.
fn checksum(tier: i16, at: i64, blob: &[u8]) -> i64 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&tier.to_be_bytes());
    crc.update(&at.to_be_bytes());
    crc.update(blob);
    i64::from(crc.finalize())
}

both! {
    /// Appends blobs and renews images; all or nothing.
    pub async fn append_slices(&self, epoch: i64, slices: &[SliceBlob], images: &[ImageRow]) -> Result<()>
    while "appending slices" {
        let mut tx = self.begin_under(epoch).await?;
        for image in images {
            sqlx::query(
                "insert into images (id, at, bytes, crc, blob) values ($1, $2, $3, $4, $5)
                 on conflict (id) do update
                    set at = excluded.at, bytes = excluded.bytes, crc = excluded.crc, blob = excluded.blob",
            )
            .bind(image.id)
            .bind(image.at)
            .bind(i64::try_from(image.blob.len()).unwrap_or(i64::MAX))
            .bind(checksum(IMAGE, image.at, &image.blob))
            .bind(&image.blob)
            .execute(&mut *tx)
            .await?;
        }
        let first = Self::reserve(&mut tx, "journal", slices.len()).await?;
        for (seq, row) in (first..).zip(slices) {
            sqlx::query(
                "insert into journal (seq, tier, at, bytes, crc, blob) values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(seq)
            .bind(row.tier)
            .bind(row.at)
            .bind(i64::try_from(row.blob.len()).unwrap_or(i64::MAX))
            .bind(checksum(row.tier, row.at, &row.blob))
            .bind(&row.blob)
            .execute(&mut *tx)
            .await?;
        }
        Self::end(tx).await
    }

    /// Blobs of a tier with `at >= from`, in the order they were appended, after the row `after` (0
    /// for the start). A page holds at most 500 rows and about 16 MiB.
    pub async fn load_slices(&self, tier: i16, from: i64, after: i64) -> Result<SlicePage>
    while "reading slices" {
        let sizes: Vec<(i64, i64)> = sqlx::query_as(
            "select seq, bytes from journal where tier = $1 and at >= $2 and seq > $3 order by seq limit $4",
        )
        .bind(tier)
        .bind(from)
        .bind(after)
        .bind(PAGE_ROWS + 1)
        .fetch_all(&self.reader)
        .await?;
        let (last, more) = page_end(&sizes);
        let rows: Vec<(i64, i64, i64, Vec<u8>)> = sqlx::query_as(
            "select seq, at, crc, blob from journal
              where tier = $1 and at >= $2 and seq > $3 and seq <= $4 order by seq",
        )
        .bind(tier)
        .bind(from)
        .bind(after)
        .bind(last)
        .fetch_all(&self.reader)
        .await?;
        let mut page = SlicePage { slices: Vec::new(), damaged: Vec::new(), next: more.then_some(last) };
        for (seq, at, crc, blob) in rows {
            if checksum(tier, at, &blob) == crc {
                page.slices.push(StoredSlices { seq, at, blob });
            } else {
                page.damaged.push(DamagedSlices { seq, at });
            }
        }
        Ok(page)
    }

    /// Images after the id `after` (`None` for the start), by id; pages as in [`Self::load_slices`].
    pub async fn load_images(&self, after: Option<i64>) -> Result<ImagePage>
    while "reading images of series" {
        let sizes: Vec<(i64, i64)> =
            sqlx::query_as("select id, bytes from images where id > $1 or $2 order by id limit $3")
                .bind(after.unwrap_or(i64::MIN))
                .bind(after.is_none())
                .bind(PAGE_ROWS + 1)
                .fetch_all(&self.reader)
                .await?;
        let (last, more) = page_end(&sizes);
        let rows: Vec<(i64, i64, i64, Vec<u8>)> = sqlx::query_as(
            "select id, at, crc, blob from images where (id > $1 or $2) and id <= $3 order by id",
        )
        .bind(after.unwrap_or(i64::MIN))
        .bind(after.is_none())
        .bind(last)
        .fetch_all(&self.reader)
        .await?;
        let mut page = ImagePage { images: Vec::new(), damaged: Vec::new(), next: more.then_some(last) };
        for (id, at, crc, blob) in rows {
            if checksum(IMAGE, at, &blob) == crc {
                page.images.push(ImageRow { id, at, blob });
            } else {
                page.damaged.push(id);
            }
        }
        Ok(page)
    }

    /// The images of these series, a hundred or so; a damaged one is as good as none.
    pub async fn images(&self, ids: &[i64]) -> Result<Vec<ImageRow>>
    while "reading the images of series" {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::<Database>::new("select id, at, crc, blob from images where id in (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(*id);
        }
        let rows: Vec<(i64, i64, i64, Vec<u8>)> =
            query.push(")").build_query_as().persistent(false).fetch_all(&self.reader).await?;
        let good = rows.into_iter().filter(|(_, at, crc, blob)| checksum(IMAGE, *at, blob) == *crc);
        Ok(good.map(|(id, at, _, blob)| ImageRow { id, at, blob }).collect())
    }

    /// Deletes images that were not renewed since `before`: series that nobody counts any more.
    pub async fn prune_images(&self, epoch: i64, before: i64) -> Result<u64>
    while "pruning images of series" {
        let mut tx = self.begin_under(epoch).await?;
        let pruned =
            sqlx::query("delete from images where at < $1").bind(before).execute(&mut *tx).await?.rows_affected();
        Self::end(tx).await?;
        Ok(pruned)
    }

    /// Deletes up to [`PRUNE`] blobs of a tier with `at < before`; returns how many.
    pub async fn prune_slices(&self, epoch: i64, tier: i16, before: i64) -> Result<u64>
    while "pruning slices" {
        let mut tx = self.begin_under(epoch).await?;
        let pruned = sqlx::query(
            "delete from journal where seq in (
                 select seq from journal where tier = $1 and at < $2 order by at limit $3)",
        )
        .bind(tier)
        .bind(before)
        .bind(PRUNE.cast_signed())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        Self::end(tx).await?;
        Ok(pruned)
    }
}

/// The last row of the page, and whether rows follow it. At least one row, however long.
fn page_end(sizes: &[(i64, i64)]) -> (i64, bool) {
    let mut end = 0;
    let mut bytes: i64 = 0;
    for (taken, (seq, size)) in (0..).zip(sizes) {
        bytes = bytes.saturating_add(*size);
        if taken == PAGE_ROWS || (taken > 0 && bytes > PAGE_BYTES) {
            return (end, true);
        }
        end = *seq;
    }
    (end, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_at_rows_or_bytes_but_hold_at_least_one_row() {
        assert_eq!(page_end(&[]), (0, false));
        assert_eq!(page_end(&[(7, PAGE_BYTES + 1)]), (7, false));
        assert_eq!(page_end(&[(7, PAGE_BYTES), (9, 1)]), (7, true));
        let rows: Vec<_> = (1..=PAGE_ROWS + 1).map(|seq| (seq, 1)).collect();
        assert_eq!(page_end(&rows), (PAGE_ROWS, true));
        assert_eq!(page_end(&rows[..500]), (PAGE_ROWS, false));
    }
}
