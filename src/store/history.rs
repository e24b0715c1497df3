//! History: what was decided, for people who ask later. Written by the decision commit.

use sqlx::{QueryBuilder, Transaction};

use super::backend::{both, each};
use super::decisions::{CHUNK, HistoryPut};
use super::error::Fault;
use super::outbox::Page;
use super::{PAGE, PRUNE};

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryRow {
    /// Order of commits; ascends.
    pub seq: i64,
    /// When, in milliseconds since the epoch.
    pub at: i64,
    /// What kind of event.
    pub kind: String,
    /// About what.
    pub subject: String,
    /// JSON.
    pub body: String,
}

both! {
    /// Lines of one subject or of all, newest first, at most [`PAGE`] at a time; `before` continues
    /// after a page.
    pub async fn history(
        &self,
        subject: Option<&str>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Page<HistoryRow>>
    while "reading history" {
        self.lines(QueryBuilder::new(LINES), subject, before, limit).await
    }

    /// Lines of what alerts did in a span, both ends included, in milliseconds; otherwise as
    /// [`Self::history`].
    pub async fn alert_history(
        &self,
        subject: Option<&str>,
        span: (i64, i64),
        before: Option<i64>,
        limit: i64,
    ) -> Result<Page<HistoryRow>>
    while "reading the history of alerts" {
        let mut sql = QueryBuilder::new(LINES);
        sql.push("kind in ('firing', 'resolved', 'missed') and at >= ").push_bind(span.0);
        sql.push(" and at <= ").push_bind(span.1).push(" and ");
        self.lines(sql, subject, before, limit).await
    }

    /// When the oldest revision that is kept was accepted, in milliseconds: somebody
    /// watched from then on. `None` before the first.
    pub async fn watched_since(&self) -> Result<Option<i64>>
    while "reading revisions" {
        Ok(sqlx::query_scalar("select min(at) from revisions").fetch_one(&self.reader).await?)
    }

    /// Whether history tells of an event of an incident of a subject.
    pub async fn is_told(&self, subject: &str, kind: &str, incident: &str) -> Result<bool>
    while "reading history" {
        let found: i64 = sqlx::query_scalar(
            "select count(*) from history where subject = $1 and kind = $2 and body like $3",
        )
        .bind(subject)
        .bind(kind)
        .bind(format!("%\"incident\":\"{incident}\"%"))
        .fetch_one(&self.queue)
        .await?;
        Ok(found > 0)
    }

    /// Deletes up to [`PRUNE`] lines older than a moment; returns how many.
    pub async fn prune_history(&self, epoch: i64, before_ms: i64) -> Result<u64>
    while "pruning history" {
        let mut tx = self.begin_under(epoch).await?;
        let pruned = sqlx::query(
            "delete from history where seq in (select seq from history where at < $1 order by at limit $2)",
        )
        .bind(before_ms)
        .bind(PRUNE.cast_signed())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        // Of an SLO that is gone for so long.
        sqlx::query("delete from judged where at < $1").bind(before_ms).execute(&mut *tx).await?;
        Self::end(tx).await?;
        Ok(pruned)
    }
}

/// How a query for lines begins.
const LINES: &str = "select seq, at, kind, subject, body from history where ";

each! {
    impl super::backend::Db<Database> {
        /// Ends such a query, and runs it.
        async fn lines(
            &self,
            mut sql: QueryBuilder<Database>,
            subject: Option<&str>,
            before: Option<i64>,
            limit: i64,
        ) -> Result<Page<HistoryRow>, Fault> {
            let limit = limit.clamp(1, PAGE);
            sql.push("seq < ").push_bind(before.unwrap_or(i64::MAX));
            // Only where it is given, so that its index is of use.
            if let Some(subject) = subject {
                sql.push(" and subject = ").push_bind(subject);
            }
            sql.push(" order by seq desc limit ").push_bind(limit + 1);
            let rows: Vec<(i64, i64, String, String, String)> =
                sql.build_query_as().fetch_all(&self.reader).await?;
            let line = |(seq, at, kind, subject, body)| HistoryRow { seq, at, kind, subject, body };
            Ok(Page::cut(rows.into_iter().map(line).collect(), limit, |row| row.seq))
        }

        /// Those that are not there yet.
        pub(super) async fn new_history(
            tx: &mut Transaction<'static, Database>,
            puts: &[HistoryPut],
        ) -> Result<Vec<HistoryPut>, Fault> {
            let mut new = Vec::new();
            for put in puts {
                let found: i64 = sqlx::query_scalar(
                    "select count(*) from history where subject = $1 and kind = $2 and at = $3 and body = $4",
                )
                .bind(&put.subject)
                .bind(&put.kind)
                .bind(put.at)
                .bind(&put.body)
                .fetch_one(&mut **tx)
                .await?;
                if found == 0 {
                    new.push(put.clone());
                }
            }
            Ok(new)
        }

        pub(super) async fn put_history(
            tx: &mut Transaction<'static, Database>,
            puts: &[HistoryPut],
        ) -> Result<(), Fault> {
            if puts.is_empty() {
                return Ok(());
            }
            let first = Self::reserve(tx, "history", puts.len()).await?;
            let rows: Vec<(i64, &HistoryPut)> = (first..).zip(puts).collect();
            for chunk in rows.chunks(CHUNK) {
                QueryBuilder::<Database>::new("insert into history (seq, at, kind, subject, body) ")
                    .push_values(chunk, |mut row, (seq, put)| {
                        row.push_bind(*seq)
                            .push_bind(put.at)
                            .push_bind(&put.kind)
                            .push_bind(&put.subject)
                            .push_bind(&put.body);
                    })
                    .build()
                    .persistent(false)
                    .execute(&mut **tx)
                    .await?;
            }
            Ok(())
        }
    }
}
