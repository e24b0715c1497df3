//! The journal of slices: packed blobs, appended after the decisions in a transaction of their own,
//! read back in order at a restart. A damaged row is told and skipped: slices can be asked again.

use sqlx::{QueryBuilder, Transaction};

use super::PRUNE;
use super::backend::{both, each};
use super::decisions::CHUNK;
use super::error::Fault;

/// Most rows of one page.
const PAGE_ROWS: i64 = 500;
/// Most bytes of blobs of one page, unless a single blob is longer.
const PAGE_BYTES: i64 = 16 << 20;

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

/// Names of the numbers inside blobs; new ones are written with the first blob that uses them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Dictionary {
    /// Series of slices.
    pub series: Vec<SeriesName>,
    /// Groups of series.
    pub groups: Vec<GroupName>,
}

/// A series' number and identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeriesName {
    /// The number.
    pub id: i64,
    /// The identity.
    pub key: String,
}

/// A group's number and labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupName {
    /// The number.
    pub id: i64,
    /// The series' number.
    pub series_id: i64,
    /// Labels, in one canonical text.
    pub labels: String,
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
    /// Appends blobs, and first the names they use; all or nothing. Names already there are left alone.
    pub async fn append_slices(&self, epoch: i64, names: &Dictionary, slices: &[SliceBlob]) -> Result<()>
    while "appending slices" {
        let mut tx = self.begin_under(epoch).await?;
        Self::put_names(&mut tx, names).await?;
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
        Ok(tx.commit().await?)
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

    /// All names.
    pub async fn dictionary(&self) -> Result<Dictionary>
    while "reading names of series" {
        let series: Vec<(i64, String)> =
            sqlx::query_as("select id, key from series order by id").fetch_all(&self.reader).await?;
        let groups: Vec<(i64, i64, String)> =
            sqlx::query_as("select id, series_id, labels from series_groups order by id")
                .fetch_all(&self.reader)
                .await?;
        Ok(Dictionary {
            series: series.into_iter().map(|(id, key)| SeriesName { id, key }).collect(),
            groups: groups.into_iter().map(|(id, series_id, labels)| GroupName { id, series_id, labels }).collect(),
        })
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
        tx.commit().await?;
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

each! {
    impl super::backend::Db<Database> {
        async fn put_names(tx: &mut Transaction<'static, Database>, names: &Dictionary) -> Result<(), Fault> {
            for chunk in names.series.chunks(CHUNK) {
                QueryBuilder::<Database>::new("insert into series (id, key) ")
                    .push_values(chunk, |mut row, name| {
                        row.push_bind(name.id).push_bind(&name.key);
                    })
                    .push(" on conflict (id) do nothing")
                    .build()
                    .persistent(false)
                    .execute(&mut **tx)
                    .await?;
            }
            for chunk in names.groups.chunks(CHUNK) {
                QueryBuilder::<Database>::new("insert into series_groups (id, series_id, labels) ")
                    .push_values(chunk, |mut row, name| {
                        row.push_bind(name.id).push_bind(name.series_id).push_bind(&name.labels);
                    })
                    .push(" on conflict (id) do nothing")
                    .build()
                    .persistent(false)
                    .execute(&mut **tx)
                    .await?;
            }
            Ok(())
        }
    }
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
