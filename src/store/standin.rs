//! What another receiver is told in the stead of one that takes nothing: found by looking at what
//! was told to whom, so that no crash between two writes can lose it.

use super::PAGE;
use super::backend::both;
use super::levels::{Columns as LevelColumns, LevelRow};
use super::outbox::{Columns, OutboxRow, columns};

/// Nobody else was told in another's stead that the incident of `o` fires, and the fallback (`$4`) is
/// not owed it: not that of a message which still waits, was given up or left to another one, as none
/// of these told anybody. What the fallback was owed as such and was given up is not owed again, or
/// this would not end.
macro_rules! told_nowhere_else {
    () => {
        " and not exists (select 1 from outbox s
                           where s.incident = o.incident and s.event = 'firing' and s.receiver <> o.receiver
                             and (s.status = 'delivered' and s.fallback_of is not null
                                  or s.receiver = $4 and (s.status in ('pending', 'delivered')
                                                          or s.status = 'dead' and s.fallback_of is not null)))
          and not exists (select 1 from levels s
                           where s.incident = o.incident and s.receiver <> o.receiver
                             and (s.receiver = $4 or s.last_sent_at is not null)) "
    };
}

/// A stand-in `f` in the outbox that was owed "firing" and not yet "resolved".
macro_rules! stand_in {
    () => {
        " f.event = 'firing' and f.fallback_of is not null
          and not exists (select 1 from outbox g
                           where g.receiver = f.receiver and g.incident = f.incident and g.event = 'resolved') "
    };
}

both! {
    /// Firing pages that one receiver has not taken since before a moment, of incidents that are
    /// not over and that neither `fallback` nor anybody else was told of; the oldest first.
    pub async fn overdue(
        &self,
        receiver: &str,
        fallback: &str,
        created_before_ms: i64,
        limit: i64,
    ) -> Result<Vec<OutboxRow>>
    while "reading what waits too long" {
        let rows: Vec<Columns> = sqlx::query_as(concat!(
            "select ", columns!(), " from outbox o
              where o.receiver = $1 and o.status = 'pending' and o.severity = 'page'
                and o.event = 'firing' and o.created_at <= $2
                and not exists (select 1 from outbox r
                                 where r.incident = o.incident and r.receiver = o.receiver
                                   and r.event = 'resolved') ", told_nowhere_else!(),
            "order by o.seq limit $3",
        ))
        .bind(receiver)
        .bind(created_before_ms)
        .bind(limit.clamp(1, PAGE))
        .bind(fallback)
        .fetch_all(&self.queue)
        .await?;
        rows.into_iter().map(OutboxRow::read).collect()
    }

    /// The same for a receiver that is told the present state: pages that fire and were never taken.
    pub async fn levels_overdue(
        &self,
        receiver: &str,
        fallback: &str,
        since_before_ms: i64,
        limit: i64,
    ) -> Result<Vec<LevelRow>>
    while "reading what waits too long" {
        let rows: Vec<LevelColumns> = sqlx::query_as(concat!(
            "select receiver, incident, payload, state, since, resend_until, last_sent_at, last_error
               from levels o
              where o.receiver = $1 and o.severity = 'page' and o.state = 'firing'
                and o.last_sent_at is null and o.since <= $2 ",
            told_nowhere_else!(), "order by o.since limit $3",
        ))
        .bind(receiver)
        .bind(since_before_ms)
        .bind(limit.clamp(1, PAGE))
        .bind(fallback)
        .fetch_all(&self.queue)
        .await?;
        rows.into_iter().map(LevelRow::read).collect()
    }

    /// Names of the receivers that something waits for, whether or not they are in the settings.
    pub async fn waited_for(&self) -> Result<Vec<String>>
    while "reading who is waited for" {
        let names = sqlx::query_scalar(
            "select receiver from outbox where status = 'pending' union select receiver from levels",
        );
        Ok(names.fetch_all(&self.queue).await?)
    }

    /// Stand-ins that were owed "firing" and are not yet owed the "resolved" that came since: its
    /// payload, and the receiver that stands in.
    pub async fn resolves_to_pass_on(&self) -> Result<Vec<(String, String)>>
    while "reading which resolves to pass on" {
        let rows = sqlx::query_as(concat!(
            "select r.payload, f.receiver from outbox f
               join outbox r on r.incident = f.incident and r.event = 'resolved' and r.fallback_of is null
              where", stand_in!(),
            "union all
             select r.payload, f.receiver from outbox f
               join levels r on r.incident = f.incident and r.state = 'resolved'
              where", stand_in!(),
            "union all
             select r.payload, f.receiver from levels f
               join outbox r on r.incident = f.incident and r.event = 'resolved' and r.fallback_of is null
                            and r.receiver <> f.receiver
              where f.state = 'firing'
             union all
             select r.payload, f.receiver from levels f
               join levels r on r.incident = f.incident and r.state = 'resolved'
                            and r.receiver <> f.receiver
              where f.state = 'firing'
              limit $1",
        ));
        Ok(rows.bind(PAGE).fetch_all(&self.queue).await?)
    }
}
