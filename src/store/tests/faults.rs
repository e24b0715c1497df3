//! Disks that are full or lie, files that are damaged, in use or missing, servers that go away: told
//! in words, nothing half-written, and work goes on when the trouble is over.

use std::path::Path;
use std::time::Duration;

use sqlx::{Executor, Row};

use super::home::{Home, due, lead, message, owing, state};
use crate::store::{Decisions, Options, Store, StoreError};

fn big() -> Decisions {
    Decisions {
        states: (0..2000).map(|n| state(&n.to_string(), &"x".repeat(500))).collect(),
        ..owing(&[message("m", "i", 0)])
    }
}

/// For what is locked and stays so; enough for what is not, on a busy machine.
fn impatient() -> Options {
    let short = Duration::from_secs(1);
    Options { acquire: short, statement: 3 * short, ..Options::default() }
}

fn writer(store: &Store) -> &sqlx::SqlitePool {
    match store {
        Store::Sqlite(db) => &db.writer,
        Store::Postgres(_) => panic!("a SQLite store"),
    }
}

async fn refusal(url: &str) -> StoreError {
    Store::open(url, Options::default()).await.unwrap_err()
}

#[tokio::test]
async fn a_full_disk_is_told_and_work_goes_on_when_there_is_space() {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    let used: i64 = writer(&store).fetch_one("pragma page_count").await.unwrap().get(0);
    let limit = format!("pragma max_page_count = {}", used + 20);
    sqlx::raw_sql(sqlx::AssertSqlSafe(limit)).execute(writer(&store)).await.unwrap();
    let error = store.commit(epoch, &big()).await.unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }) && error.is_retryable(), "{error}");
    assert!(error.to_string().contains("damper.db: the disk is full"), "{error}");
    assert_eq!(store.states().await.unwrap(), []);
    assert_eq!(due(&store, 0).await, [""; 0]);

    sqlx::raw_sql("pragma max_page_count = 1000000").execute(writer(&store)).await.unwrap();
    store.commit(epoch, &big()).await.unwrap();
    assert_eq!(due(&store, 0).await, ["m"]);
}

/// As SQLite does by itself when a disk fails in the middle of it.
#[tokio::test]
async fn a_transaction_that_the_database_ended_ends_no_other_one() {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    for _ in 0..2 {
        let mut ended = writer(&store).begin_with("begin immediate").await.unwrap();
        sqlx::raw_sql("rollback").execute(&mut *ended).await.unwrap();
        drop(ended);
        store.commit(epoch, &big()).await.unwrap();
    }
    assert_eq!(due(&store, 0).await, ["m"]);
}

#[tokio::test]
async fn a_file_that_is_gone_takes_nothing_until_it_is_back() {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    let (file, away) = (home.file("damper.db"), home.file("away.db"));
    std::fs::rename(&file, &away).unwrap();
    let error = store.commit(epoch, &big()).await.unwrap_err();
    assert!(error.to_string().contains("the file was removed") && error.is_retryable(), "{error}");
    std::fs::write(&file, "another one").unwrap();
    let error = store.commit(epoch, &big()).await.unwrap_err();
    assert!(error.to_string().contains("exchanged for another one"), "{error}");
    std::fs::rename(&away, &file).unwrap();
    store.commit(epoch, &big()).await.unwrap();
    assert_eq!(due(&store, 0).await, ["m"]);
}

#[tokio::test]
async fn a_read_only_store_is_told() {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    sqlx::raw_sql("pragma query_only = 1").execute(writer(&store)).await.unwrap();
    let error = store.commit(epoch, &big()).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");

    let home = Home::postgres();
    let store = home.open().await;
    let Store::Postgres(db) = &store else { panic!("PostgreSQL") };
    let name: String =
        sqlx::query_scalar("select current_database()::text").fetch_one(&db.writer).await.unwrap();
    let standby = format!("alter database {name} set default_transaction_read_only = on");
    sqlx::raw_sql(sqlx::AssertSqlSafe(standby)).execute(&db.writer).await.unwrap();
    store.close().await;
    let error = refusal(&home.url).await;
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

/// A store with some rows, closed; `damage` is applied to its bytes.
async fn damaged(damage: impl FnOnce(&mut Vec<u8>)) -> (StoreError, bool) {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &big()).await.unwrap();
    store.close().await;
    let path = home.file("damper.db");
    let mut bytes = std::fs::read(&path).unwrap();
    damage(&mut bytes);
    std::fs::write(&path, &bytes).unwrap();
    (refusal(&home.url).await, std::fs::read(&path).unwrap() == bytes)
}

#[tokio::test]
async fn a_damaged_file_is_told_and_left_as_it_is() {
    let nonsense = |range: std::ops::Range<usize>| move |bytes: &mut Vec<u8>| bytes[range].fill(0xa5);
    for (what, found) in [
        ("header", damaged(nonsense(0..100)).await),
        ("schema", damaged(nonsense(100..4096)).await),
        ("pages", damaged(nonsense(300_000..400_000)).await),
        ("half", damaged(|bytes| bytes.truncate(bytes.len() / 2)).await),
        ("something else", damaged(|bytes| *bytes = b"PNG".repeat(5000)).await),
    ] {
        let (error, untouched) = found;
        assert!(matches!(error, StoreError::Corrupt { .. }) && !error.is_retryable(), "{what}: {error:?}");
        assert!(error.to_string().contains("damper.db") && error.to_string().contains("backup"), "{error}");
        assert!(untouched, "{what}");
    }
}

#[tokio::test]
async fn one_file_belongs_to_one_store_by_whatever_name() {
    let home = Home::sqlite();
    let store = home.open().await;
    std::os::unix::fs::symlink(home.file("damper.db"), home.file("other.db")).unwrap();
    let link = format!("sqlite://{}", home.file("other.db").display());
    for url in [&home.url, &link] {
        let error = refusal(url).await;
        assert!(matches!(error, StoreError::InUse { .. }) && !error.is_retryable(), "{error}");
        let process = format!("damper.db: another Damper (process {}) uses this file", std::process::id());
        assert!(error.to_string().contains(&process), "{error}");
    }
    store.close().await;
    home.open().await.ping().await.unwrap();
}

#[tokio::test]
async fn another_process_is_kept_out_until_it_ends() {
    let home = Home::sqlite();
    let lock = home.file("damper.db.lock");
    // Not Damper: util-linux' flock takes the same kind of lock, and `cat` ends with its input.
    let mut other = std::process::Command::new("flock")
        .arg(&lock)
        .args(["sh", "-c", "echo; exec cat"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("flock (apt-get install -y util-linux)");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(other.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    assert!(matches!(refusal(&home.url).await, StoreError::InUse { .. }));
    drop(other.stdin.take());
    other.wait().unwrap();
    home.open().await;
}

#[tokio::test]
async fn a_file_locked_by_another_program_is_busy_and_then_not() {
    let home = Home::sqlite();
    let store = home.open_with(impatient()).await;
    let epoch = lead(&store, 0).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.file("damper.db"));
    let mut shell = sqlx::ConnectOptions::connect(&options).await.unwrap();
    shell.execute("begin immediate").await.unwrap();
    let error = store.commit(epoch, &big()).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }) && error.is_retryable(), "{error}");
    shell.execute("rollback").await.unwrap();
    store.commit(epoch, &big()).await.unwrap();
}

#[tokio::test]
async fn a_row_locked_on_the_server_does_not_hang_us() {
    let home = Home::postgres();
    let store = home.open_with(impatient()).await;
    let epoch = lead(&store, 0).await;
    let Store::Postgres(db) = &store else { panic!("PostgreSQL") };
    let options: sqlx::postgres::PgConnectOptions = home.url.parse().unwrap();
    let mut shell = sqlx::ConnectOptions::connect(&options).await.unwrap();
    shell.execute("begin").await.unwrap();
    shell.execute("update lease set holder = 'x'").await.unwrap();
    let error = store.commit(epoch, &big()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Busy { .. } | StoreError::Timeout { .. }) && error.is_retryable(),
        "{error}"
    );
    // Reading goes on meanwhile.
    assert_eq!(store.states().await.unwrap(), []);
    shell.execute("rollback").await.unwrap();
    store.commit(epoch, &big()).await.unwrap();
    assert!(db.writer.size() > 0);
}

#[tokio::test]
async fn lost_connections_are_made_again() {
    let home = Home::postgres();
    let (store, epoch) = home.lead().await;
    let Store::Postgres(db) = &store else { panic!("PostgreSQL") };
    for _ in 0..3 {
        // Ours included: this statement fails itself.
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()";
        drop(sqlx::query(cut).execute(&db.writer).await);
        match store.commit(epoch, &big()).await {
            Ok(_) => {}
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                store.commit(epoch, &big()).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn wrong_addresses_are_told_without_passwords() {
    let home = Home::sqlite();
    let folder = home.file("");
    let missing = format!("sqlite:{}", home.file("no/such/damper.db").display());
    for (url, expected) in [
        (format!("sqlite:{}", folder.display()), "this is a folder"),
        (missing, "Create it"),
        ("sqlite::memory:".into(), "a file is needed"),
        ("sqlite:".into(), "a file is needed"),
        ("mysql://damper:secret@host/db".into(), "must be `sqlite:PATH` or `postgres://"),
        ("postgres://damper:secret@127.0.0.1:notaport/db".into(), "does not parse"),
        ("postgres://damper:secret@127.0.0.1:1/db".into(), "db at 127.0.0.1:1: cannot be reached"),
        (Home::postgres().url.replace("/test", "/none"), "the database must exist"),
        ("sqlite:/proc/damper.db".into(), "cannot lock /proc/damper.db.lock"),
    ] {
        let error = refusal(&url).await.to_string();
        assert!(error.contains(expected) && !error.contains("secret"), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_backup_is_a_whole_store_and_overwrites_nothing() {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &big()).await.unwrap();
    let (copy, at) = (home.file("backup.db"), chrono::DateTime::UNIX_EPOCH);
    // A copy cut short earlier is in nobody's way.
    std::fs::write(home.file("backup.db.part"), "half").unwrap();
    store.backup(&copy, at).await.unwrap();
    let error = store.backup(&copy, at).await.unwrap_err();
    assert!(error.to_string().contains("exists"), "{error}");
    let restored = Store::open(&format!("sqlite:{}", copy.display()), Options::default()).await.unwrap();
    assert_eq!(restored.states().await.unwrap(), store.states().await.unwrap());
    assert_eq!(due(&restored, 0).await, ["m"]);
    assert!(!home.file("backup.db.part").exists());

    let server = Home::postgres().open().await;
    let error = server.backup(Path::new("/nowhere"), at).await.unwrap_err();
    assert!(error.to_string().contains("pg_dump"), "{error}");
}
