//! The outbox as people and metrics see it: rows, listings, ages. What the delivery loop does with
//! them is in [`super::queue`].

use sqlx::QueryBuilder;

use super::PAGE;
use super::backend::both;
use super::error::Fault;

/// Where a message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// To be sent, now or at its next attempt.
    Pending,
    /// The receiver has it.
    Delivered,
    /// Given up; can be sent again by hand.
    Dead,
    /// Not sent, as another message says it too.
    Superseded,
}

impl Status {
    /// `pending`, `delivered`, `dead` or `superseded`, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Superseded => "superseded",
        }
    }

    fn read(text: &str) -> Result<Self, Fault> {
        [Self::Pending, Self::Delivered, Self::Dead, Self::Superseded]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Fault::Damaged(format!("an outbox row has the status {text:?}")))
    }
}

/// One message to one receiver. Times are milliseconds since the epoch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutboxRow {
    /// Order of commits; ascends, with gaps.
    pub seq: i64,
    /// Idempotency key.
    pub id: String,
    /// The receiver's name.
    pub receiver: String,
    /// Messages of one incident to one receiver leave in order.
    pub incident: String,
    /// `firing`, `resolved`, ….
    pub event: String,
    /// JSON.
    pub payload: String,
    /// When it was decided.
    pub created_at: i64,
    /// Attempts that failed so far.
    pub attempts: i64,
    /// Not to be sent earlier.
    pub next_at: i64,
    /// Where it stands.
    pub status: Status,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was delivered, given up or superseded.
    pub finished_at: Option<i64>,
    /// The id of the message this one stands in for.
    pub fallback_of: Option<String>,
    /// The id of the message that replaced this one.
    pub superseded_by: Option<String>,
}

/// The columns in the order of [`Columns`].
macro_rules! columns {
    () => {
        "seq, id, receiver, incident, event, payload, created_at, attempts, next_at, status, last_error, \
         finished_at, fallback_of, superseded_by"
    };
}
pub(super) use columns;

pub(super) type Columns = (
    i64,
    String,
    String,
    String,
    String,
    String,
    i64,
    i64,
    i64,
    String,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
);

impl OutboxRow {
    pub(super) fn read(row: Columns) -> Result<Self, Fault> {
        let (
            seq,
            id,
            receiver,
            incident,
            event,
            payload,
            created_at,
            attempts,
            next_at,
            status,
            last_error,
            finished_at,
            fallback_of,
            superseded_by,
        ) = row;
        let status = Status::read(&status)?;
        Ok(Self {
            seq,
            id,
            receiver,
            incident,
            event,
            payload,
            created_at,
            attempts,
            next_at,
            status,
            last_error,
            finished_at,
            fallback_of,
            superseded_by,
        })
    }
}

/// Which messages to list; `None` is any.
#[derive(Clone, Default, Debug)]
pub struct OutboxFilter {
    /// Of this receiver.
    pub receiver: Option<String>,
    /// In this status.
    pub status: Option<Status>,
    /// Of this incident.
    pub incident: Option<String>,
}

/// One page of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows, newest first.
    pub items: Vec<T>,
    /// To be given as `before` for the next page; `None` on the last one.
    pub next: Option<i64>,
}

impl<T> Page<T> {
    /// From up to `limit + 1` rows: the one too many only says that there are more.
    pub(super) fn cut(mut items: Vec<T>, limit: i64, seq: impl Fn(&T) -> i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(seq) } else { None };
        Self { items, next }
    }
}

/// What waits for one receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backlog {
    /// The receiver's name.
    pub receiver: String,
    /// Messages to be sent.
    pub pending: i64,
    /// When the oldest of them was decided.
    pub oldest_pending: Option<i64>,
    /// Messages given up and not yet pruned.
    pub dead: i64,
    /// Tickets ever given up to make room.
    pub shed: i64,
}

both! {
    /// Messages, newest first, at most [`PAGE`] at a time; `before` continues after a page.
    pub async fn outbox(
        &self,
        filter: &OutboxFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Page<OutboxRow>>
    while "listing deliveries" {
        let limit = limit.clamp(1, PAGE);
        // Of the filters that are given alone, so that an index is of use.
        let mut sql = QueryBuilder::<Database>::new(concat!("select ", columns!(), " from outbox where seq < "));
        sql.push_bind(before.unwrap_or(i64::MAX));
        if let Some(receiver) = &filter.receiver {
            sql.push(" and receiver = ").push_bind(receiver);
        }
        if let Some(incident) = &filter.incident {
            sql.push(" and incident = ").push_bind(incident);
        }
        if let Some(status) = filter.status {
            // Written out, as an index of one status is not chosen for a parameter.
            sql.push(" and status = '").push(status.as_str()).push("'");
        }
        sql.push(" order by seq desc limit ").push_bind(limit + 1);
        let rows: Vec<Columns> = sql.build_query_as().fetch_all(&self.reader).await?;
        let rows = rows.into_iter().map(OutboxRow::read).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::cut(rows, limit, |row| row.seq))
    }

    /// One message.
    pub async fn outbox_row(&self, id: &str) -> Result<Option<OutboxRow>>
    while "reading a delivery" {
        let row: Option<Columns> =
            sqlx::query_as(concat!("select ", columns!(), " from outbox where id = $1"))
                .bind(id)
                .fetch_optional(&self.reader)
                .await?;
        row.map(OutboxRow::read).transpose()
    }

    /// What waits and what was given up, per receiver that has or had either.
    pub async fn backlog(&self) -> Result<Vec<Backlog>>
    while "counting deliveries" {
        let rows: Vec<(String, i64, Option<i64>, i64, i64)> = sqlx::query_as(
            "select receiver, cast(sum(pending) as bigint), min(oldest), cast(sum(dead) as bigint),
                    cast(sum(shed) as bigint)
               from (select receiver, count(*) as pending, min(created_at) as oldest, 0 as dead, 0 as shed
                       from outbox where status = 'pending' group by receiver
                     union all
                     select receiver, 0, null, count(*), 0
                       from outbox where status = 'dead' group by receiver
                     union all
                     select substr(name, 6), 0, null, 0, value from counters where name like 'shed:%') as waiting
              group by receiver order by receiver",
        )
        .fetch_all(&self.reader)
        .await?;
        let backlog =
            |(receiver, pending, oldest_pending, dead, shed)| Backlog { receiver, pending, oldest_pending, dead, shed };
        Ok(rows.into_iter().map(backlog).collect())
    }
}
