//! Messages that receivers are owed, and what became of them.

use tempfile::TempDir;

use super::{NOWHERE, leader};
use crate::engine::notice::{Event, Notice};
use crate::notify::testing;
use crate::service::clock;
use crate::service::owed::owe;
use crate::service::shared::Shared;
use crate::slo::model::Severity;
use crate::store::{Decisions, OutboxFilter, OutboxRow, Status};

pub(in crate::service) const FALLBACK: &str = "
receivers:
  - {name: main, webhook: {url: 'http://127.0.0.1:9/'}}
  - {name: other, webhook: {url: 'http://127.0.0.1:9/'}}
route: {receiver: main, fallback: other}
";

/// Settings with these receivers.
pub(in crate::service) fn receivers(receivers: &str) -> String {
    format!("prometheus: {{url: '{NOWHERE}'}}\ndefinitions: [slos]\n{receivers}")
}

/// A service with these receivers.
pub(in crate::service) async fn service(those: &str) -> (Shared, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let shared = leader(folder.path(), &receivers(those)).await;
    (shared, folder)
}

/// The next process on the store of one that is gone.
pub(in crate::service) async fn again(folder: &TempDir, those: &str) -> Shared {
    leader(folder.path(), &receivers(those)).await
}

pub(in crate::service) fn notice(receiver: &str, incident: &str, severity: Severity, event: Event) -> Notice {
    let mut notice = if event == Event::Firing { testing::firing() } else { testing::resolved() };
    notice.id = format!("{incident}-{}-{receiver}", event.as_str());
    (notice.incident, notice.receiver, notice.alert.severity) = (incident.into(), receiver.into(), severity);
    notice
}

pub(in crate::service) fn page(receiver: &str, event: Event) -> Notice {
    notice(receiver, "p", Severity::Page, event)
}

/// Owed so many milliseconds ago.
pub(in crate::service) async fn owed_since(shared: &Shared, age: i64, notices: Vec<Notice>) {
    let mut decisions = Decisions::default();
    for notice in notices {
        owe(shared, notice, None, clock::now_ms() - age, &mut decisions);
    }
    shared.store.commit(shared.epoch().unwrap(), &decisions).await.unwrap();
}

/// Messages of a receiver, the oldest first.
pub(in crate::service) async fn messages(shared: &Shared, receiver: &str) -> Vec<OutboxRow> {
    let filter = OutboxFilter { receiver: Some(receiver.into()), ..OutboxFilter::default() };
    let mut rows = shared.store.outbox(&filter, None, 1000).await.unwrap().items;
    rows.reverse();
    rows
}

pub(in crate::service) async fn pending(shared: &Shared, receiver: &str) -> Vec<(String, String)> {
    let rows = messages(shared, receiver).await.into_iter().filter(|row| row.status == Status::Pending);
    rows.map(|row| (row.incident, row.event)).collect()
}

pub(in crate::service) fn pair(incident: &str, event: &str) -> (String, String) {
    (incident.to_owned(), event.to_owned())
}
