//! What `damper store check` asks of the database itself.

use super::PAGE;
use super::backend::{Store, both};
use super::backups;
use super::error::{Fault, StoreError};
use super::levels::{Columns as LevelColumns, LevelRow};
use super::lock;
use super::migrate::known;

/// Most findings of SQLite's own look.
const FINDINGS: u32 = 20;

/// The schema's version in a store, and the newest one that this program knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schema {
    /// Of the store.
    pub found: i64,
    /// Of this program.
    pub known: i64,
}

both! {
    /// Which version the schema has.
    pub async fn schema(&self) -> Result<Schema>
    while "reading the version of its schema" {
        let found: Option<i64> =
            sqlx::query_scalar("select max(version) from schema_version").fetch_one(&self.reader).await?;
        Ok(Schema { found: found.unwrap_or(0), known: known() })
    }

    /// Every level row by receiver and incident, at most [`PAGE`], after the first `skip`.
    pub async fn levels(&self, skip: i64) -> Result<Vec<LevelRow>>
    while "listing levels" {
        let rows: Vec<LevelColumns> = sqlx::query_as(
            "select receiver, incident, payload, state, since, resend_until, last_sent_at, last_error
               from levels order by receiver, incident limit $1 offset $2",
        )
        .bind(PAGE)
        .bind(skip.max(0))
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(LevelRow::read).collect()
    }
}

impl Store {
    /// What SQLite finds wrong with its pages, tables and indexes, in its words; nothing where all is
    /// well, and of PostgreSQL, which sees to that itself.
    ///
    /// # Errors
    /// The look itself failed.
    pub async fn wrong_pages(&self) -> Result<Vec<String>, StoreError> {
        let Self::Sqlite(db) = self else { return Ok(Vec::new()) };
        let look = async {
            let pragma = format!("pragma integrity_check({FINDINGS})");
            let found: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(pragma)).fetch_all(&db.reader).await?;
            Ok::<_, Fault>(found)
        };
        let found = db.maintain("looking through its pages", look).await?;
        // One line may tell several things.
        Ok(found
            .iter()
            .flat_map(|text| text.lines())
            .filter(|line| *line != "ok")
            .map(str::to_owned)
            .collect())
    }

    /// Who uses a SQLite file: ` (process 123)`, empty while that is not known; `None` when nobody
    /// does, and for PostgreSQL.
    pub fn used_by(&self) -> Option<String> {
        lock::user_of(self.file("").ok()?.path())
    }

    /// How big a SQLite file is, in bytes.
    pub fn bytes(&self) -> Option<u64> {
        Some(self.file("").ok()?.path().metadata().ok()?.len())
    }

    /// The command that mends a damaged store: restores its newest backup, or keeps what can be read.
    pub fn mended_by(&self) -> String {
        match self {
            Self::Sqlite(db) => match self.newest_backup() {
                Some(backup) => backups::command(db.path(), &backup.path),
                None => backups::salvage_command(db.path()),
            },
            Self::Postgres(_) => "restore the database from its last pg_dump".to_owned(),
        }
    }
}
