//! Puts another file in the place of a SQLite store: a backup, or what can be read of the store that
//! is there. Nothing of the present files is changed until the new one is whole and on the disk, and
//! then they are kept beside it under names with the time.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::Sqlite;

use super::backend::{Db, Store};
use super::backup::sync_folder;
use super::decisions::StatePut;
use super::error::{Fault, StoreError};
use super::lock::{self, FileLock, beside};
use super::network;
use super::open::Options;
use super::place::{folder_of, give_to_owner_of, name_of, path_of, real_path};
use super::sqlite::connected;

/// What was decided: the states of alerts and policies, what is owed, what was asked, and all that
/// refers to it. One transaction changes them together, and only together they are taken over.
const DECISIONS: [&str; 10] = [
    "states",
    "outbox",
    "levels",
    "judged",
    "history",
    "commands",
    "documents",
    "revisions",
    "counters",
    "lease",
];
/// What the ledger keeps; each row can be asked of Prometheus again.
const LEDGER: [(&str, &str); 2] = [("images", "id"), ("journal", "seq")];

/// A restore under way. The store is locked; dropped, nothing has changed but a file `….restored`.
#[derive(Debug)]
pub struct Restore {
    path: PathBuf,
    part: PathBuf,
    lock: FileLock,
    /// What is to be put in place, open to be read and changed.
    pub copy: Store,
}

/// Rows of the ledger that could be read, of a damaged store.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Salvaged {
    /// Rows that were taken over.
    pub rows: u64,
    /// Rows that cannot be read.
    pub lost: u64,
}

impl Restore {
    /// Prepares the copy: that of a backup, or without one a new, empty store.
    ///
    /// # Errors
    /// A Damper that runs, an address of PostgreSQL, a backup of another store or one that is damaged,
    /// no space.
    pub async fn begin(url: &str, from: Option<&Store>, options: Options) -> Result<Self, StoreError> {
        let Some(path) = path_of(url) else {
            let detail = "this is for SQLite files; a PostgreSQL store is restored with pg_restore";
            return Err(StoreError::Open { store: "store".into(), detail: detail.into() });
        };
        let path = real_path(path)?;
        let refused = |detail: String| StoreError::Open { store: name_of(&path), detail };
        if let Some(why) = network::refusal(&path) {
            return Err(refused(why));
        }
        let mut lock = lock::take(&path, &name_of(&path))?;
        let part = beside(&path, ".restored");
        for file in [part.clone(), beside(&part, "-wal"), beside(&part, "-shm")] {
            remove(&file).map_err(|error| refused(format!("{}: {error}", file.display())))?;
        }
        if let Some(from) = from {
            let from = from.file("a backup is a SQLite file")?;
            if from.path() == path {
                return Err(refused("it is no backup of itself; name the file of a backup".into()));
            }
            from.write_copy(&part).await?;
        }
        let db = connected(&part, options).await?;
        db.maintain("bringing its schema up to date", db.migrate()).await?;
        if from.is_none()
            && let Some(known) = lock.knows()
        {
            db.maintain("naming it", db.identify(known)).await?;
        }
        let identity = db.maintain("reading which store it is", db.identity()).await?;
        if lock.knows().is_some_and(|known| known != identity) {
            return Err(refused(format!(
                "this is a backup of another store than the one that was used here: its alerts and deliveries \
                 are not those of this Damper. If it is meant, remove {}, which remembers which store is here",
                lock::lock_path(&path).display()
            )));
        }
        // Without it a crash in what follows could leave nothing that says that a store was here.
        lock.remember(identity);
        Ok(Self { path, part, lock, copy: Store::Sqlite(db) })
    }

    /// The store that is replaced.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes over what was decided from the store that is there, if all of it can be read.
    ///
    /// # Errors
    /// Why not; nothing was taken over.
    pub async fn take_decisions(&self) -> Result<(), String> {
        let db = self.copy.file("").map_err(|error| error.to_string())?;
        let taken = async {
            db.attach(&self.path).await?;
            let taken = db.take_decisions().await;
            sqlx::query("detach database present").execute(&db.writer).await?;
            taken
        };
        if !self.path.exists() {
            return Err("the file is gone".into());
        }
        db.maintain("reading what was decided", taken).await.map_err(|error| match error {
            StoreError::Corrupt { detail, .. } => detail,
            error => error.to_string(),
        })
    }

    /// Takes over what can be read of the ledger of the store that is there.
    ///
    /// # Errors
    /// Nothing of it can be read.
    pub async fn take_ledger(&self) -> Result<Salvaged, StoreError> {
        let db = self.copy.file("")?;
        let taken = async {
            db.attach(&self.path).await?;
            let taken = db.take_ledger().await;
            sqlx::query("detach database present").execute(&db.writer).await?;
            taken
        };
        db.maintain("reading what can be read", taken).await
    }

    /// What is as old as a backup is not carried out again: commands that waited then were carried out
    /// since, or are asked anew. `states` are put in their place.
    ///
    /// # Errors
    /// The copy cannot be written.
    pub async fn forget_commands(&self, states: &[StatePut]) -> Result<(), StoreError> {
        let db = self.copy.file("")?;
        let written = async {
            let mut tx = db.begin().await?;
            sqlx::query("delete from commands").execute(&mut *tx).await?;
            for put in states {
                sqlx::query(
                    "insert into states (key, body) values ($1, $2)
                     on conflict (key) do update set body = excluded.body",
                )
                .bind(&put.key)
                .bind(&put.body)
                .execute(&mut *tx)
                .await?;
            }
            Ok(tx.commit().await?)
        };
        db.maintain("writing what follows from a restore", written).await
    }

    /// Puts the copy in the place of the store; gives where the files that were there are kept, if there
    /// were any. Between the renames there is no store, and a start is refused: never an empty one.
    ///
    /// # Errors
    /// What could not be moved, and where everything is.
    pub async fn put_in_place(self, now: DateTime<Utc>) -> Result<Option<PathBuf>, StoreError> {
        let Self { path, part, lock, copy } = self;
        copy.close().await;
        let kept = beside(&path, &format!(".damaged-{}", now.format("%Y%m%dT%H%M%SZ")));
        let failed = |error: std::io::Error| StoreError::Open {
            store: name_of(&path),
            detail: format!(
                "could not be exchanged: {error}. The new file is {}, and what was there is {}",
                part.display(),
                if kept.exists() { kept.display() } else { path.display() }
            ),
        };
        if beside(&part, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
            return Err(failed(std::io::Error::other("the copy is still open")));
        }
        let owner = if path.exists() { path.as_path() } else { folder_of(&path) };
        give_to_owner_of(owner, &part);
        std::fs::File::open(&part).and_then(|file| file.sync_all()).map_err(failed)?;
        let was_there = path.exists();
        // The log goes with its file: beside another one it would be taken for that one's.
        for suffix in ["", "-wal", "-shm"] {
            match std::fs::rename(beside(&path, suffix), beside(&kept, suffix)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        sync_folder(&path).map_err(failed)?;
        std::fs::rename(&part, &path).map_err(failed)?;
        sync_folder(&path).map_err(failed)?;
        drop(lock);
        Ok(was_there.then_some(kept))
    }
}

fn remove(file: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Db<Sqlite> {
    /// The store that is there, for reading, as `present`.
    async fn attach(&self, path: &Path) -> Result<(), Fault> {
        let path = path.to_string_lossy();
        let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        sqlx::query("attach database $1 as present")
            .bind(format!("file:{path}?mode=ro"))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn take_decisions(&self) -> Result<(), Fault> {
        let version = "select (select max(version) from main.schema_version)
                            = (select max(version) from present.schema_version)";
        let is_same: bool = sqlx::query_scalar(version).fetch_one(&self.writer).await?;
        if !is_same {
            return Err(Fault::Damaged("it has the schema of another version".into()));
        }
        let identities = "select not exists (select 1 from main.counters a, present.counters b
                           where a.name = 'identity' and b.name = 'identity' and a.value <> b.value)";
        let is_same: bool = sqlx::query_scalar(identities).fetch_one(&self.writer).await?;
        if !is_same {
            return Err(Fault::Damaged("it is another store".into()));
        }
        let mut tx = self.begin().await?;
        for table in DECISIONS {
            let check = format!("pragma present.integrity_check('{table}')");
            let found: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(check)).fetch_all(&mut *tx).await?;
            if found.as_slice() != ["ok"] {
                return Err(Fault::Damaged(format!("{table}: {}", found.join("; "))));
            }
            let copy = format!("delete from main.{table}; insert into main.{table} select * from present.{table}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(copy)).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn take_ledger(&self) -> Result<Salvaged, Fault> {
        let mut salvaged = Salvaged::default();
        for (table, key) in LEDGER {
            // Keys have an index of their own; where that is damaged nothing of the table is found.
            let keys = format!("select {key} from present.{table} order by {key}");
            let keys: Vec<i64> =
                match sqlx::query_scalar(sqlx::AssertSqlSafe(keys)).fetch_all(&self.writer).await {
                    Ok(keys) => keys,
                    Err(error) => {
                        tracing::debug!(%error, table, "cannot be read");
                        salvaged.lost += 1;
                        continue;
                    }
                };
            let mut tx = self.begin().await?;
            let copy = format!("insert into main.{table} select * from present.{table} where {key} = $1");
            for key in keys {
                let copied =
                    sqlx::query(sqlx::AssertSqlSafe(copy.as_str())).bind(key).execute(&mut *tx).await;
                match copied.map(|copied| copied.rows_affected()) {
                    Ok(1) => salvaged.rows += 1,
                    Ok(_) | Err(_) => salvaged.lost += 1,
                }
            }
            tx.commit().await?;
        }
        Ok(salvaged)
    }

    /// Gives a new store the name of the one whose place it takes.
    async fn identify(&self, identity: i64) -> Result<(), Fault> {
        sqlx::query("insert into counters (name, value) values ('identity', $1) on conflict (name) do nothing")
            .bind(identity)
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}
