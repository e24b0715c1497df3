//! Decisions that were committed, by number. A commit without an answer in time may have happened
//! all the same; whoever decided it asks here, or commits it again under the same number.

use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::Transaction;

use super::backend::{Store, both, each};
use super::error::Fault;

/// Newest numbers that are remembered. A decision in doubt is settled before the next one is made.
const KEPT: i64 = 1000;

impl Store {
    /// A number for one decision, which no other decision under the same lease has.
    pub fn new_number(&self) -> i64 {
        let numbers: &AtomicI64 = match self {
            Self::Sqlite(db) => &db.numbers,
            Self::Postgres(db) => &db.numbers,
        };
        numbers.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }
}

both! {
    /// Whether the decision of this number was committed, for certain: it waits for a commit that is
    /// still under way. True for one of the newest 1,000 that was.
    pub async fn is_decided(&self, epoch: i64, number: i64) -> Result<bool>
    while "asking whether a decision was committed" {
        // The lock on the lease is what waits for a commit that nobody waits for any more.
        let mut tx = self.begin_under(epoch).await?;
        let found: i64 = sqlx::query_scalar("select count(*) from decided where epoch = $1 and number = $2")
            .bind(epoch)
            .bind(number)
            .fetch_one(&mut *tx)
            .await?;
        Ok(found > 0)
    }
}

each! {
    impl super::backend::Db<Database> {
        /// Notes that a decision is made in this transaction; false when it was made before. One
        /// without a number is always new.
        pub(super) async fn is_new(
            tx: &mut Transaction<'static, Database>,
            epoch: i64,
            number: Option<i64>,
        ) -> Result<bool, Fault> {
            let Some(number) = number else { return Ok(true) };
            let noted = sqlx::query(
                "insert into decided (epoch, number) values ($1, $2) on conflict (epoch, number) do nothing",
            )
            .bind(epoch)
            .bind(number)
            .execute(&mut **tx)
            .await?
            .rows_affected();
            // Nothing of an earlier lease can be committed any more.
            sqlx::query("delete from decided where epoch < $1 or (epoch = $1 and number <= $2)")
                .bind(epoch)
                .bind(number.saturating_sub(KEPT))
                .execute(&mut **tx)
                .await?;
            Ok(noted > 0)
        }
    }
}
