//! Opening a store: the address, the connections and their limits, the checks before the first use.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Postgres, Sqlite};

use super::backend::{Db, Store};
use super::error::{Fault, StoreError};
use super::lock;
use super::opened::Opened;
use super::reserve::Reserve;

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
        }
    }
}

impl Store {
    /// Opens `sqlite:path`, creating the file but not its folder, or `postgres://user@host/database`,
    /// and brings the schema up to date.
    ///
    /// # Errors
    /// A wrong address, a file in use by another process, a damaged or newer store, no connection.
    pub async fn open(url: &str, options: Options) -> Result<Self, StoreError> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let opened = open_sqlite(path.strip_prefix("//").unwrap_or(path), options);
            return Box::pin(opened).await.map(Self::Sqlite);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Box::pin(open_postgres(url, options)).await.map(Self::Postgres);
        }
        // Never the text itself: it may hold a password.
        Err(StoreError::Open {
            store: "store".into(),
            detail: "the address must be `sqlite:PATH` or `postgres://USER@HOST/DATABASE`".into(),
        })
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
            Self::Sqlite(db) => db.opened.as_ref().map(|opened| lock::beside(&opened.path, suffix)),
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

async fn open_sqlite(path: &str, options: Options) -> Result<Db<Sqlite>, StoreError> {
    let path = real_path(path)?;
    let name = format!("SQLite store {}", path.display());
    let lock = lock::take(&path, &name)?;
    let existed = path.metadata().is_ok_and(|file| file.len() > 0);

    // Committed must mean on the disk: a page sent and then forgotten would be sent under another key.
    let connect = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.acquire)
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging();
    // One writer, kept for ever; an acquire cancelled during its test would drop it (sqlx issue 1869).
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(options.acquire)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false);
    let told = |error: sqlx::Error| Fault::from(error).told(&name_of(&path), "opening it");
    let writer = pool.clone().max_connections(1).connect_with(connect.clone()).await.map_err(told)?;
    // One that is made anew later must not make a file.
    let connect = connect.create_if_missing(false);
    writer.set_connect_options(connect.clone());
    // Readers are made when first wanted: a file without tables yet is nothing to read.
    let reads = connect.read_only(true);
    let queue = pool.clone().max_connections(2).connect_lazy_with(reads.clone());
    let reader = pool.max_connections(options.connections.max(1)).connect_lazy_with(reads);

    let opened = Opened::of(&path).map_err(|error| told(sqlx::Error::Io(error)))?;
    let reserve = Some(Reserve::take(&path, options.reserve));
    let db = Db { writer, queue, reader, name, options, lock: Some(lock), opened: Some(opened), reserve };
    if existed && db.options.check {
        db.maintain("checking it for damage", db.quick_check()).await?;
    }
    db.maintain("bringing its schema up to date", db.migrate()).await?;
    Ok(db)
}

fn name_of(path: &Path) -> String {
    format!("SQLite store {}", path.display())
}

/// The path with links resolved, so that two names of one file share one lock.
fn real_path(text: &str) -> Result<PathBuf, StoreError> {
    let refused = |detail: String| StoreError::Open { store: format!("SQLite store {text}"), detail };
    if text.is_empty() || text.starts_with(":memory:") {
        return Err(refused("a file is needed, for example `sqlite:/var/lib/damper/damper.db`".into()));
    }
    let path = Path::new(text);
    if let Ok(real) = path.canonicalize() {
        if real.is_dir() {
            return Err(refused("this is a folder; name a file in it".into()));
        }
        return Ok(real);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let real = folder.canonicalize().map_err(|error| {
        refused(format!("its folder {} cannot be used: {error}. Create it", folder.display()))
    })?;
    match path.file_name() {
        Some(file) => Ok(real.join(file)),
        None => Err(refused("the path ends without a file name".into())),
    }
}

async fn open_postgres(url: &str, options: Options) -> Result<Db<Postgres>, StoreError> {
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
    // Writes wait for each other at the lease's row anyway; the second one is for `ping`.
    let pool = PgPoolOptions::new().acquire_timeout(options.acquire);
    let writer = pool
        .clone()
        .max_connections(2)
        .connect_with(connect.clone())
        .await
        .map_err(|error| Fault::from(error).told(&name, "opening it"))?;
    let queue = pool.clone().max_connections(2).connect_lazy_with(connect.clone());
    let reader = pool.max_connections(options.connections.max(1)).connect_lazy_with(connect);
    let db = Db { writer, queue, reader, name, options, lock: None, opened: None, reserve: None };
    db.maintain("bringing its schema up to date", db.migrate()).await?;
    Ok(db)
}

fn postgres_name(connect: &PgConnectOptions) -> String {
    let database = connect.get_database().unwrap_or("(default)");
    match connect.get_socket() {
        Some(socket) => format!("PostgreSQL store {database} at {}", socket.display()),
        None => format!("PostgreSQL store {database} at {}:{}", connect.get_host(), connect.get_port()),
    }
}

impl Db<Sqlite> {
    /// SQLite's own look through every page. Damage is told, never worked around.
    async fn quick_check(&self) -> Result<(), Fault> {
        let found: Vec<String> = sqlx::query_scalar("pragma quick_check(3)").fetch_all(&self.writer).await?;
        match found.as_slice() {
            [only] if only == "ok" => Ok(()),
            _ => Err(Fault::Damaged(found.join("; "))),
        }
    }
}
