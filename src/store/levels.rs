//! Level rows: the present state of each incident, for receivers that are told again and again
//! (Alertmanager). One row per receiver and incident, overwritten by decisions, read by the loop.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Transaction};

use super::backend::{both, each};
use super::decisions::{CHUNK, LevelPut};
use super::error::Fault;
use super::queue::clean;
use super::{PAGE, PRUNE};

/// Rows that failed are tried again after this: a receiver that refuses some is not asked all the time.
const RETRY_MS: i64 = 5000;

/// Firing or resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LevelState {
    /// Repeated until it is resolved.
    Firing,
    /// Repeated until `resend_until`, then forgotten.
    Resolved,
}

impl LevelState {
    /// `firing` or `resolved`, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }

    fn read(text: &str) -> Result<Self, Fault> {
        match text {
            "firing" => Ok(Self::Firing),
            "resolved" => Ok(Self::Resolved),
            _ => Err(Fault::Damaged(format!("a level row has the state {text:?}"))),
        }
    }
}

/// The present state of one incident at one receiver. Times are milliseconds since the epoch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LevelRow {
    /// The receiver's name.
    pub receiver: String,
    /// The incident.
    pub incident: String,
    /// JSON.
    pub payload: String,
    /// Firing or resolved.
    pub state: LevelState,
    /// Since when it is so.
    pub since: i64,
    /// How long a resolved one is repeated.
    pub resend_until: i64,
    /// When this state was last told; `None` until it was.
    pub last_sent_at: Option<i64>,
    /// Why telling it failed last.
    pub last_error: Option<String>,
}

pub(super) type Columns = (String, String, String, String, i64, i64, Option<i64>, Option<String>);

impl LevelRow {
    pub(super) fn read(row: Columns) -> Result<Self, Fault> {
        let (receiver, incident, payload, state, since, resend_until, last_sent_at, last_error) = row;
        let state = LevelState::read(&state)?;
        Ok(Self { receiver, incident, payload, state, since, resend_until, last_sent_at, last_error })
    }
}

both! {
    /// Rows of a receiver that are to be told at `now_ms`: those never tried, those told `resend_ms`
    /// ago, and those that failed five seconds ago. Pages before tickets, then those never tried, then
    /// those tried the longest ago; at most [`PAGE`], after the first `skip`. A time still to come was
    /// a clock's mistake.
    ///
    /// The end of an incident is left out once the same alert fires again or ended later: told after
    /// that, it would end what fires now. Rows without a subject are older than that column.
    pub async fn levels_due(
        &self,
        receiver: &str,
        now_ms: i64,
        resend_ms: i64,
        skip: i64,
        limit: i64,
    ) -> Result<Vec<LevelRow>>
    while "reading levels" {
        self.is_ours()?;
        let rows: Vec<Columns> = sqlx::query_as(
            "select receiver, incident, payload, state, since, resend_until, last_sent_at, last_error
               from levels
              where receiver = $1
                and (tried_at is null or tried_at <= $2 or tried_at > $4)
                and (last_sent_at is null or last_sent_at <= $3 or last_sent_at > $4)
                and (state = 'firing' or subject = '' or not exists (
                    select 1 from levels other
                     where other.receiver = levels.receiver and other.subject = levels.subject
                       and other.incident <> levels.incident
                       and (other.state = 'firing' or other.since > levels.since)))
              order by severity, coalesce(tried_at, -1), incident limit $5 offset $6",
        )
        .bind(receiver)
        .bind(now_ms.saturating_sub(RETRY_MS))
        .bind(now_ms.saturating_sub(resend_ms))
        .bind(now_ms)
        .bind(limit.clamp(1, PAGE))
        .bind(skip.max(0))
        .fetch_all(&self.queue)
        .await?;
        rows.into_iter().map(LevelRow::read).collect()
    }

    /// The receiver was told these rows. One that has changed meanwhile is left to be told.
    pub async fn levels_sent(&self, epoch: i64, rows: &[LevelRow], at_ms: i64) -> Result<()>
    while "marking levels as told" {
        let mut tx = self.begin_under(epoch).await?;
        for row in rows {
            sqlx::query(
                "update levels set last_sent_at = $1, tried_at = $1, last_error = null
                  where receiver = $2 and incident = $3 and state = $4 and since = $5",
            )
            .bind(at_ms)
            .bind(&row.receiver)
            .bind(&row.incident)
            .bind(row.state.as_str())
            .bind(row.since)
            .execute(&mut *tx)
            .await?;
        }
        Self::end(tx).await
    }

    /// Telling the receiver failed; its rows stay due, behind those not tried yet. One that has
    /// changed meanwhile was not tried.
    pub async fn levels_failed(&self, epoch: i64, rows: &[LevelRow], error: &str, at_ms: i64) -> Result<()>
    while "marking levels as failed" {
        let mut tx = self.begin_under(epoch).await?;
        let error = clean(error);
        for row in rows {
            sqlx::query(
                "update levels set last_error = $1, tried_at = $2
                  where receiver = $3 and incident = $4 and state = $5 and since = $6",
            )
            .bind(&error)
            .bind(at_ms)
            .bind(&row.receiver)
            .bind(&row.incident)
            .bind(row.state.as_str())
            .bind(row.since)
            .execute(&mut *tx)
            .await?;
        }
        Self::end(tx).await
    }

    /// Whether a receiver is told the state of an incident.
    pub async fn has_level(&self, receiver: &str, incident: &str) -> Result<bool>
    while "reading a level" {
        let found: i64 =
            sqlx::query_scalar("select count(*) from levels where receiver = $1 and incident = $2")
                .bind(receiver)
                .bind(incident)
                .fetch_one(&self.queue)
                .await?;
        Ok(found > 0)
    }

    /// Forgets one row, as its receiver is no more.
    pub async fn remove_level(&self, epoch: i64, receiver: &str, incident: &str) -> Result<()>
    while "removing a level" {
        let mut tx = self.begin_under(epoch).await?;
        sqlx::query("delete from levels where receiver = $1 and incident = $2")
            .bind(receiver)
            .bind(incident)
            .execute(&mut *tx)
            .await?;
        Self::end(tx).await
    }

    /// Forgets up to [`PRUNE`] resolved rows that were told and repeated long enough, or that were
    /// not to be told and are resolved since before `give_up_before_ms`; returns how many.
    pub async fn prune_levels(&self, epoch: i64, now_ms: i64, give_up_before_ms: i64) -> Result<u64>
    while "pruning levels" {
        let mut tx = self.begin_under(epoch).await?;
        let pruned = sqlx::query(
            "delete from levels where (receiver, incident) in (
                 select receiver, incident from levels
                  where state = 'resolved'
                    and ((last_sent_at is not null and resend_until <= $1) or since < $2)
                  limit $3)",
        )
        .bind(now_ms)
        .bind(give_up_before_ms)
        .bind(PRUNE.cast_signed())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        Self::end(tx).await?;
        Ok(pruned)
    }
}

each! {
    impl super::backend::Db<Database> {
        /// A row whose state or time changed counts as not told yet; one that only changed its words does not.
        pub(super) async fn put_levels(
            tx: &mut Transaction<'static, Database>,
            puts: &[LevelPut],
        ) -> Result<(), Fault> {
            // PostgreSQL refuses to update one row twice in a statement: the last one counts.
            let unique: BTreeMap<_, _> = puts.iter().map(|put| ((&put.receiver, &put.incident), put)).collect();
            let puts: Vec<&LevelPut> = unique.into_values().collect();
            for chunk in puts.chunks(CHUNK) {
                QueryBuilder::<Database>::new(
                    "insert into levels (receiver, incident, subject, payload, severity, state, since, resend_until) ",
                )
                .push_values(chunk, |mut row, put| {
                    row.push_bind(&put.receiver)
                        .push_bind(&put.incident)
                        .push_bind(&put.subject)
                        .push_bind(&put.payload)
                        .push_bind(put.severity.as_str())
                        .push_bind(put.state.as_str())
                        .push_bind(put.since)
                        .push_bind(put.resend_until);
                })
                .push(
                    " on conflict (receiver, incident) do update
                         set subject = excluded.subject, payload = excluded.payload, severity = excluded.severity,
                             state = excluded.state, since = excluded.since,
                             resend_until = excluded.resend_until,
                             last_sent_at = case
                                 when levels.state = excluded.state and levels.since = excluded.since
                                 then levels.last_sent_at end,
                             tried_at = case
                                 when levels.state = excluded.state and levels.since = excluded.since
                                 then levels.tried_at end",
                )
                .build()
                .persistent(false)
                .execute(&mut **tx)
                .await?;
            }
            Ok(())
        }
    }
}
