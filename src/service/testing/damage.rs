//! A store's file gone bad.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// Overwrites the first page of a table with noise, on the disk and not in the log.
pub(in crate::service) async fn damage(file: &Path, table: &str) {
    let mut shell = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    sqlx::raw_sql("pragma wal_checkpoint(truncate)").execute(&mut shell).await.unwrap();
    let page = "select rootpage from sqlite_master where name = $1";
    let page: i64 = sqlx::query_scalar(page).bind(table).fetch_one(&mut shell).await.unwrap();
    shell.close().await.unwrap();
    let at = u64::try_from(page - 1).unwrap() * 4096;
    let file = std::fs::File::options().write(true).open(file).unwrap();
    file.write_all_at(&[0xa5; 4096], at).unwrap();
}
