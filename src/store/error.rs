//! What can go wrong with a store, told to people: which store, what, and what to do.

use std::path::Path;
use std::time::Duration;

use super::backups;
use super::sqlite::newest;
use super::words;

/// Why the store did not do what was asked. Nothing of a failed call is written, except that a commit
/// may have happened all the same when nobody answered: the states are read again before the next one.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another replica leads now, or this one released its lease. Step down.
    #[error("{store}: the lease was taken over by another replica; nothing was written")]
    LostLease {
        /// Which store.
        store: String,
    },
    /// A table has reached its row limit.
    #[error(
        "{store}: {what} holds its limit of {limit} rows; nothing was written. Commands that nobody \
             consumes fill it: see whether a leader ticks"
    )]
    Full {
        /// Which store.
        store: String,
        /// `the command queue`.
        what: &'static str,
        /// Rows allowed.
        limit: i64,
    },
    /// No space left.
    #[error("{store}: the disk is full; nothing was written. Free some space: Damper goes on by itself")]
    DiskFull {
        /// Which store.
        store: String,
    },
    /// Hardly any space left.
    #[error(
        "{store}: the disk is full or nearly so. Only decisions are written, and what the ledger learns \
             waits. Free some space: Damper goes on by itself"
    )]
    Short {
        /// Which store.
        store: String,
    },
    /// Writing is not permitted.
    #[error(
        "{store}: it is read-only ({detail}). Make the file and its folder writable for this user, or \
             point `store` at the primary server"
    )]
    ReadOnly {
        /// Which store.
        store: String,
        /// In the database's words.
        detail: String,
    },
    /// Another process uses the SQLite file.
    #[error(
        "{store}: another Damper{by} uses this file. A SQLite store belongs to one process: stop the \
             other one, give this one a file of its own, or use PostgreSQL for several replicas"
    )]
    InUse {
        /// Which store.
        store: String,
        /// ` (process 123)`, or empty while unknown.
        by: String,
    },
    /// Somebody holds a database lock for too long.
    #[error(
        "{store}: locked while {doing}: another program holds it open for writing, or the disk is slow ({detail})"
    )]
    Busy {
        /// Which store.
        store: String,
        /// The operation.
        doing: &'static str,
        /// In the database's words.
        detail: String,
    },
    /// The contents are damaged.
    #[error("{store}: damaged ({detail}). It is left as it is. {way_out}")]
    Corrupt {
        /// Which store.
        store: String,
        /// What was found.
        detail: String,
        /// What to do.
        way_out: String,
    },
    /// The SQLite file is not the one any more that was opened.
    #[error(
        "{store}: {detail}. Nothing more is written until it is back, as that would be lost with this \
             process. {way_out}"
    )]
    Gone {
        /// Which store.
        store: String,
        /// What became of it.
        detail: String,
        /// What to do.
        way_out: String,
    },
    /// Written by a newer Damper.
    #[error(
        "{store}: its schema is version {found}, this Damper knows versions up to {known}. Run the newer \
             Damper, or restore the backup from before the upgrade"
    )]
    NewerSchema {
        /// Which store.
        store: String,
        /// Version found.
        found: i64,
        /// Newest version known.
        known: i64,
    },
    /// No answer in time.
    #[error("{store}: no answer within {limit:?} while {doing}")]
    Timeout {
        /// Which store.
        store: String,
        /// The operation.
        doing: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// No connection.
    #[error("{store}: cannot be reached while {doing}: {detail}")]
    Unreachable {
        /// Which store.
        store: String,
        /// The operation.
        doing: &'static str,
        /// What the connection said.
        detail: String,
    },
    /// The setting or the place is wrong.
    #[error("{store}: {detail}")]
    Open {
        /// Which store.
        store: String,
        /// What is wrong and what to do.
        detail: String,
    },
    /// Anything else.
    #[error("{store}: failed while {doing}: {source}")]
    Database {
        /// Which store.
        store: String,
        /// The operation.
        doing: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anyone changing the settings or the store:
    /// true for waiting, space and connections; false for a lost lease, damage and wrong settings.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Full { .. }
            | Self::DiskFull { .. }
            | Self::Short { .. }
            | Self::ReadOnly { .. }
            | Self::Busy { .. }
            | Self::Timeout { .. }
            | Self::Gone { .. }
            | Self::Unreachable { .. } => true,
            Self::LostLease { .. }
            | Self::InUse { .. }
            | Self::Corrupt { .. }
            | Self::NewerSchema { .. }
            | Self::Open { .. }
            | Self::Database { .. } => false,
        }
    }

    /// The same with what to do about a SQLite file that is damaged or gone: the newest backup that is
    /// found now, and the command that restores it.
    pub(super) fn with_way_out(self, path: &Path, folder: Option<&Path>) -> Self {
        let has_backup = !backups::list(path, &backups::folder(path, folder)).is_empty();
        match self {
            Self::Corrupt { store, detail, .. } => {
                let way_out = if has_backup {
                    format!(
                        "Stop Damper and restore a backup.{} `damper store check` tells how much is damaged",
                        newest(path, folder)
                    )
                } else {
                    format!(
                        "No backup is found in {}. Stop Damper and keep what can be read: `{}`. If that is \
                         nothing, move the file and its .lock away: budgets are asked of Prometheus \
                         again, alert states and deliveries are lost",
                        backups::folder(path, folder).display(),
                        backups::salvage_command(path)
                    )
                };
                Self::Corrupt { store, detail, way_out }
            }
            Self::Gone { store, detail, .. } => {
                let way_out = format!(
                    "Move the file back and Damper goes on by itself; if it is lost, stop Damper and restore \
                     a backup.{}",
                    newest(path, folder)
                );
                Self::Gone { store, detail, way_out }
            }
            error => error,
        }
    }
}

/// The same, before it is known which store and what was being done: what bodies return.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(sqlx::Error),
    LostLease,
    Full { what: &'static str, limit: i64 },
    Damaged(String),
    Gone(String),
    NewerSchema { found: i64, known: i64 },
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    /// Whether nothing may be written.
    pub(super) fn is_read_only(&self) -> bool {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return false };
        error.code().is_some_and(|code| matches!(kind(&code), Kind::ReadOnly))
    }

    /// Names the store and the operation.
    pub(super) fn told(self, store: &str, doing: &'static str) -> StoreError {
        let store = store.to_owned();
        match self {
            Self::Sql(source) => told(source, store, doing),
            Self::LostLease => StoreError::LostLease { store },
            Self::Full { what, limit } => StoreError::Full { store, what, limit },
            Self::Damaged(detail) => corrupt(store, detail),
            Self::Gone(detail) => StoreError::Gone { store, detail, way_out: String::new() },
            Self::NewerSchema { found, known } => StoreError::NewerSchema { store, found, known },
        }
    }
}

fn told(source: sqlx::Error, store: String, doing: &'static str) -> StoreError {
    let detail = words::error(&source);
    match &source {
        sqlx::Error::PoolTimedOut => StoreError::Unreachable {
            store,
            doing,
            detail: "no connection became free or could be made in time".into(),
        },
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            StoreError::Unreachable { store, doing, detail }
        }
        sqlx::Error::Database(error) => match error.code().as_deref().map(kind) {
            Some(Kind::DiskFull) => StoreError::DiskFull { store },
            Some(Kind::ReadOnly) => StoreError::ReadOnly { store, detail },
            Some(Kind::Busy) => StoreError::Busy { store, doing, detail },
            Some(Kind::Corrupt) => corrupt(store, detail),
            Some(Kind::Unreachable) => StoreError::Unreachable { store, doing, detail },
            Some(Kind::Refused) => StoreError::Open { store, detail: refused(&detail) },
            Some(Kind::NoAccess) => StoreError::Open { store, detail: no_access(&detail) },
            Some(Kind::Other) | None => StoreError::Database { store, doing, source },
        },
        _ => StoreError::Database { store, doing, source },
    }
}

/// Of a server's database; of a file more can be said.
fn corrupt(store: String, detail: String) -> StoreError {
    let way_out = "See what the server's log says, and restore the database from its last backup";
    StoreError::Corrupt { store, detail, way_out: way_out.into() }
}

enum Kind {
    DiskFull,
    ReadOnly,
    Busy,
    Corrupt,
    Unreachable,
    Refused,
    NoAccess,
    Other,
}

fn refused(detail: &str) -> String {
    format!("access is refused ({detail}). On the server the database must exist and the user own it")
}

fn no_access(detail: &str) -> String {
    format!(
        "access is refused ({detail}). The file and its folder must be readable and writable for this user"
    )
}

/// SQLite's extended result code as a number (sqlite.org/rescode.html), or PostgreSQL's five-character
/// SQLSTATE (appendix A of its manual); SQLite's codes have at most four digits.
fn kind(code: &str) -> Kind {
    match code {
        "53100" => return Kind::DiskFull,
        "25006" => return Kind::ReadOnly,
        "55P03" | "40P01" | "40001" | "57014" | "25P03" => return Kind::Busy,
        "XX001" | "XX002" => return Kind::Corrupt,
        "57P01" | "57P02" | "57P03" => return Kind::Unreachable,
        "3D000" | "42501" => return Kind::Refused,
        _ if code.len() == 5 => {
            return match code.get(..2) {
                // Connections, resources, the server's own system: they come back.
                Some("08" | "53" | "58") => Kind::Unreachable,
                Some("28") => Kind::Refused,
                _ => Kind::Other,
            };
        }
        _ => {}
    }
    // The low byte is the primary code, whatever the detail above it.
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(13) => Kind::DiskFull,
        Ok(8) => Kind::ReadOnly,
        Ok(5 | 6) => Kind::Busy,
        Ok(11 | 26) => Kind::Corrupt,
        // An I/O error: the disk may come back.
        Ok(10) => Kind::Unreachable,
        Ok(3 | 14 | 23) => Kind::NoAccess,
        _ => Kind::Other,
    }
}
