//! Puts another file in the place of a SQLite store: a backup, or what can be read of the store that
//! is there. Nothing of the present files is changed until the new one is whole and on the disk, and
//! then they are kept beside it under names with the time.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::{ConnectOptions, Sqlite, SqliteConnection};

use super::backend::{Db, Store};
use super::backup::sync_folder;
use super::decisions::StatePut;
use super::error::{Fault, StoreError};
use super::lock::{self, FileLock, beside};
use super::network;
use super::open::Options;
use super::place::{folder_of, give_to_owner_of, name_of, path_of, real_path};
use super::sqlite::{connected, readable, there};
use super::words;

/// What was decided: the states of alerts and policies, what is owed, what was asked, and all that
/// refers to it. One transaction changes them together, and only together they are taken over.
const DECISIONS: [&str; 8] =
    ["states", "outbox", "levels", "judged", "commands", "documents", "counters", "lease"];
/// What people look up. Nothing is decided by it, and where it cannot be read the backup's stays.
const LOOKED_UP: [&str; 2] = ["history", "revisions"];

/// A restore under way. The store is locked, and nothing of it has changed.
#[derive(Debug)]
pub struct Restore {
    path: PathBuf,
    part: PathBuf,
    lock: FileLock,
    /// Whether it is known which store must be there: by the backup, or by the lock.
    is_known: bool,
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
    /// no space; without a backup, nothing that anything could be read of.
    pub async fn begin(url: &str, from: Option<&Store>, options: Options) -> Result<Self, StoreError> {
        let path = Self::place(url)?;
        let refused = |detail: String| StoreError::Open { store: name_of(&path), detail };
        if let Some(why) = network::refusal(&path) {
            return Err(refused(why));
        }
        // Without a backup something must be there, and before a lock is left beside nothing.
        let present = match from {
            Some(_) => None,
            None => match there(&path, &options).await {
                // How much of it can be read shows later.
                Err(StoreError::Corrupt { .. }) => None,
                found => found?,
            },
        };
        let lock = lock::take(&path, &name_of(&path))?;
        let part = beside(&path, ".restored");
        remove(&part).map_err(|error| refused(format!("{}: {error}", part.display())))?;
        let name = lock.knows().or(present);
        let is_known = from.is_some() || lock.knows().is_some();
        let copied = Self::copied(&path, &part, &lock, from, name, options).await;
        if copied.is_err() {
            // It is of no use; what went wrong is worth telling.
            let _ = remove(&part);
        }
        Ok(Self { copy: Store::Sqlite(copied?), path, part, lock, is_known })
    }

    /// The file that an address names.
    ///
    /// # Errors
    /// It names none.
    pub fn place(url: &str) -> Result<PathBuf, StoreError> {
        let Some(path) = path_of(url) else {
            let detail = "this is for SQLite files; a PostgreSQL store is restored with pg_restore";
            return Err(StoreError::Open { store: "store".into(), detail: detail.into() });
        };
        real_path(path)
    }

    async fn copied(
        path: &Path,
        part: &Path,
        lock: &FileLock,
        from: Option<&Store>,
        name: Option<i64>,
        options: Options,
    ) -> Result<Db<Sqlite>, StoreError> {
        let refused = |detail: String| StoreError::Open { store: name_of(path), detail };
        if let Some(from) = from {
            let from = from.file("a backup is a SQLite file")?;
            if from.path() == path {
                return Err(refused("it is no backup of itself; name the file of a backup".into()));
            }
            from.write_copy(part).await?;
        }
        let db = connected(part, options).await?;
        db.maintain("bringing its schema up to date", db.migrate()).await?;
        if from.is_none()
            && let Some(name) = name
        {
            db.maintain("naming it", db.identify(name)).await?;
        }
        let identity = db.maintain("reading which store it is", db.identity()).await?;
        if lock.knows().is_some_and(|known| known != identity) {
            return Err(refused(format!(
                "this is a backup of another store than the one that was used here: its alerts and deliveries \
                 are not those of this Damper. If it is meant, remove {}, which remembers which store is here",
                lock::lock_path(path).display()
            )));
        }
        Ok(db)
    }

    /// Leaves everything as it was.
    pub async fn abandon(self) {
        self.copy.close().await;
        if let Err(error) = remove(&self.part) {
            tracing::warn!(%error, part = %self.part.display(), "is left and of no use");
        }
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
            let taken = db.take_decisions(self.is_known).await;
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
        db.maintain("reading what can be read", db.take_ledger(&self.path)).await
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
        let Self { path, part, mut lock, copy, .. } = self;
        let db = copy.file("")?;
        // Without it a crash in what follows could leave nothing that says that a store was here.
        lock.remember(db.maintain("reading which store it is", db.identity()).await?);
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
        if let Ok(before) = path.metadata() {
            std::fs::set_permissions(&part, before.permissions()).map_err(failed)?;
        }
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

/// Removes a copy with its log.
fn remove(part: &Path) -> std::io::Result<()> {
    for file in ["", "-wal", "-shm"].map(|suffix| beside(part, suffix)) {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl Salvaged {
    /// The keys of a table, from an index of their own; where that is damaged nothing is found.
    async fn keys(&mut self, present: &mut SqliteConnection, select: &'static str) -> Vec<i64> {
        let keys = sqlx::query_scalar(select).fetch_all(present).await;
        keys.unwrap_or_else(|error| {
            tracing::debug!(%error, select, "cannot be read");
            self.lost += 1;
            Vec::new()
        })
    }

    fn row<T>(&mut self, row: Result<Option<T>, sqlx::Error>) -> Option<T> {
        let row = row.ok().flatten();
        *(if row.is_some() { &mut self.rows } else { &mut self.lost }) += 1;
        row
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

    async fn take_decisions(&self, is_known: bool) -> Result<(), Fault> {
        let version = "select (select max(version) from main.schema_version)
                            = (select max(version) from present.schema_version)";
        let is_same: bool = sqlx::query_scalar(version).fetch_one(&self.writer).await?;
        if !is_same {
            return Err(Fault::Damaged("it has the schema of another version".into()));
        }
        let identities = "select not exists (select 1 from main.counters a, present.counters b
                           where a.name = 'identity' and b.name = 'identity' and a.value <> b.value)";
        let is_same: bool = sqlx::query_scalar(identities).fetch_one(&self.writer).await?;
        if is_known && !is_same {
            return Err(Fault::Damaged("it is another store".into()));
        }
        let mut tx = self.begin().await?;
        for table in DECISIONS.into_iter().chain(LOOKED_UP) {
            let check = format!("pragma present.integrity_check('{table}')");
            let found: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(check)).fetch_all(&mut *tx).await?;
            match words::damage(&found) {
                None => {}
                Some(_) if LOOKED_UP.contains(&table) => continue,
                Some(damage) => return Err(Fault::Damaged(format!("{table}: {damage}"))),
            }
            let copy =
                format!("delete from main.{table}; insert into main.{table} select * from present.{table}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(copy)).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Row by row, each of which can be asked of Prometheus again. Over a connection of its own: what
    /// meets damage in a transaction cannot be committed.
    async fn take_ledger(&self, path: &Path) -> Result<Salvaged, Fault> {
        let mut present = readable(path, &self.options).connect().await?;
        let (mut tx, mut salvaged) = (self.begin().await?, Salvaged::default());
        for id in salvaged.keys(&mut present, "select id from images order by id").await {
            let row = sqlx::query_as("select at, bytes, crc, blob from images where id = $1").bind(id);
            let row: Option<(i64, i64, i64, Vec<u8>)> = salvaged.row(row.fetch_optional(&mut present).await);
            let Some((at, bytes, crc, blob)) = row else { continue };
            let put = "insert into images (id, at, bytes, crc, blob) values ($1, $2, $3, $4, $5)";
            let put = sqlx::query(put).bind(id).bind(at).bind(bytes).bind(crc).bind(blob);
            put.execute(&mut *tx).await?;
        }
        for seq in salvaged.keys(&mut present, "select seq from journal order by seq").await {
            let row =
                sqlx::query_as("select tier, at, bytes, crc, blob from journal where seq = $1").bind(seq);
            let row: Option<(i64, i64, i64, i64, Vec<u8>)> =
                salvaged.row(row.fetch_optional(&mut present).await);
            let Some((tier, at, bytes, crc, blob)) = row else { continue };
            let put = "insert into journal (seq, tier, at, bytes, crc, blob) values ($1, $2, $3, $4, $5, $6)";
            let put = sqlx::query(put).bind(seq).bind(tier).bind(at).bind(bytes).bind(crc).bind(blob);
            put.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(salvaged)
    }

    /// Gives a new store the name of the one whose place it takes.
    async fn identify(&self, identity: i64) -> Result<(), Fault> {
        sqlx::query(
            "insert into counters (name, value) values ('identity', $1) on conflict (name) do nothing",
        )
        .bind(identity)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
