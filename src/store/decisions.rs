//! The decision commit: everything one step decided, in one transaction under the lease's epoch.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Transaction};

use super::backend::{both, each};
use super::commands::THESE_COMMANDS;
use super::error::Fault;
use super::judged::JudgedPut;
use super::levels::LevelState;
use crate::slo::model::Severity;

/// Rows per statement: far below both databases' limits on parameters (32,766 and 65,535).
pub(super) const CHUNK: usize = 500;

/// What one step decided. Times are milliseconds since the epoch.
#[derive(Clone, Default, Debug)]
pub struct Decisions {
    /// States that go away, by key; before `states`, so that a key in both stays.
    pub removed: Vec<String>,
    /// States as they are now.
    pub states: Vec<StatePut>,
    /// Messages owed.
    pub outbox: Vec<OutboxPut>,
    /// Messages that their receivers have already; after `outbox`.
    pub delivered: Vec<Delivered>,
    /// Pending messages that another one replaces.
    pub superseded: Vec<Superseded>,
    /// Present states for level-triggered receivers.
    pub levels: Vec<LevelPut>,
    /// What people may ask about later.
    pub history: Vec<HistoryPut>,
    /// Until when SLOs are judged of which something is decided.
    pub judged: Vec<JudgedPut>,
    /// Commands that are carried out.
    pub commands_done: Vec<i64>,
    /// Whether some of it may have been written before: lines of history that are there stay single.
    pub repeated: bool,
}

impl Decisions {
    /// Whether there is nothing to write.
    fn is_empty(&self) -> bool {
        self.removed.is_empty()
            && self.states.is_empty()
            && self.outbox.is_empty()
            && self.delivered.is_empty()
            && self.superseded.is_empty()
            && self.levels.is_empty()
            && self.history.is_empty()
            && self.judged.is_empty()
            && self.commands_done.is_empty()
    }
}

/// State of one alert, policy or SLO.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatePut {
    /// Its identity.
    pub key: String,
    /// JSON.
    pub body: String,
}

/// One message to one receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxPut {
    /// Deterministic: the same transition to the same receiver has the same id, and is owed once.
    pub id: String,
    /// The receiver's name.
    pub receiver: String,
    /// Messages of one incident to one receiver leave in order.
    pub incident: String,
    /// `firing`, `resolved`, ….
    pub event: String,
    /// Pages leave before tickets.
    pub severity: Severity,
    /// When it was decided.
    pub created_at: i64,
    /// Not to be sent earlier.
    pub not_before: i64,
    /// JSON.
    pub payload: String,
    /// The id of the message this one stands in for, at another receiver.
    pub fallback_of: Option<String>,
}

/// A message that its receiver took.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivered {
    /// The message.
    pub id: String,
    /// When.
    pub at: i64,
}

/// A pending message that is not sent, as another one says it too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Superseded {
    /// The message.
    pub id: String,
    /// The one that replaces it.
    pub by: String,
}

/// The present state of one incident for one level-triggered receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LevelPut {
    /// The receiver's name.
    pub receiver: String,
    /// The incident.
    pub incident: String,
    /// What the receiver knows the alert by, the same for every incident of it.
    pub subject: String,
    /// JSON.
    pub payload: String,
    /// Pages are told before tickets.
    pub severity: Severity,
    /// Firing or resolved.
    pub state: LevelState,
    /// Since when it is so.
    pub since: i64,
    /// How long a resolved one is repeated.
    pub resend_until: i64,
}

/// One line of history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryPut {
    /// When.
    pub at: i64,
    /// What kind of event.
    pub kind: String,
    /// About what: an SLO, a policy, a source.
    pub subject: String,
    /// JSON.
    pub body: String,
}

/// What a commit did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Committed {
    /// Outbox rows that were really new, or wait again after they were given up; less than asked for
    /// when a decision was repeated.
    pub new_outbox: u64,
}

both! {
    /// One attempt of [`Store::commit`](super::Store::commit).
    pub(super) async fn commit_once(&self, epoch: i64, decisions: &Decisions) -> Result<Committed>
    while "committing decisions" {
        let mut tx = self.begin_under(epoch).await?;
        Self::remove(&mut tx, "delete from states where key in (", &decisions.removed).await?;
        Self::put_states(&mut tx, &decisions.states).await?;
        let new_outbox = self.put_outbox(&mut tx, &decisions.outbox).await?;
        Self::put_delivered(&mut tx, &decisions.delivered).await?;
        Self::put_superseded(&mut tx, &decisions.superseded).await?;
        Self::put_levels(&mut tx, &decisions.levels).await?;
        if decisions.repeated {
            let new = Self::new_history(&mut tx, &decisions.history).await?;
            Self::put_history(&mut tx, &new).await?;
        } else {
            Self::put_history(&mut tx, &decisions.history).await?;
        }
        Self::put_judged(&mut tx, &decisions.judged).await?;
        Self::remove(&mut tx, THESE_COMMANDS, &decisions.commands_done).await?;
        if decisions.repeated || decisions.is_empty() {
            // SQLite writes no page that stays as it is, and what was not written proves nothing.
            sqlx::query("update lease set until_ms = until_ms + 1 where id = 1").execute(&mut *tx).await?;
        }
        Self::end(tx).await?;
        Ok(Committed { new_outbox })
    }

    /// Every state, to start from; read again after a commit that failed, so no listing delays it.
    pub async fn states(&self) -> Result<Vec<(String, String)>>
    while "reading states" {
        Ok(sqlx::query_as("select key, body from states order by key").fetch_all(&self.queue).await?)
    }

    /// The states whose keys begin so: those of alerts may be many.
    pub async fn states_under(&self, prefix: &str) -> Result<Vec<(String, String)>>
    while "reading states" {
        let length = i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX);
        Ok(sqlx::query_as("select key, body from states where substr(key, 1, $1) = $2 order by key")
            .bind(length)
            .bind(prefix)
            .fetch_all(&self.queue)
            .await?)
    }
}

each! {
    impl super::backend::Db<Database> {
        /// Removes rows by what begins as `delete from states where key in (`.
        pub(super) async fn remove<T>(
            tx: &mut Transaction<'static, Database>,
            those_in: &'static str,
            keys: &[T],
        ) -> Result<(), Fault>
        where
            for<'q> &'q T: sqlx::Encode<'q, Database> + sqlx::Type<Database>,
        {
            for chunk in keys.chunks(CHUNK) {
                let mut sql = QueryBuilder::<Database>::new(those_in);
                let mut list = sql.separated(", ");
                for key in chunk {
                    list.push_bind(key);
                }
                sql.push(")").build().persistent(false).execute(&mut **tx).await?;
            }
            Ok(())
        }

        async fn put_states(tx: &mut Transaction<'static, Database>, states: &[StatePut]) -> Result<(), Fault> {
            // PostgreSQL refuses to update one row twice in a statement: the last one counts.
            let states: BTreeMap<&str, &str> = states.iter().map(|put| (&*put.key, &*put.body)).collect();
            let rows: Vec<_> = states.into_iter().collect();
            for chunk in rows.chunks(CHUNK) {
                QueryBuilder::<Database>::new("insert into states (key, body) ")
                    .push_values(chunk, |mut row, (key, body)| {
                        row.push_bind(*key).push_bind(*body);
                    })
                    .push(" on conflict (key) do update set body = excluded.body")
                    .build()
                    .persistent(false)
                    .execute(&mut **tx)
                    .await?;
            }
            Ok(())
        }
    }
}
