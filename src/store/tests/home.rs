//! Where a test's store lives, and the rows most tests need.

use std::path::PathBuf;

use tempfile::TempDir;

use super::postgres::{Database, fresh_database};
use crate::slo::model::Severity;
use crate::store::{Decisions, Lease, Options, OutboxPut, StatePut, Store};

/// An address that no other test uses.
pub(super) struct Home {
    pub(super) url: String,
    dir: TempDir,
    /// Its server runs as long.
    _database: Option<Database>,
}

impl Home {
    pub(super) fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { url: format!("sqlite:{}", dir.path().join("damper.db").display()), dir, _database: None }
    }

    pub(super) fn postgres() -> Self {
        let database = fresh_database();
        Self { url: database.to_string(), dir: tempfile::tempdir().unwrap(), _database: Some(database) }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }

    pub(super) async fn open(&self) -> Store {
        self.open_with(Options::default()).await
    }

    pub(super) async fn open_with(&self, options: Options) -> Store {
        Store::open(&self.url, options).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Opened, with the lease.
    pub(super) async fn lead(&self) -> (Store, i64) {
        let store = self.open().await;
        let epoch = lead(&store, 0).await;
        (store, epoch)
    }
}

/// Takes the lease at `now` for a minute.
pub(super) async fn lead(store: &Store, now: i64) -> i64 {
    match store.acquire("test", now, 60_000).await.unwrap() {
        Lease::Acquired { epoch } => epoch,
        Lease::HeldBy { holder, until_ms } => panic!("held by {holder} until {until_ms}"),
    }
}

pub(super) fn state(key: &str, body: &str) -> StatePut {
    StatePut { key: key.into(), body: body.into() }
}

/// A message of an incident to `hook`, due from `not_before`.
pub(super) fn message(id: &str, incident: &str, not_before: i64) -> OutboxPut {
    OutboxPut {
        id: id.into(),
        receiver: "hook".into(),
        incident: incident.into(),
        event: "firing".into(),
        severity: Severity::Page,
        created_at: not_before,
        not_before,
        payload: "{}".into(),
        fallback_of: None,
    }
}

pub(super) fn owing(messages: &[OutboxPut]) -> Decisions {
    Decisions { outbox: messages.to_vec(), ..Decisions::default() }
}

/// Ids of what is due for `hook`.
pub(super) async fn due(store: &Store, now: i64) -> Vec<String> {
    store.due("hook", now, 1000).await.unwrap().into_iter().map(|row| row.id).collect()
}
