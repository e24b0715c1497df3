//! The outbox as the delivery loop uses it: what is due, and what became of it. Marks are made by
//! the lease holder only.

use super::backend::both;
use super::outbox::{Columns, OutboxRow, columns};
use super::{PAGE, PRUNE};
use crate::slo::model::Severity;

/// The order in which a queue is served.
const URGENT_FIRST: [Severity; 2] = [Severity::Page, Severity::Ticket];

/// The longest error text kept, in characters.
const ERROR_CHARS: usize = 2000;

/// A receiver's words, cut, and without the NUL that PostgreSQL refuses.
pub(super) fn clean(error: &str) -> String {
    error.chars().filter(|c| *c != '\0').take(ERROR_CHARS).collect()
}

/// The oldest pending message of its receiver and incident, of one severity: the only one that may be sent.
macro_rules! head {
    () => {
        " o.receiver = $1 and o.status = 'pending' and o.severity = $2
          and not exists (
              select 1 from outbox earlier
               where earlier.status = 'pending' and earlier.receiver = o.receiver
                 and earlier.incident = o.incident and earlier.seq < o.seq) "
    };
}

both! {
    /// Messages to send to one receiver now, pages before tickets, then longest due first, at most
    /// [`PAGE`]; of each incident only the oldest pending one, so that a resolve never overtakes its firing.
    pub async fn due(&self, receiver: &str, now_ms: i64, limit: i64) -> Result<Vec<OutboxRow>>
    while "reading what is due" {
        self.is_ours()?;
        let mut left = limit.clamp(1, PAGE);
        let mut due = Vec::new();
        for severity in URGENT_FIRST {
            let rows: Vec<Columns> = sqlx::query_as(concat!(
                "select ", columns!(), " from outbox o where", head!(),
                "and o.next_at <= $3 order by o.next_at, o.seq limit $4",
            ))
            .bind(receiver)
            .bind(severity.as_str())
            .bind(now_ms)
            .bind(left)
            .fetch_all(&self.queue)
            .await?;
            left -= i64::try_from(rows.len()).unwrap_or(left);
            due.extend(rows);
            if left <= 0 {
                break;
            }
        }
        due.into_iter().map(OutboxRow::read).collect()
    }

    /// When the next message to a receiver may be sent; `None` when nothing is pending.
    pub async fn next_due(&self, receiver: &str) -> Result<Option<i64>>
    while "reading when something is due" {
        let mut soonest: Option<i64> = None;
        for severity in URGENT_FIRST {
            let next: Option<i64> = sqlx::query_scalar(concat!(
                "select o.next_at from outbox o where", head!(), "order by o.next_at limit 1",
            ))
            .bind(receiver)
            .bind(severity.as_str())
            .fetch_optional(&self.queue)
            .await?;
            soonest = soonest.into_iter().chain(next).min();
        }
        Ok(soonest)
    }

    /// The id of a message to the same receiver about the same incident that waits behind this one.
    pub async fn waits_behind(&self, row: &OutboxRow) -> Result<Option<String>>
    while "reading what waits behind a message" {
        let id = sqlx::query_scalar(
            "select id from outbox
              where status = 'pending' and receiver = $1 and incident = $2 and seq > $3
              order by seq desc limit 1",
        );
        Ok(id.bind(&row.receiver).bind(&row.incident).bind(row.seq).fetch_optional(&self.queue).await?)
    }

    /// The id of the message by which a receiver is or was told of an event. What was given up, or left
    /// to another receiver's message, tells it nothing.
    pub async fn told_as(&self, receiver: &str, incident: &str, event: &str) -> Result<Option<String>>
    while "reading who was told" {
        let id = sqlx::query_scalar(
            "select id from outbox o
              where incident = $1 and event = $2 and receiver = $3 and status <> 'dead'
                and not exists (select 1 from outbox other
                                 where other.id = o.superseded_by and other.receiver <> o.receiver)
              order by seq desc limit 1",
        );
        Ok(id.bind(incident).bind(event).bind(receiver).fetch_optional(&self.queue).await?)
    }

    /// Messages that would wait for longer than `most_ms` are due now: a clock that was ahead put them
    /// off. Returns how many.
    pub async fn hasten(&self, epoch: i64, receiver: &str, now_ms: i64, most_ms: i64) -> Result<u64>
    while "correcting when something is due" {
        let mut tx = self.begin_under(epoch).await?;
        let hastened = sqlx::query(
            "update outbox set next_at = $1 where receiver = $2 and status = 'pending' and next_at > $3",
        )
        .bind(now_ms)
        .bind(receiver)
        .bind(now_ms.saturating_add(most_ms))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        Self::end(tx).await?;
        Ok(hastened)
    }

    /// The receiver has it. False when there is no such message or it was delivered before.
    pub async fn delivered(&self, epoch: i64, id: &str, at_ms: i64) -> Result<bool>
    while "marking a delivery" {
        let mut tx = self.begin_under(epoch).await?;
        let changed = sqlx::query(
            "update outbox set status = 'delivered', finished_at = $1, last_error = null
              where id = $2 and status <> 'delivered'",
        )
        .bind(at_ms)
        .bind(id)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        Self::end(tx).await?;
        Ok(changed > 0)
    }

    /// An attempt failed; `attempts` so far, the next one at `next_at_ms`. False unless it is pending.
    pub async fn failed(
        &self,
        epoch: i64,
        id: &str,
        attempts: i64,
        next_at_ms: i64,
        error: &str,
    ) -> Result<bool>
    while "marking a failed delivery" {
        let mut tx = self.begin_under(epoch).await?;
        let changed = sqlx::query(
            "update outbox set attempts = $1, next_at = $2, last_error = $3
              where id = $4 and status = 'pending'",
        )
        .bind(attempts)
        .bind(next_at_ms)
        .bind(clean(error))
        .bind(id)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        Self::end(tx).await?;
        Ok(changed > 0)
    }

    /// Gives a message up. False unless it is pending.
    pub async fn dead(&self, epoch: i64, id: &str, at_ms: i64, error: &str) -> Result<bool>
    while "giving a delivery up" {
        let mut tx = self.begin_under(epoch).await?;
        let changed = sqlx::query(
            "update outbox set status = 'dead', attempts = attempts + 1, finished_at = $1, last_error = $2
              where id = $3 and status = 'pending'",
        )
        .bind(at_ms)
        .bind(clean(error))
        .bind(id)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        Self::end(tx).await?;
        Ok(changed > 0)
    }

    /// Sends a finished message again, from now on. False when there is none or it is pending anyway.
    pub async fn resend(&self, epoch: i64, id: &str, now_ms: i64) -> Result<bool>
    while "queueing a delivery again" {
        let mut tx = self.begin_under(epoch).await?;
        let changed = sqlx::query(
            "update outbox
                set status = 'pending', attempts = 0, next_at = $1, finished_at = null, superseded_by = null
              where id = $2 and status <> 'pending'",
        )
        .bind(now_ms)
        .bind(id)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        Self::end(tx).await?;
        Ok(changed > 0)
    }

    /// Deletes up to [`PRUNE`] messages finished before a moment; returns how many. A stand-in that was
    /// told "firing" stays until it is owed "resolved": it is how that is known.
    pub async fn prune_outbox(&self, epoch: i64, before_ms: i64) -> Result<u64>
    while "pruning deliveries" {
        let mut tx = self.begin_under(epoch).await?;
        let pruned = sqlx::query(
            "delete from outbox where seq in (
                 select f.seq from outbox f
                  where f.status <> 'pending' and f.finished_at < $1
                    and (f.event <> 'firing' or f.fallback_of is null or exists (
                             select 1 from outbox g
                              where g.receiver = f.receiver and g.incident = f.incident
                                and g.event = 'resolved'))
                  order by f.finished_at limit $2)",
        )
        .bind(before_ms)
        .bind(PRUNE.cast_signed())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        Self::end(tx).await?;
        Ok(pruned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_cut_and_hold_no_nul() {
        assert_eq!(clean("a\0b"), "ab");
        assert_eq!(clean(&"é".repeat(5000)).chars().count(), ERROR_CHARS);
    }
}
