//! Opening a store: the address, the connections and their limits.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Postgres};

use super::backend::{Db, Store};
use super::error::{Fault, StoreError};
use super::lock;
use super::place::path_of;

/// For a connection that is made to learn why none is made.
const ONCE_MORE: Duration = Duration::from_secs(2);

/// Limits of a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Wait for a free connection.
    pub acquire: Duration,
    /// One call, transaction and all.
    pub statement: Duration,
    /// A backup, a migration, the check at the start.
    pub maintenance: Duration,
    /// Look through an existing SQLite file for damage before using it.
    pub check: bool,
    /// Connections for what people and restarts read; four more are made for the loops.
    pub connections: u32,
    /// Messages that may wait for one receiver before tickets give way.
    pub outbox_rows: i64,
    /// Bytes kept free beside a SQLite file for decisions on a full disk.
    pub reserve: u64,
    /// Commands that may wait for the next tick.
    pub command_rows: i64,
    /// Where backups of a SQLite file are kept; by default in `backups` beside it.
    pub backups: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            acquire: Duration::from_secs(5),
            statement: Duration::from_secs(10),
            maintenance: Duration::from_secs(600),
            check: true,
            connections: 4,
            outbox_rows: 20_000,
            reserve: 16 << 20,
            command_rows: 10_000,
            backups: None,
        }
    }
}

impl Store {
    /// Opens `sqlite:path`, creating the file but not its folder, or `postgres://user@host/database`,
    /// and brings the schema up to date.
    ///
    /// # Errors
    /// A wrong address, a file in use by another process, a damaged or newer store, no connection; a
    /// SQLite file that is gone or another one where there was a store before.
    pub async fn open(url: &str, options: Options) -> Result<Self, StoreError> {
        if let Some(path) = path_of(url) {
            return Box::pin(super::sqlite::open(path, options)).await.map(Self::Sqlite);
        }
        if is_postgres(url) {
            let db = Box::pin(postgres(url, options, false)).await?;
            db.maintain("bringing its schema up to date", db.migrate()).await?;
            return Ok(Self::Postgres(db));
        }
        Err(unknown())
    }

    /// Opens a store to read it, beside a Damper that uses it or without one; nothing is created,
    /// locked or changed, and everything that writes fails.
    ///
    /// # Errors
    /// As [`Self::open`], and where there is none.
    pub async fn look(url: &str, options: Options) -> Result<Self, StoreError> {
        if let Some(path) = path_of(url) {
            return Box::pin(super::sqlite::look(path, options)).await.map(Self::Sqlite);
        }
        if is_postgres(url) {
            return Box::pin(postgres(url, options, true)).await.map(Self::Postgres);
        }
        Err(unknown())
    }

    /// For messages and health: the file, or the server without its password.
    pub fn name(&self) -> &str {
        match self {
            Self::Sqlite(db) => &db.name,
            Self::Postgres(db) => &db.name,
        }
    }

    /// Whether several replicas may use it, one of which leads.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// A path beside a SQLite file, with something appended to its name; `None` for a server.
    pub fn beside(&self, suffix: &str) -> Option<PathBuf> {
        match self {
            Self::Sqlite(db) => db.file.as_ref().map(|file| lock::beside(file.path(), suffix)),
            Self::Postgres(_) => None,
        }
    }

    /// Finishes what runs and lets go of the database, then of the file's lock.
    pub async fn close(self) {
        match &self {
            Self::Sqlite(db) => db.close().await,
            Self::Postgres(db) => db.close().await,
        }
    }
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Never the text itself: it may hold a password.
fn unknown() -> StoreError {
    StoreError::Open {
        store: "store".into(),
        detail: "the address must be `sqlite:PATH` or `postgres://USER@HOST/DATABASE`".into(),
    }
}

async fn postgres(url: &str, options: Options, reads: bool) -> Result<Db<Postgres>, StoreError> {
    let wrong = |detail: &str| StoreError::Open { store: "PostgreSQL store".into(), detail: detail.into() };
    let connect = PgConnectOptions::from_str(url).map_err(|_| {
        wrong("the address does not parse; write `postgres://USER:PASSWORD@HOST:PORT/DATABASE`")
    })?;
    let name = postgres_name(&connect);
    // The server's own limits end what a client that hangs or vanishes left behind, above all its row locks.
    let millis = options.statement.as_millis().to_string();
    let connect = connect
        .application_name("damper")
        .options([
            ("statement_timeout", millis.as_str()),
            ("lock_timeout", millis.as_str()),
            ("idle_in_transaction_session_timeout", millis.as_str()),
        ])
        .disable_statement_logging();
    let connect = if reads { connect.options([("default_transaction_read_only", "on")]) } else { connect };
    // Writes wait for each other at the lease's row anyway; the second one is for `ping`.
    let pool = PgPoolOptions::new().acquire_timeout(options.acquire);
    let writer = match pool.clone().max_connections(2).connect_with(connect.clone()).await {
        Ok(writer) => writer,
        Err(error) => return Err(Fault::from(reason(error, &connect).await).told(&name, "opening it")),
    };
    let queue = pool.clone().max_connections(2).connect_lazy_with(connect.clone());
    let reader = pool.max_connections(options.connections.max(1)).connect_lazy_with(connect);
    Ok(Db { writer, queue, reader, name, options, lock: None, reserve: None, file: None })
}

/// The pool tries again while a server refuses, and in the end says only that time is up: once more
/// without it tells why.
async fn reason(error: sqlx::Error, connect: &PgConnectOptions) -> sqlx::Error {
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return error;
    }
    match tokio::time::timeout(ONCE_MORE, connect.connect()).await {
        Ok(Err(reason)) => reason,
        Ok(Ok(_)) => error,
        Err(_) => sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer")),
    }
}

fn postgres_name(connect: &PgConnectOptions) -> String {
    let database = connect.get_database().unwrap_or("(default)");
    match connect.get_socket() {
        Some(socket) => format!("PostgreSQL store {database} at {}", socket.display()),
        None => format!("PostgreSQL store {database} at {}:{}", connect.get_host(), connect.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_gives_no_connection_is_told_with_the_reason() {
        // Takes connections and says nothing.
        let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = mute.local_addr().unwrap().port();
        for (port, reason) in [(1, "Connection refused"), (silent, "it does not answer")] {
            let url = format!("postgres://ann:secret@127.0.0.1:{port}/d");
            let options = Options { acquire: Duration::from_millis(200), ..Options::default() };
            let error = Store::look(&url, options).await.unwrap_err();
            assert!(matches!(error, StoreError::Unreachable { .. }) && error.is_retryable(), "{error:?}");
            let expected = format!(
                "PostgreSQL store d at 127.0.0.1:{port}: cannot be reached while opening it: {reason}"
            );
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }
}
