//! Who leads: one row with a holder, an epoch and an end. The epoch only ever grows, and everything
//! a leader writes names it, so that a leader which was replaced, and does not know it yet, writes nothing.

use sqlx::Transaction;

use super::backend::{both, each};
use super::error::Fault;

/// What asking for the lease gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lease {
    /// This caller leads, under this epoch.
    Acquired {
        /// To be named with every write.
        epoch: i64,
    },
    /// Somebody leads; ask again later.
    HeldBy {
        /// The name it gave.
        holder: String,
        /// When its lease ends, in milliseconds since the epoch, unless renewed.
        until_ms: i64,
    },
}

each! {
    impl super::backend::Db<Database> {
        /// Begins a transaction that may write.
        pub(super) async fn begin(&self) -> Result<Transaction<'static, Database>, Fault> {
            self.in_place()?;
            match self.writer.begin_with(Self::BEGIN).await {
                // SQLite ends a transaction by itself where the disk is full or fails. The library then
                // counts one that is no more, and the connection would never begin another one.
                Err(sqlx::Error::InvalidSavePointStatement) => {
                    self.writer.acquire().await?.close().await?;
                    Ok(self.writer.begin_with(Self::BEGIN).await?)
                }
                begun => Ok(begun?),
            }
        }

        /// The same under the lease. The row stays locked to the end, so that a take-over waits for
        /// this transaction, and this one for a take-over.
        pub(super) async fn begin_under(&self, epoch: i64) -> Result<Transaction<'static, Database>, Fault> {
            let mut tx = self.begin().await?;
            let held = sqlx::query("update lease set epoch = epoch where id = 1 and epoch = $1")
                .bind(epoch)
                .execute(&mut *tx)
                .await?
                .rows_affected();
            if held == 1 { Ok(tx) } else { Err(Fault::LostLease) }
        }

        /// Stamps what is written to a file, so that an older copy of it can be told from it.
        async fn stamp(&self, tx: &mut Transaction<'static, Database>) -> Result<(), Fault> {
            let Some(file) = &self.file else { return Ok(()) };
            let last: i64 = sqlx::query_scalar("pragma user_version").fetch_one(&mut **tx).await?;
            let stamp = format!("pragma user_version = {}", file.stamp(last));
            sqlx::raw_sql(sqlx::AssertSqlSafe(stamp)).execute(&mut **tx).await?;
            Ok(())
        }

        /// Commits what is written.
        pub(super) async fn end(tx: Transaction<'static, Database>) -> Result<(), Fault> {
            reach!(Inside, crate::failpoint::inside());
            Ok(tx.commit().await?)
        }

        /// Reserves `count` numbers of a sequence and returns the first. Order of numbers is order of commits.
        pub(super) async fn reserve(
            tx: &mut Transaction<'static, Database>,
            sequence: &'static str,
            count: usize,
        ) -> Result<i64, Fault> {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let last: i64 =
                sqlx::query_scalar("update counters set value = value + $1 where name = $2 returning value")
                    .bind(count)
                    .bind(sequence)
                    .fetch_one(&mut **tx)
                    .await?;
            Ok(last - count + 1)
        }
    }
}

both! {
    /// Asks for the lease from `now_ms` for `ttl_ms`. `holder` must be a name that no two living
    /// processes can have at once: a lease held under it is a dead predecessor's, and is taken over at
    /// once. On SQLite the file's lock proves the same of every holder.
    pub async fn acquire(&self, holder: &str, now_ms: i64, ttl_ms: i64) -> Result<Lease>
    while "asking for the lease" {
        let mut tx = self.begin().await?;
        let ended_by = if self.lock.is_some() { i64::MAX } else { now_ms };
        let epoch: Option<i64> = sqlx::query_scalar(
            "insert into lease (id, holder, epoch, until_ms) values (1, $1, 1, $2)
             on conflict (id) do update
                set holder = excluded.holder, epoch = lease.epoch + 1, until_ms = excluded.until_ms
              where lease.until_ms <= $3 or lease.holder = excluded.holder
             returning epoch",
        )
        .bind(holder)
        .bind(now_ms.saturating_add(ttl_ms))
        .bind(ended_by)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(epoch) = epoch {
            Self::end(tx).await?;
            return Ok(Lease::Acquired { epoch });
        }
        let (holder, until_ms) =
            sqlx::query_as("select holder, until_ms from lease where id = 1").fetch_one(&mut *tx).await?;
        Ok(Lease::HeldBy { holder, until_ms })
    }

    /// Keeps the lease until `now_ms + ttl_ms`. A lease that ended but was not taken over is kept too.
    pub async fn renew(&self, epoch: i64, now_ms: i64, ttl_ms: i64) -> Result<()>
    while "renewing the lease" {
        let mut tx = self.begin_under(epoch).await?;
        sqlx::query("update lease set until_ms = $1 where id = 1")
            .bind(now_ms.saturating_add(ttl_ms))
            .execute(&mut *tx)
            .await?;
        self.stamp(&mut tx).await?;
        Self::end(tx).await
    }

    /// Gives the lease up, so that the next replica need not wait for its end. The epoch stops being
    /// valid with it.
    pub async fn release(&self, epoch: i64) -> Result<()>
    while "releasing the lease" {
        let mut tx = self.begin_under(epoch).await?;
        sqlx::query("update lease set until_ms = 0, epoch = epoch + 1 where id = 1").execute(&mut *tx).await?;
        Self::end(tx).await
    }

    /// Whether the database answers, through the connections that write.
    pub async fn ping(&self) -> Result<()>
    while "asking whether it lives" {
        self.sound()?;
        sqlx::query("select 1").execute(&self.writer).await?;
        Ok(())
    }
}
