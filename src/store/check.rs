//! What `damper store check` asks of the database itself.

use std::path::Path;

use super::PAGE;
use super::backend::{Store, both};
use super::backups;
use super::error::{Fault, StoreError};
use super::levels::{Columns as LevelColumns, LevelRow};
use super::lock;
use super::migrate::known;
use super::words;

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
    /// What SQLite finds wrong with its pages, tables and indexes; nothing where all is well, and of
    /// PostgreSQL, which sees to that itself.
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
        Ok(words::findings(&db.maintain("looking through its pages", look).await?))
    }

    /// Who uses a SQLite file: ` (process 123)`, empty while that is not known; `None` when nobody
    /// does, and for PostgreSQL.
    pub fn used_by(&self) -> Option<String> {
        lock::user_of(self.file("").ok()?.path())
    }

    /// How big a SQLite file is, in bytes, with its log: while it is used most of it may be there.
    pub fn bytes(&self) -> Option<u64> {
        let file = self.file("").ok()?.path();
        let log = lock::beside(file, "-wal").metadata().map_or(0, |log| log.len());
        Some(file.metadata().ok()?.len() + log)
    }

    /// The command that restores a copy in the place of this store, wherever it is pasted; `None` for
    /// PostgreSQL.
    pub fn restored_by(&self, copy: &Path) -> Option<String> {
        let copy = std::path::absolute(copy).unwrap_or_else(|_| copy.to_owned());
        Some(backups::command(self.file("").ok()?.path(), &copy))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Options;

    #[tokio::test]
    async fn a_store_is_as_big_as_its_file_and_its_log_and_says_how_its_copies_are_restored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().canonicalize().unwrap().join("damper.db");
        let store = Store::open(&format!("sqlite:{}", file.display()), Options::default()).await.unwrap();
        let length = |path: &Path| path.metadata().unwrap().len();
        let log = length(&lock::beside(&file, "-wal"));
        assert!(log > 0, "what was written is still there");
        assert_eq!(store.bytes(), Some(length(&file) + log));

        let here = std::env::current_dir().unwrap();
        let expected =
            format!("damper store restore --store sqlite:{} {}/b.db", file.display(), here.display());
        assert_eq!(store.restored_by(Path::new("b.db")), Some(expected), "wherever it is pasted");
    }
}
