//! A store that is gone, emptied, exchanged, foreign or damaged is told and never begun anew, and
//! backups of it are whole.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::{ConnectOptions, Executor};

use super::home::{Home, lead, message, owing, state};
use crate::store::{Decisions, Options, Store, StoreError};

const AT: &str = "2026-11-22T02:00:05Z";

pub(super) fn at() -> DateTime<Utc> {
    AT.parse().unwrap()
}

pub(super) fn some() -> Decisions {
    Decisions {
        states: (0..300).map(|n| state(&n.to_string(), &"x".repeat(500))).collect(),
        ..owing(&[message("m", "i", 0)])
    }
}

/// A store with some rows and one backup, closed; the backup's path.
pub(super) async fn with_backup(home: &Home) -> PathBuf {
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &some()).await.unwrap();
    let path = store.back_up(at(), 2).await.unwrap();
    store.close().await;
    path
}

/// Why it does not open, and that nothing was made or changed at its place by the attempt.
async fn refusal(home: &Home) -> String {
    let file = home.file("damper.db");
    let before = std::fs::read(&file).ok();
    let error = Store::open(&home.url, Options::default()).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    assert_eq!(std::fs::read(&file).ok(), before, "left as it is: {error}");
    error.to_string()
}

pub(super) fn names(text: &str, backup: &Path) {
    assert!(
        text.contains("damper store restore --store sqlite:") && text.contains(&*backup.to_string_lossy()),
        "{text}"
    );
    assert!(text.contains("2026-11-22 02:00:05 UTC"), "{text}");
}

#[tokio::test]
async fn a_file_that_is_gone_or_empty_is_not_begun_anew() {
    let home = Home::sqlite();
    let backup = with_backup(&home).await;
    let file = home.file("damper.db");
    std::fs::remove_file(&file).unwrap();
    let gone = refusal(&home).await;
    assert!(gone.contains("the file is gone, and there was a store here before"), "{gone}");
    names(&gone, &backup);
    std::fs::write(&file, "").unwrap();
    let empty = refusal(&home).await;
    assert!(empty.contains("there is nothing in the file any more"), "{empty}");
    names(&empty, &backup);
    let looked = Store::look(&home.url, Options::default()).await.unwrap_err().to_string();
    assert!(looked.contains("the file is empty, and there was a store here before"), "{looked}");

    // Another database without a single table is as good as none.
    std::fs::remove_file(&file).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut shell = options.connect().await.unwrap();
    shell.execute("create table x (y); drop table x").await.unwrap();
    sqlx::Connection::close(shell).await.unwrap();
    assert!(refusal(&home).await.contains("nothing in the file any more"));

    // Knowingly.
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(home.file("damper.db.lock")).unwrap();
    let alone = refusal(&home).await;
    assert!(alone.contains("there is no store, but there are backups of one"), "{alone}");
    names(&alone, &backup);
    std::fs::remove_file(backup).unwrap();
    assert_eq!(home.open().await.states().await.unwrap(), []);
}

#[tokio::test]
async fn a_new_place_needs_no_word() {
    let home = Home::sqlite();
    std::fs::write(home.file("damper.db"), "").unwrap();
    // As older versions wrote it.
    std::fs::write(home.file("damper.db.lock"), "123").unwrap();
    home.open().await.close().await;
    home.open().await.ping().await.unwrap();
}

#[tokio::test]
async fn another_store_in_its_place_is_refused() {
    let (home, other) = (Home::sqlite(), Home::sqlite());
    with_backup(&home).await;
    with_backup(&other).await;
    std::fs::copy(other.file("damper.db"), home.file("damper.db")).unwrap();
    let text = refusal(&home).await;
    assert!(text.contains("this is another store than the one that was used here before"), "{text}");
    std::fs::remove_file(home.file("damper.db.lock")).unwrap();
    home.open().await.close().await;
}

#[tokio::test]
async fn another_programs_file_is_left_alone() {
    let home = Home::sqlite();
    let file = home.file("damper.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut shell = options.connect().await.unwrap();
    shell.execute("create table dashboards (id); create table states (id)").await.unwrap();
    sqlx::Connection::close(shell).await.unwrap();
    let text = refusal(&home).await;
    assert!(text.contains("another program's database (its tables: dashboards, states)"), "{text}");

    for (contents, expected) in
        [("just some text in a file", "a file of another kind"), ("x", "of another kind")]
    {
        std::fs::write(&file, contents).unwrap();
        let text = refusal(&home).await;
        assert!(text.contains(expected) && text.contains("No backup is found in"), "{text}");
    }
    std::fs::remove_file(&file).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(&file).status().expect("mkfifo (package coreutils)");
    assert!(pipe.success());
    let error = Store::open(&home.url, Options::default()).await.unwrap_err().to_string();
    assert!(error.contains("it is no file"), "{error}");
}

#[tokio::test]
async fn damage_names_the_newest_backup_and_the_command_that_restores_it() {
    let home = Home::sqlite();
    let backup = with_backup(&home).await;
    let file = home.file("damper.db");
    let whole = std::fs::read(&file).unwrap();
    let noise = |range: std::ops::Range<usize>| {
        let mut bytes = whole.clone();
        bytes[range].fill(0xa5);
        bytes
    };
    // Header, schema, tables; half of it; a text.
    let half = whole[..whole.len() / 2].to_vec();
    let all = [noise(0..100), noise(100..4096), noise(8192..20_000), half, b"just some text".to_vec()];
    for bytes in all {
        std::fs::write(&file, &bytes).unwrap();
        let text = refusal(&home).await;
        assert!(text.contains("damaged (") && text.contains("Stop Damper and restore a backup"), "{text}");
        names(&text, &backup);
    }
    std::fs::remove_file(backup).unwrap();
    let text = refusal(&home).await;
    assert!(text.contains("No backup is found in") && text.contains("--salvage"), "{text}");
}

/// A store as `kill -9` leaves it: with its log, at another place.
async fn killed(home: &Home) -> Home {
    let (store, epoch) = home.lead().await;
    for n in 0..20 {
        let decisions = Decisions { states: vec![state(&n.to_string(), "x")], ..Decisions::default() };
        store.commit(epoch, &decisions).await.unwrap();
    }
    let copy = Home::sqlite();
    for suffix in ["", "-wal", ".lock"] {
        let name = format!("damper.db{suffix}");
        std::fs::copy(home.file(&name), copy.file(&name)).unwrap();
    }
    store.close().await;
    copy
}

/// A frame of the log with its page.
const FRAME: usize = 24 + 4096;

/// Commits in a log whose frames begin at this byte or behind it: their last frame says how many pages
/// there are.
fn commits_from(log: &[u8], at: usize) -> usize {
    let frames = log[32..].chunks_exact(FRAME).enumerate();
    frames.filter(|(n, frame)| 32 + n * FRAME >= at && frame[4..8] != [0; 4]).count()
}

/// How many states there are for who reads the store with a damaged log all the same.
async fn read_all_the_same(home: &Home) -> usize {
    let copy = Home::sqlite();
    for name in ["damper.db", "damper.db-wal"] {
        std::fs::copy(home.file(name), copy.file(name)).unwrap();
    }
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(copy.file("damper.db"));
    let mut shell = options.connect().await.unwrap();
    let states: i64 = sqlx::query_scalar("select count(*) from states").fetch_one(&mut shell).await.unwrap();
    sqlx::Connection::close(shell).await.unwrap();
    usize::try_from(states).unwrap()
}

#[tokio::test]
async fn commits_that_a_damaged_log_would_forget_are_told() {
    let home = killed(&Home::sqlite()).await;
    let log = home.file("damper.db-wal");
    let whole = std::fs::read(&log).unwrap();
    assert!(whole.len() > 100_000, "{}", whole.len());
    // The first frame of the last ten commits, each of which is one state.
    let late = (0..).map(|n| 32 + n * FRAME).find(|at| commits_from(&whole, *at) == 10).unwrap();
    for range in [0..32, 5000..5100, late..late + FRAME] {
        let mut bytes = whole.clone();
        bytes[range.clone()].fill(0xa5);
        std::fs::write(&log, &bytes).unwrap();
        let behind = commits_from(&whole, range.end);
        let told = format!(": {behind} commits after it would be forgotten");
        let text = refusal(&home).await;
        assert!(text.contains("write-ahead log") && text.contains(&told), "{range:?}: {text}");
        let looked = Store::look(&home.url, Options::default()).await.unwrap_err().to_string();
        assert!(looked.contains(&told), "{looked}");
        assert_eq!(std::fs::read(&log).unwrap(), bytes, "left as it is");
    }
    assert_eq!(read_all_the_same(&home).await, 10, "the last ten are what SQLite forgets");
    // What a crash cuts short is no damage.
    std::fs::write(&log, &whole[..whole.len() - 1000]).unwrap();
    assert!(home.open().await.states().await.unwrap().len() >= 18);
}

#[tokio::test]
async fn a_backup_that_cannot_be_written_leaves_nothing_and_harms_nothing() {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &some()).await.unwrap();
    for (to, why) in [
        (Path::new("/proc/damper.db"), "Its folder must be there and writable"),
        (&home.file("no/such/folder/x.db"), "no/such/folder does not exist; create it"),
    ] {
        let error = store.backup(to, at()).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let open = home.open_with_backups_in(&home.file("damper.db")).await;
    assert!(open.contains("folder of backups") && open.contains("cannot be made"), "{open}");
    store.commit(epoch, &owing(&[message("n", "j", 0)])).await.unwrap();
    assert_eq!(
        std::fs::read_dir(home.file("")).unwrap().count(),
        5,
        "file, log, its index, reserve and lock"
    );
}

/// Pages of a table that is damaged are not copied as if they were whole.
#[tokio::test]
async fn a_damaged_store_gives_no_backup() {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &some()).await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(home.file("damper.db")).unwrap();
    let end = bytes.len();
    bytes[end - 20_000..].fill(0xa5);
    std::fs::write(home.file("damper.db"), bytes).unwrap();
    let look = Store::look(&home.url, Options::default()).await.unwrap();
    let error = look.back_up(at(), 2).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(!look.wrong_pages().await.unwrap().is_empty());
    assert_eq!(std::fs::read_dir(home.file("backups")).unwrap().count(), 0);
}

impl Home {
    /// Why no backup can be made in this folder.
    async fn open_with_backups_in(&self, folder: &Path) -> String {
        let options = Options { backups: Some(folder.to_owned()), ..Options::default() };
        let look = Store::look(&self.url, options).await.unwrap();
        look.back_up(at(), 2).await.unwrap_err().to_string()
    }
}

#[tokio::test]
async fn the_lock_knows_the_store_and_who_has_it() {
    let home = Home::sqlite();
    let store = home.open().await;
    lead(&store, 0).await;
    let text = std::fs::read_to_string(home.file("damper.db.lock")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], std::process::id().to_string());
    assert!(lines.len() == 2 && lines[1].starts_with("store "), "{text}");
    store.close().await;
    home.open().await.close().await;
    assert_eq!(std::fs::read_to_string(home.file("damper.db.lock")).unwrap(), text);
}
