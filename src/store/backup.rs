//! A copy of a SQLite store while it is in use.

use std::path::Path;

use sqlx::Sqlite;

use super::backend::{Db, Store};
use super::error::{Fault, StoreError};
use super::lock::beside;

impl Store {
    /// Writes a whole, compact copy to `to`, which must not exist; a copy cut short never bears that
    /// name. Does not hold up decisions. PostgreSQL has its own tools, and the error says so.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.backup(to).await,
            Self::Postgres(db) => Err(StoreError::Open {
                store: db.name.clone(),
                detail: "backups of a PostgreSQL store are made with pg_dump".into(),
            }),
        }
    }
}

impl Db<Sqlite> {
    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let refused = |what: String| StoreError::Open { store: self.name.clone(), detail: what };
        if to.exists() {
            return Err(refused(format!("{} exists; name a backup that does not", to.display())));
        }
        let part = beside(to, ".part");
        let failed =
            |error: std::io::Error| refused(format!("cannot write the backup {}: {error}", part.display()));
        match tokio::fs::remove_file(&part).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let Some(target) = part.to_str() else {
            return Err(refused(format!("{} is not UTF-8", part.display())));
        };
        self.maintain("writing a backup", async {
            sqlx::query("vacuum into $1").bind(target).execute(&self.reader).await?;
            Ok::<_, Fault>(())
        })
        .await?;
        // The name appears only once the contents are on the disk.
        let file = tokio::fs::File::open(&part).await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        tokio::fs::rename(&part, to).await.map_err(failed)
    }
}
