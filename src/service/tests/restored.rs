//! Restoring a store: nothing that can still be read is lost, what is old does no harm, and what
//! cannot be done changes nothing.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;

use crate::engine::alert::{AlertKey, AlertState, Firing, Subject};
use crate::engine::scale::State;
use crate::service::examine::examine;
use crate::service::restoring::{RestoreError, Restored, restore};
use crate::service::scaling::is_readable;
use crate::service::testing::damage;
use crate::slo::model::{Labels, Severity};
use crate::slo::policy::Target;
use crate::slo::time::Ts;
use crate::store::{Decisions, ImageRow, Lease, Options, SliceBlob, StatePut, Store, StoreError};

struct Home {
    folder: TempDir,
    url: String,
}

fn now() -> DateTime<Utc> {
    "2026-11-22T05:12:05Z".parse().unwrap()
}

fn firing(slo: &str, incident: &str) -> StatePut {
    let subject = Subject::Burn { slo: slo.into(), group: Labels::new() };
    let firing = Firing {
        incident: incident.into(),
        at: Ts(1),
        labels: Labels::new(),
        annotations: Labels::new(),
        told: vec![],
        targets: None,
        rules: vec![],
    };
    let state = AlertState { firing: Some(firing), ..AlertState::default() };
    let key = AlertKey { subject, severity: Severity::Page };
    StatePut { key: key.to_text(), body: serde_json::to_string(&state).unwrap() }
}

const POLICIES: &str = "scaling/all";
const POLICY: &str = "scaling/policy/shop/web of web";

/// A policy's state, as it is kept.
fn policy(paused: bool) -> StatePut {
    let state = State { paused, ..State::default() };
    let target = Target::Kubernetes {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "shop".into(),
        name: "web".into(),
    };
    let body = serde_json::json!({"state": state, "target": target}).to_string();
    assert!(is_readable(POLICY, &body), "{body}");
    StatePut { key: POLICY.into(), body }
}

impl Home {
    /// A store in which `shop/a` fires and a command waits, and a backup of that; since then the
    /// command was carried out, `shop/b` fires too, `stopped` stopped all scaling, and a policy was paused.
    async fn new(stopped: &str) -> (Self, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("damper.db").display());
        let home = Self { folder, url };
        let store = Store::open(&home.url, Options::default()).await.unwrap();
        let Lease::Acquired { epoch } = store.acquire("test", 0, 60_000).await.unwrap() else { panic!() };
        let policies = |stopped: Option<&str>| StatePut {
            key: POLICIES.into(),
            body: serde_json::json!({"stopped": stopped}).to_string(),
        };
        let states = vec![firing("shop/a", "a1"), policies(None), policy(false)];
        store.commit(epoch, &Decisions { states, ..Decisions::default() }).await.unwrap();
        let images: Vec<ImageRow> =
            (0..200).map(|id| ImageRow { id, at: 1_000_000, blob: vec![7; 2000] }).collect();
        let slices = [SliceBlob { tier: 0, at: 1_000_030, blob: vec![7; 2000] }];
        store.append_slices(epoch, &slices, &images).await.unwrap();
        let command = store.put_command("reload", "{}", 0).await.unwrap();
        let backup = store.back_up("2026-11-22T02:00:05Z".parse().unwrap(), 2).await.unwrap();

        let states = vec![firing("shop/b", "b1"), policies(Some(stopped)), policy(true)];
        let since = Decisions { states, commands_done: vec![command], ..Decisions::default() };
        store.commit(epoch, &since).await.unwrap();
        store.close().await;
        (home, backup)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("damper.db")
    }

    /// Damages a table; the store does not open then.
    async fn damage(&self, table: &str) {
        damage(&self.file(), table).await;
        let error = Store::open(&self.url, Options::default()).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }

    async fn restore(&self, from: Option<&Path>) -> Result<Restored, RestoreError> {
        restore(&self.url, from, false, Options::default(), now()).await
    }

    /// Whether the policy is paused.
    async fn paused(&self) -> bool {
        let store = Store::open(&self.url, Options::default()).await.unwrap();
        let states = store.states().await.unwrap();
        store.close().await;
        let policy = states.iter().find(|(key, _)| key == POLICY).unwrap();
        let policy: serde_json::Value = serde_json::from_str(&policy.1).unwrap();
        policy["state"]["paused"].as_bool().unwrap()
    }

    /// The incidents that fire, who stopped scaling, and how many commands and images there are.
    async fn seen(&self) -> (Vec<String>, Option<String>, usize, usize) {
        let store = Store::open(&self.url, Options::default()).await.unwrap();
        let states = store.states().await.unwrap();
        let read = |body: &String| serde_json::from_str::<AlertState>(body).ok()?.firing;
        let mut fires: Vec<String> =
            states.iter().filter_map(|(_, body)| Some(read(body)?.incident)).collect();
        fires.sort();
        let all = states.iter().find(|(key, _)| key == POLICIES).unwrap();
        let all: serde_json::Value = serde_json::from_str(&all.1).unwrap();
        let stopped = all["stopped"].as_str().map(str::to_owned);
        let commands = store.commands(10).await.unwrap().len();
        let images = store.load_images(None).await.unwrap().images.len();
        store.close().await;
        (fires, stopped, commands, images)
    }
}

#[tokio::test]
async fn decisions_that_can_still_be_read_are_not_lost_with_the_ledger() {
    let (home, backup) = Home::new("ann").await;
    home.damage("images").await;
    let damaged = std::fs::read(home.file()).unwrap();
    let restored = home.restore(Some(&backup)).await.unwrap();
    assert_eq!(restored.decisions_are_old, None);
    assert_eq!((restored.firing, restored.ledger_until), (2, Some(1_000_030)));
    assert!(!restored.scaling_is_stopped);
    let (fires, stopped, commands, images) = home.seen().await;
    assert_eq!(fires, ["a1", "b1"], "the incidents go on under their keys");
    assert_eq!((stopped.as_deref(), commands, images), (Some("ann"), 0, 200));
    assert!(home.paused().await, "by somebody, since the backup");
    let kept = restored.kept.unwrap();
    assert!(kept.ends_with("damper.db.damaged-20261122T051205Z"), "{kept:?}");
    assert_eq!(std::fs::read(kept).unwrap(), damaged);
    let left = home.folder.path().join("damper.db.restored");
    assert!(!left.exists());
}

#[tokio::test]
async fn where_decisions_are_as_old_as_the_backup_nothing_old_is_carried_out() {
    let (home, backup) = Home::new("ann").await;
    home.damage("states").await;
    let restored = home.restore(Some(&backup)).await.unwrap();
    assert!(restored.scaling_is_stopped, "{restored:?}");
    let why = restored.decisions_are_old.unwrap();
    assert_eq!(why, "pages, states: cannot be read: pages of it are not what was written");
    let (fires, stopped, commands, images) = home.seen().await;
    assert_eq!(fires, ["a1"]);
    // Ann's word is lost; nothing moves all the same.
    assert!(stopped.unwrap().starts_with("the restore of the store at 2026-11-22T05:12:05Z"));
    assert_eq!((commands, images), (0, 200), "the command was carried out since");
}

#[tokio::test]
async fn a_store_that_is_gone_is_restored_as_it_was_at_the_backup() {
    let (home, backup) = Home::new("ann").await;
    std::fs::remove_file(home.file()).unwrap();
    let restored = home.restore(Some(&backup)).await.unwrap();
    assert_eq!(restored.decisions_are_old.as_deref().map(|why| why.contains("no such file")), Some(true));
    assert_eq!(restored.kept, None);
    assert_eq!(home.seen().await.0, ["a1"]);
}

#[tokio::test]
async fn on_request_a_good_store_goes_back_too() {
    let (home, backup) = Home::new("ann").await;
    let same = home.restore(Some(&backup)).await.unwrap();
    assert_eq!(same.decisions_are_old, None, "it would lose what it need not");
    assert_eq!(home.seen().await.0, ["a1", "b1"]);
    restore(&home.url, Some(&backup), true, Options::default(), now()).await.unwrap();
    let (fires, stopped, ..) = home.seen().await;
    assert!(fires == ["a1"] && stopped.unwrap().contains("restore"));
}

#[tokio::test]
async fn without_a_backup_what_can_be_read_is_kept() {
    let (home, _) = Home::new("ann").await;
    home.damage("images").await;
    let restored = home.restore(None).await.unwrap();
    assert_eq!(restored.decisions_are_old, None);
    let salvaged = restored.salvaged.unwrap();
    assert!(salvaged.rows >= 1 && salvaged.lost > 0, "{salvaged:?}");
    let (fires, stopped, ..) = home.seen().await;
    assert_eq!((fires, stopped.as_deref()), (vec!["a1".to_owned(), "b1".to_owned()], Some("ann")));
    assert!(home.paused().await);

    let (home, _) = Home::new("ann").await;
    home.damage("states").await;
    let before = std::fs::read(home.file()).unwrap();
    let error = home.restore(None).await.unwrap_err();
    assert!(error.to_string().starts_with("nothing was changed: what matters most"), "{error}");
    assert_eq!(std::fs::read(home.file()).unwrap(), before);
}

/// Who tries it must not find a start refused afterwards.
#[tokio::test]
async fn without_a_backup_and_without_a_store_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("damper.db").display());
    let home = Home { folder, url };
    let names = || -> Vec<_> {
        std::fs::read_dir(home.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let error = home.restore(None).await.unwrap_err().to_string();
    assert!(error.ends_with("damper.db: there is no such file") && names().is_empty(), "{error}");
    std::fs::write(home.file(), "").unwrap();
    let error = home.restore(None).await.unwrap_err().to_string();
    assert!(error.ends_with("damper.db: the file is empty") && names() == ["damper.db"], "{error}");

    // A lock is left beside what cannot be read, and stands in nobody's way.
    std::fs::write(home.file(), "some text of another kind").unwrap();
    let error = home.restore(None).await.unwrap_err().to_string();
    assert!(error.starts_with("nothing was changed"), "{error}");
    std::fs::remove_file(home.file()).unwrap();
    Store::open(&home.url, Options::default()).await.unwrap().close().await;
    // Nor is a store that lost its lock taken for another one.
    std::fs::remove_file(home.folder.path().join("damper.db.lock")).unwrap();
    assert_eq!(home.restore(None).await.unwrap().decisions_are_old, None);
    Store::open(&home.url, Options::default()).await.unwrap().close().await;
}

#[tokio::test]
async fn a_log_that_lost_commits_is_not_taken_for_the_present() {
    let (home, backup) = Home::new("ann").await;
    // As a kill leaves it: the log is still beside the file.
    let store = Store::open(&home.url, Options::default()).await.unwrap();
    let Lease::Acquired { epoch } = store.acquire("test", 0, 60_000).await.unwrap() else { panic!() };
    for n in 0..20 {
        let states = vec![firing("shop/c", &format!("c{n}"))];
        store.commit(epoch, &Decisions { states, ..Decisions::default() }).await.unwrap();
    }
    let killed = Home::copy(&home);
    store.close().await;
    let log = killed.folder.path().join("damper.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 100].fill(0xa5);
    std::fs::write(&log, &bytes).unwrap();
    // Nor is a copy without its lock, of which nobody knows which store it is, another one.
    let copied = Home::copy(&killed);
    std::fs::remove_file(copied.folder.path().join("damper.db.lock")).unwrap();
    let salvaged = copied.restore(None).await.unwrap();
    assert!(salvaged.decisions_are_old.unwrap().contains("would be forgotten"));
    assert!(copied.seen().await.0.starts_with(&["a1".to_owned(), "b1".to_owned()]));
    // The backup lies where the store was.
    let restored = killed.restore(Some(&backup)).await.unwrap();
    let why = restored.decisions_are_old.unwrap();
    assert!(why.contains("would be forgotten") && restored.scaling_is_stopped, "{why}");
    assert_eq!(std::fs::read(format!("{}-wal", restored.kept.unwrap().display())).unwrap(), bytes);
    assert!(!log.exists() || std::fs::read(&log).unwrap() != bytes, "it would be read as the new file's");
    assert_eq!(killed.seen().await.0, ["a1"]);
}

#[tokio::test]
async fn what_cannot_be_restored_changes_nothing() {
    let (home, backup) = Home::new("ann").await;
    let before = std::fs::read(home.file()).unwrap();
    let refused = async |from: &Path| home.restore(Some(from)).await.unwrap_err().to_string();

    let running = Store::open(&home.url, Options::default()).await.unwrap();
    let error = refused(&backup).await;
    assert!(
        error.contains(&format!("another Damper (process {}) uses this file", std::process::id())),
        "{error}"
    );
    running.close().await;

    let bad = home.folder.path().join("bad.db");
    let mut bytes = std::fs::read(&backup).unwrap();
    let end = bytes.len() - 4096;
    bytes[end..].fill(0xa5);
    std::fs::write(&bad, &bytes).unwrap();
    let text = home.folder.path().join("text.db");
    std::fs::write(&text, "no backup").unwrap();
    let (other, _) = Home::new("bob").await;
    for (from, expected) in [
        (bad.as_path(), "is of no use: pages"),
        (text.as_path(), "is of no use: it does not begin as a SQLite file does"),
        (Path::new("/no/such/file.db"), "is of no use: its folder /no/such cannot be used"),
        (home.folder.path(), "is of no use: this is a folder"),
        (other.file().as_path(), "a backup of another store"),
        (home.file().as_path(), "no backup of itself"),
    ] {
        let error = refused(from).await;
        assert!(error.contains(expected), "{error}");
    }
    let error =
        restore("postgres://u@h/d", Some(&backup), false, Options::default(), now()).await.unwrap_err();
    assert!(error.to_string().contains("pg_restore"), "{error}");
    assert_eq!(std::fs::read(home.file()).unwrap(), before);
    assert_eq!(home.seen().await.0, ["a1", "b1"]);
}

/// Rows that SQLite finds nothing wrong with.
#[tokio::test]
async fn rows_that_cannot_be_read_are_found_with_what_they_mean() {
    let (home, _) = Home::new("ann").await;
    let mut shell = SqliteConnectOptions::new().filename(home.file()).connect().await.unwrap();
    sqlx::raw_sql(
        "update states set body = '{' where key like '%shop/a%';
         update states set body = '{\"stopped\": 3}' where key = 'scaling/all';
         update images set blob = x'00' where id in (5, 6);
         insert into levels (receiver, incident, payload, severity, state, since, resend_until)
              values ('r', 'i', '[]', 'page', 'firing', 0, 0);
         insert into outbox (seq, id, receiver, incident, event, payload, created_at, attempts, next_at, status)
              values (900, 'm', 'r', 'i', 'firing', '{', 0, 0, 0, 'pending');
         insert into documents (doc_id, revision, hash, text, file, accepted_at)
              values ('d', 1, 'wrong', 'text', 'f', 0);
         insert into history (seq, at, kind, subject, body) values (900, 0, 'k', 's', '{');",
    )
    .execute(&mut shell)
    .await
    .unwrap();
    sqlx::Connection::close(shell).await.unwrap();
    let store = Store::look(&home.url, Options::default()).await.unwrap();
    let found = examine(&store).await;
    let told: Vec<String> =
        found.findings.iter().map(|finding| format!("{}: {}", finding.place, finding.what)).collect();
    let has = |text: &str| assert!(told.iter().any(|told| told.contains(text)), "{text}: {told:#?}");
    has("states: 2 of 4 rows cannot be read or are not what was written, the first: ");
    has("outbox: 1 of 1 rows");
    has("levels: 1 of 1 rows cannot be read or are not what was written, the first: i at r");
    has("documents: 1 of 1 rows");
    has("history: 1 of 1 rows");
    has("images: 200 of 200 rows");
    assert!(!found.has_decisions());
    assert_eq!(found.rows["states"], 4);
}

impl Home {
    fn copy(home: &Self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for suffix in ["", "-wal", ".lock"] {
            let name = format!("damper.db{suffix}");
            std::fs::copy(home.folder.path().join(&name), folder.path().join(&name)).unwrap();
        }
        let url = format!("sqlite:{}", folder.path().join("damper.db").display());
        Self { folder, url }
    }
}
