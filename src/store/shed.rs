//! What gives way when too much waits for one receiver. A decision is never refused for it, no other
//! receiver feels it, and no page is dropped: a firing whose end waits behind it is left to that
//! message, which tells both; then the oldest tickets are given up, told ends last, as somebody waits
//! for them. Pages alone may exceed the limit: one message for each incident that nobody was told of.

use std::collections::BTreeSet;

use sqlx::Transaction;

use super::backend::each;
use super::decisions::OutboxPut;
use super::error::Fault;

/// Why a ticket was given up, in the listing of deliveries.
const REASON: &str =
    "dropped to make room: too many messages waited for this receiver, and tickets give way first";

each! {
    impl super::backend::Db<Database> {
        /// Brings every receiver of `puts` back to the limit, as far as that loses no page.
        pub(super) async fn make_room(
            &self,
            tx: &mut Transaction<'static, Database>,
            puts: &[OutboxPut],
        ) -> Result<(), Fault> {
            let now = puts.iter().map(|put| put.created_at).max().unwrap_or_default();
            let receivers: BTreeSet<&str> = puts.iter().map(|put| put.receiver.as_str()).collect();
            for receiver in receivers {
                let limit = self.options.outbox_rows;
                let over = Self::pending(tx, receiver).await? - limit;
                if over <= 0 {
                    continue;
                }
                let left = over - Self::leave_to_resolves(tx, receiver, now, over).await?;
                let shed = if left > 0 { Self::shed_tickets(tx, receiver, now, left).await? } else { 0 };
                if shed > 0 {
                    tracing::error!(receiver, shed, limit, "tickets are dropped: the receiver takes too little");
                }
                if left > shed {
                    tracing::error!(receiver, limit, "more pages wait for the receiver than its limit; they are kept");
                }
            }
            Ok(())
        }

        async fn pending(tx: &mut Transaction<'static, Database>, receiver: &str) -> Result<i64, Fault> {
            let waiting = sqlx::query_scalar(
                "select count(*) from outbox where status = 'pending' and receiver = $1",
            );
            Ok(waiting.bind(receiver).fetch_one(&mut **tx).await?)
        }

        async fn leave_to_resolves(
            tx: &mut Transaction<'static, Database>,
            receiver: &str,
            now: i64,
            most: i64,
        ) -> Result<i64, Fault> {
            let left = sqlx::query(
                "update outbox
                    set status = 'superseded', finished_at = $1,
                        superseded_by = (select min(r.id) from outbox r
                                          where r.receiver = outbox.receiver and r.incident = outbox.incident
                                            and r.event = 'resolved' and r.status = 'pending')
                  where seq in (select f.seq from outbox f
                                 where f.receiver = $2 and f.status = 'pending' and f.event = 'firing'
                                   and exists (select 1 from outbox r
                                                where r.receiver = f.receiver and r.incident = f.incident
                                                  and r.event = 'resolved' and r.status = 'pending')
                                 order by f.seq limit $3)",
            );
            let left = left.bind(now).bind(receiver).bind(most).execute(&mut **tx).await?.rows_affected();
            Ok(i64::try_from(left).unwrap_or(i64::MAX))
        }

        async fn shed_tickets(
            tx: &mut Transaction<'static, Database>,
            receiver: &str,
            now: i64,
            most: i64,
        ) -> Result<i64, Fault> {
            let shed = sqlx::query(
                "update outbox set status = 'dead', finished_at = $1, last_error = $2
                  where seq in (select t.seq from outbox t
                                 where t.receiver = $3 and t.status = 'pending' and t.severity = 'ticket'
                                 order by case t.event when 'resolved' then 1 else 0 end, t.seq limit $4)",
            )
            .bind(now)
            .bind(REASON)
            .bind(receiver)
            .bind(most)
            .execute(&mut **tx)
            .await?
            .rows_affected();
            let shed = i64::try_from(shed).unwrap_or(i64::MAX);
            if shed > 0 {
                sqlx::query(
                    "insert into counters (name, value) values ($1, $2)
                     on conflict (name) do update set value = counters.value + excluded.value",
                )
                .bind(format!("shed:{receiver}"))
                .bind(shed)
                .execute(&mut **tx)
                .await?;
            }
            Ok(shed)
        }
    }
}
