//! The outbox as decisions write it: messages that are owed, and those that another one replaces.

use sqlx::{QueryBuilder, Transaction};

use super::backend::each;
use super::decisions::{CHUNK, Delivered, OutboxPut, Superseded};
use super::error::Fault;

each! {
    impl super::backend::Db<Database> {
        /// Adds what is not there yet, by id, and what is owed again after it was given up; returns how
        /// many. Beyond the limit others make room.
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
                let added = QueryBuilder::<Database>::new(
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
                new += added;
                if added < u64::try_from(chunk.len()).unwrap_or(u64::MAX) {
                    for (_, put) in chunk {
                        new += Self::owe_again(tx, put).await?;
                    }
                }
            }
            if new > 0 {
                self.make_room(tx, puts).await?;
            }
            Ok(new)
        }

        /// A message of this id that was given up, or left to another one, told its receiver nothing: it
        /// waits again where it is owed in another one's stead, or was, unless the end of its incident
        /// was owed since. A repeat of its own decision brings nothing back.
        async fn owe_again(tx: &mut Transaction<'static, Database>, put: &OutboxPut) -> Result<u64, Fault> {
            let again = sqlx::query(
                "update outbox
                    set status = 'pending', attempts = 0, next_at = $1, finished_at = null,
                        superseded_by = null, fallback_of = $2
                  where id = $3 and status in ('dead', 'superseded')
                    and (fallback_of is not null or $2 is not null)
                    and not exists (select 1 from outbox ending
                                     where ending.receiver = outbox.receiver
                                       and ending.incident = outbox.incident
                                       and ending.event = 'resolved' and ending.seq > outbox.seq)",
            );
            let again = again.bind(put.not_before).bind(put.fallback_of.as_deref()).bind(&put.id);
            Ok(again.execute(&mut **tx).await?.rows_affected())
        }

        /// Receivers have these already.
        pub(super) async fn put_delivered(
            tx: &mut Transaction<'static, Database>,
            rows: &[Delivered],
        ) -> Result<(), Fault> {
            for row in rows {
                sqlx::query(
                    "update outbox set status = 'delivered', finished_at = $1, last_error = null
                      where id = $2 and status <> 'delivered'",
                )
                .bind(row.at)
                .bind(&row.id)
                .execute(&mut **tx)
                .await?;
            }
            Ok(())
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
