//! What lies at a SQLite store's path, found out before anything is written there: SQLite would make
//! a database of nothing, and Damper its tables in anybody's.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::error::{Fault, StoreError};
use super::lock::beside;
use super::place::{name_of, whose};
use super::wal;

/// What every file of SQLite begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What lies there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// No file.
    Nothing,
    /// A file without anything in it.
    Empty,
    /// A store, and which one, where it says so.
    Store { identity: Option<i64> },
}

/// Looks, and changes nothing. Nobody writes to the file meanwhile, or `is_used` says so.
///
/// # Errors
/// Damage that shows at once, another program's file, no permission.
pub(super) async fn look(path: &Path, is_used: bool) -> Result<Found, StoreError> {
    let name = name_of(path);
    let refused = |detail: String| StoreError::Open { store: name.clone(), detail };
    let start = match start_of(path) {
        Ok(start) => start,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(refused(format!("it cannot be read: {error}{}", whose(path)))),
    };
    let damaged = |detail: &str| Fault::Damaged(detail.into()).told(&name, "looking at it");
    if start.is_empty() {
        return Ok(Found::Empty);
    }
    if start != MAGIC {
        return Err(damaged(
            "it does not begin as a SQLite file does: it is a file of another kind, or its beginning was \
             overwritten",
        ));
    }
    if !is_used {
        let log = beside(path, "-wal");
        let damage = wal::damage(&log).map_err(|error| refused(format!("{}: {error}", log.display())))?;
        if let Some(wal::Damage { frame, commits }) = damage {
            return Err(damaged(&format!(
                "its write-ahead log {} is damaged at frame {frame}: {commits} commits after it would be \
                 forgotten",
                log.display()
            )));
        }
    }
    let told = |error: sqlx::Error| Fault::from(error).told(&name, "looking at it");
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(told)?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name",
    )
    .fetch_all(&mut connection)
    .await
    .map_err(told)?;
    let has = |table: &str| tables.iter().any(|found| found == table);
    if tables.is_empty() {
        return Ok(Found::Empty);
    }
    if !["schema_version", "lease", "states", "outbox"].into_iter().all(has) {
        let some: Vec<&str> = tables.iter().take(5).map(String::as_str).collect();
        return Err(refused(format!(
            "this is another program's database (its tables: {}{}); it is left as it is. Name a file of \
             Damper's own",
            some.join(", "),
            if tables.len() > some.len() { ", …" } else { "" }
        )));
    }
    let identity = sqlx::query_scalar("select value from counters where name = 'identity'");
    // Where only that is damaged the look at all pages says so.
    let identity = identity.fetch_optional(&mut connection).await.unwrap_or_default();
    // What it says is known; how it ends says nothing more.
    let _ = connection.close().await;
    Ok(Found::Store { identity })
}

/// The first bytes of a file. Anything but a file, such as a pipe, is not opened: that may hang.
fn start_of(path: &Path) -> std::io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut start = Vec::new();
    std::fs::File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start)
}
