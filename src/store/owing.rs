//! The outbox as decisions write it: messages that are owed, and those that another one replaces.

use sqlx::{QueryBuilder, Transaction};

use super::backend::each;
use super::decisions::{CHUNK, OutboxPut, Superseded};
use super::error::Fault;

each! {
    impl super::backend::Db<Database> {
        /// Adds what is not there yet, by id; returns how many. Beyond the limit others make room.
        pub(super) async fn put_outbox(
            &self,
            tx: &mut Transaction<'static, Database>,
            puts: &[OutboxPut],
        ) -> Result<u64, Fault> {
            if puts.is_empty() {
                return Ok(0);
            }
            let first = Self::reserve(tx, "outbox", puts.len()).await?;
            let rows: Vec<(i64, &OutboxPut)> = (first..).zip(puts).collect();
            let mut new = 0;
            for chunk in rows.chunks(CHUNK) {
                new += QueryBuilder::<Database>::new(
                    "insert into outbox (seq, id, receiver, incident, event, severity, payload, created_at,
                                         attempts, next_at, status, fallback_of) ",
                )
                .push_values(chunk, |mut row, (seq, put)| {
                    row.push_bind(*seq)
                        .push_bind(&put.id)
                        .push_bind(&put.receiver)
                        .push_bind(&put.incident)
                        .push_bind(&put.event)
                        .push_bind(put.severity.as_str())
                        .push_bind(&put.payload)
                        .push_bind(put.created_at)
                        .push_bind(0_i64)
                        .push_bind(put.not_before)
                        .push("'pending'")
                        .push_bind(put.fallback_of.as_deref());
                })
                .push(" on conflict (id) do nothing")
                .build()
                .persistent(false)
                .execute(&mut **tx)
                .await?
                .rows_affected();
            }
            if new > 0 {
                self.make_room(tx, puts).await?;
            }
            Ok(new)
        }

        /// Only pending messages can be superseded, and only by one that is there; one under way is
        /// marked delivered if it arrives.
        pub(super) async fn put_superseded(
            tx: &mut Transaction<'static, Database>,
            rows: &[Superseded],
        ) -> Result<(), Fault> {
            for row in rows {
                sqlx::query(
                    "update outbox
                        set status = 'superseded', superseded_by = $1,
                            finished_at = (select other.created_at from outbox other where other.id = $1)
                      where id = $2 and id <> $1 and status = 'pending'
                        and exists (select 1 from outbox other where other.id = $1)",
                )
                .bind(&row.by)
                .bind(&row.id)
                .execute(&mut **tx)
                .await?;
            }
            Ok(())
        }
    }
}
