//! Opening a SQLite file: what is there, whether it is the store that was here before, the
//! connections.

use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Sqlite, SqlitePool};

use super::backend::Db;
use super::backups;
use super::error::{Fault, StoreError};
use super::found::{self, Found};
use super::inuse::InUse;
use super::lock::{self, FileLock};
use super::network;
use super::open::Options;
use super::place::{folder_of, name_of, real_path, whose};
use super::reserve::Reserve;
use super::words;

/// Connections for what the loops read.
const QUEUE: u32 = 2;

/// Opens a file for this process alone, and makes it where there was none before.
pub(super) async fn open(path: &str, options: Options) -> Result<Db<Sqlite>, StoreError> {
    let path = real_path(path)?;
    let folder = options.backups.clone();
    let opened = Box::pin(opened(&path, options)).await;
    opened.map_err(|error| error.with_way_out(&path, folder.as_deref()))
}

async fn opened(path: &Path, options: Options) -> Result<Db<Sqlite>, StoreError> {
    let name = name_of(path);
    let refused = |detail: String| StoreError::Open { store: name.clone(), detail };
    if let Some(why) = network::refusal(path) {
        return Err(refused(why));
    }
    let mut lock = lock::take(path, &name)?;
    let found = found::look(path, false).await?;
    if let Some(why) = begins_anew(path, found, &lock, &options) {
        return Err(refused(why));
    }
    let db = connected(path, options).await.map_err(|error| with_owner(error, path))?;
    if matches!(found, Found::Store { .. }) && db.options.check {
        db.maintain("checking it for damage", db.quick_check()).await?;
    }
    let migrated = db.maintain("bringing its schema up to date", db.migrate()).await;
    migrated.map_err(|error| with_owner(error, path))?;
    let identity = db.maintain("reading which store it is", db.identity()).await;
    let identity = identity.map_err(|error| with_owner(error, path))?;
    lock.remember(identity);
    db.warm().await?;
    let reserve = Some(Reserve::take(path, db.options.reserve));
    Ok(Db { lock: Some(lock), reserve, ..db })
}

/// Opens a file for reading.
pub(super) async fn look(path: &str, options: Options) -> Result<Db<Sqlite>, StoreError> {
    let path = real_path(path)?;
    let folder = options.backups.clone();
    let looked = async {
        there(&path, &options).await?;
        let connect = readable(&path, &options);
        let pool = SqlitePoolOptions::new().acquire_timeout(options.acquire).max_connections(2);
        let told = |error: sqlx::Error| Fault::from(error).told(&name_of(&path), "opening it");
        let writer = pool.connect_with(connect).await.map_err(told)?;
        let (queue, reader, file) = (writer.clone(), writer.clone(), InUse::of(&path).map(Arc::new));
        Ok(Db { writer, queue, reader, name: name_of(&path), options, lock: None, reserve: None, file })
    };
    let looked: Result<_, StoreError> = Box::pin(looked).await;
    looked.map_err(|error| error.with_way_out(&path, folder.as_deref()))
}

/// That a store is at a path, and which one, where it says so. Nothing is changed.
///
/// # Errors
/// As [`found::look`], and where there is none.
pub(super) async fn there(path: &Path, options: &Options) -> Result<Option<i64>, StoreError> {
    let what = match found::look(path, lock::user_of(path).is_some()).await? {
        Found::Store { identity } => return Ok(identity),
        Found::Nothing => "there is no such file",
        Found::Empty => "the file is empty",
    };
    let detail = match lock::known_store(path) {
        Some(_) => gone(path, what, options.backups.as_deref()),
        None => what.to_owned(),
    };
    Err(StoreError::Open { store: name_of(path), detail })
}

/// The connections of a file that is to be written; a file that is not there is made.
pub(super) async fn connected(path: &Path, options: Options) -> Result<Db<Sqlite>, StoreError> {
    // Committed must mean on the disk: a page sent and then forgotten would be sent under another key.
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.acquire)
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging();
    let used: Arc<OnceLock<Arc<InUse>>> = Arc::default();
    // Kept for ever; an acquire cancelled during its test would drop a connection (sqlx issue 1869).
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(options.acquire)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect({
            let used = Arc::clone(&used);
            // A connection that is made later must not be to another file of the same name.
            move |_, _| {
                let wrong = used.get().and_then(|used| {
                    used.log_is_new();
                    used.wrong()
                });
                Box::pin(async move {
                    wrong.map_or(Ok(()), |why| Err(sqlx::Error::Io(std::io::Error::other(why))))
                })
            }
        });
    let told = |error: sqlx::Error| Fault::from(error).told(&name_of(path), "opening it");
    let writer = pool.clone().max_connections(1).connect_with(connect.clone()).await.map_err(told)?;
    // One that is made anew later must not make a file.
    writer.set_connect_options(connect.create_if_missing(false));
    let file = InUse::written(path).map(Arc::new);
    if let Some(file) = &file {
        let _ = used.set(Arc::clone(file));
    }
    // Readers are made later: a file without tables yet is nothing to read.
    let reads = readable(path, &options);
    let queue = pool.clone().max_connections(QUEUE).connect_lazy_with(reads.clone());
    let reader = pool.max_connections(options.connections.max(1)).connect_lazy_with(reads);
    Ok(Db { writer, queue, reader, name: name_of(path), options, lock: None, reserve: None, file })
}

pub(super) fn readable(path: &Path, options: &Options) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .busy_timeout(options.acquire)
        .disable_statement_logging()
}

/// Why what lies there is not the store that was here before.
fn begins_anew(path: &Path, found: Found, lock: &FileLock, options: &Options) -> Option<String> {
    let known = lock.knows();
    match found {
        Found::Store { identity: Some(identity) } if known.is_some_and(|known| known != identity) => {
            Some(format!(
                "this is another store than the one that was used here before: its alerts, deliveries and \
                 policies are not those of this Damper. Put the right file back, or restore a backup of \
                 it.{} If this one is meant, remove {}, which remembers the other",
                newest(path, options.backups.as_deref()),
                lock::lock_path(path).display()
            ))
        }
        Found::Store { .. } => None,
        Found::Nothing if known.is_some() => Some(gone(path, "the file is gone", options.backups.as_deref())),
        Found::Empty if known.is_some() => {
            Some(gone(path, "there is nothing in the file any more", options.backups.as_deref()))
        }
        Found::Nothing | Found::Empty => {
            let folder = backups::folder(path, options.backups.as_deref());
            (!backups::list(path, &folder).is_empty()).then(|| {
                format!(
                    "there is no store, but there are backups of one: nothing begins anew in silence.{} To \
                     begin anew, move the backups out of {}",
                    newest(path, options.backups.as_deref()),
                    folder.display()
                )
            })
        }
    }
}

/// A store that was here and is not any more.
fn gone(path: &Path, what: &str, folder: Option<&Path>) -> String {
    format!(
        "{what}, and there was a store here before. Nothing begins anew in silence: alerts that fire would be \
         told again, and what replicas were moved would be forgotten. Put the file back with its -wal, or \
         restore a backup.{} To begin anew all the same, remove {}",
        newest(path, folder),
        lock::lock_path(path).display()
    )
}

/// Which backup there is, and how it is restored.
pub(super) fn newest(path: &Path, folder: Option<&Path>) -> String {
    let folder = backups::folder(path, folder);
    match backups::list(path, &folder).pop() {
        Some(newest) => format!(
            " The newest one is of {}: `{}`.",
            backups::tell(newest.at),
            backups::command(path, &newest.path)
        ),
        None => format!(" None is found in {}.", folder.display()),
    }
}

/// Whose the file is, where that may be why it cannot be used.
fn with_owner(error: StoreError, path: &Path) -> StoreError {
    let file = if path.exists() { path } else { folder_of(path) };
    match error {
        StoreError::ReadOnly { store, detail } => {
            StoreError::ReadOnly { store, detail: format!("{detail}{}", whose(file)) }
        }
        StoreError::Open { store, detail } => {
            StoreError::Open { store, detail: format!("{detail}{}", whose(file)) }
        }
        error => error,
    }
}

impl Db<Sqlite> {
    /// SQLite's own look through every page. Damage is told, never worked around.
    pub(super) async fn quick_check(&self) -> Result<(), Fault> {
        let found: Vec<String> = sqlx::query_scalar("pragma quick_check(3)").fetch_all(&self.writer).await?;
        words::damage(&found).map_or(Ok(()), |damage| Err(Fault::Damaged(damage)))
    }

    /// Which store this is: a number that it was given when it was made, and that its backups share.
    pub(super) async fn identity(&self) -> Result<i64, Fault> {
        let known = sqlx::query_scalar("select value from counters where name = 'identity'");
        if let Some(identity) = known.fetch_optional(&self.writer).await? {
            // A file that may not be written is told now, and not with the first page. A disk that is full
            // may have space again.
            let same = sqlx::query("update counters set value = value where name = 'identity'");
            return match same.execute(&self.writer).await.map_err(Fault::from) {
                Err(fault) if fault.is_read_only() => Err(fault),
                _ => Ok(identity),
            };
        }
        // The keys of a hasher are random, and all that is wanted is that two stores differ.
        let random = std::hash::RandomState::new().build_hasher().finish() >> 1;
        let random = i64::try_from(random).unwrap_or(i64::MAX);
        sqlx::query("insert into counters (name, value) values ('identity', $1)")
            .bind(random)
            .execute(&self.writer)
            .await?;
        Ok(random)
    }

    /// Makes the connections that read: those that exist go on reading whatever becomes of the name of
    /// the file, and what is owed can still be delivered.
    async fn warm(&self) -> Result<(), StoreError> {
        let all = async |pool: &SqlitePool, count: u32| {
            let mut held = Vec::new();
            for _ in 0..count {
                let mut connection = pool.acquire().await?;
                // SQLite opens its other files, by name, with the first read.
                sqlx::query("select max(version) from schema_version").execute(&mut *connection).await?;
                held.push(connection);
            }
            Ok::<_, Fault>(())
        };
        let warm = async {
            all(&self.queue, QUEUE).await?;
            all(&self.reader, self.options.connections.max(1)).await
        };
        self.maintain("opening it", warm).await
    }
}
