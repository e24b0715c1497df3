//! A store whose file is taken away and put back: refused at once, and well at once.

mod gaps;
mod handover;
mod outbox;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::recover::recover;
use super::testing::{ends, fires, key};
use super::{Degraded, count, deliver, is_finished, resume, without_outbox};
use crate::engine::notice::{Event, Notice};
use crate::engine::recipient::Recipient;
use crate::engine::step::Delta;
use crate::notify::{Outcome, Reason, Receiver};
use crate::service::catchup;
use crate::service::commits::Commits;
use crate::service::owed::owe_fallback;
use crate::service::shared::Shared;
use crate::service::state::Guarded;
use crate::service::testing::{FALLBACK, again, messages, service, wait_until};
use crate::slo::model::Severity::{Page, Ticket};
use crate::slo::time::Ts;
use crate::store::Status;

/// What a receiver was told, and whether it takes it.
#[derive(Default)]
struct Ears {
    heard: Guarded<Vec<String>>,
    deaf: bool,
}

impl Receiver for Ears {
    fn deliver<'a>(&'a self, notice: &'a Notice, _: Ts) -> BoxFuture<'a, Outcome> {
        self.heard.write().push(notice.id.clone());
        let outcome =
            if self.deaf { Outcome::permanent(Reason::ClientError, "404") } else { Outcome::DELIVERED };
        Box::pin(async { outcome })
    }
}

struct Night {
    shared: Arc<Shared>,
    folder: TempDir,
}

impl Night {
    async fn begin() -> Self {
        let (shared, folder) = service(FALLBACK).await;
        Self::of(shared, folder)
    }

    fn of(mut shared: Shared, folder: TempDir) -> Self {
        shared.degraded = Degraded::with_spill(&folder.path().join("spill"));
        Self { shared: Arc::new(shared), folder }
    }

    /// As after `kill -9`: nothing is left but files.
    async fn die(self) -> Self {
        let Self { shared, folder } = self;
        let shared = Arc::into_inner(shared).expect("nobody else has it");
        shared.store.close().await;
        drop(shared.degraded);
        let next = Self::of(Box::pin(again(&folder, FALLBACK)).await, folder);
        let control = crate::service::restart::control(&next.shared).await.unwrap();
        next.shared.world.write().control = control;
        catchup::restore(&next.shared).await.unwrap();
        Box::pin(resume(&next.shared)).await.unwrap();
        next
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("damper.db")
    }

    fn lose(&self) {
        std::fs::rename(self.file(), self.file().with_extension("away")).unwrap();
    }

    fn find(&self) {
        std::fs::rename(self.file().with_extension("away"), self.file()).unwrap();
    }

    /// A tick that decides this; whether it could.
    async fn tick(&self, delta: Delta) -> bool {
        let mut commits = Commits::of(&self.shared);
        let done =
            commits.is_sure().await && commits.commit(&delta, vec![("shop/cart".into(), Ts(30))]).await;
        let uncommitted = commits.end();
        count(&self.shared, uncommitted > 0, &Ok(())).await;
        done
    }

    /// Without its store, by a decision in doubt.
    async fn degrade(&self, delta: Delta) {
        self.lose();
        assert!(!self.tick(delta).await);
        assert!(!self.shared.degraded.is_on(), "one tick is nothing");
        assert!(self.tick(Delta::default()).await);
        assert!(self.shared.degraded.is_on());
    }

    async fn deliver(&self, name: &str, ears: &Ears) -> Vec<String> {
        deliver::look(&self.shared, name, ears).await;
        std::mem::take(&mut *ears.heard.write())
    }

    async fn rows(&self, receiver: &str) -> Vec<(String, Status)> {
        messages(&self.shared, receiver).await.into_iter().map(|row| (row.id, row.status)).collect()
    }

    /// Every line of history: incident and event.
    async fn history(&self) -> Vec<(String, String)> {
        let lines = self.shared.store.history(None, None, 100).await.unwrap().items;
        let incident = |body: &str| {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            body["incident"].as_str().unwrap().to_owned()
        };
        lines.into_iter().rev().map(|line| (incident(&line.body), line.kind)).collect()
    }

    fn fires(&self) -> Option<String> {
        let world = self.shared.world.read();
        Some(world.control.get(&key(Page))?.firing.as_ref()?.incident.clone())
    }
}

fn row(id: &str, status: Status) -> (String, Status) {
    (id.to_owned(), status)
}

fn line(incident: &str, event: &str) -> (String, String) {
    (incident.to_owned(), event.to_owned())
}

#[tokio::test]
async fn a_page_is_told_from_memory_and_the_store_gets_it_with_its_end_once_it_is_back() {
    let (night, ears) = (Night::begin().await, Ears::default());
    night.degrade(fires(Page, "p", 30)).await;
    assert_eq!(night.deliver("main", &ears).await, ["p-firing-main"]);
    assert!(night.tick(fires(Ticket, "t", 60)).await);
    assert!(night.tick(ends(Page, "p", 90)).await);
    assert_eq!(night.deliver("main", &ears).await, [""; 0], "no end, no ticket, nothing twice");
    assert!(recover(&night.shared).await.is_err());
    night.find();
    recover(&night.shared).await.unwrap();
    assert!(!night.shared.degraded.is_on());
    let all = [
        row("p-firing-main", Status::Delivered),
        row("t-firing-main", Status::Pending),
        row("p-resolved-main", Status::Pending),
    ];
    assert_eq!(night.rows("main").await, all);
    assert_eq!(night.history().await, [line("p", "firing"), line("t", "firing"), line("p", "resolved")]);
    assert!(night.tick(ends(Ticket, "t", 120)).await);
    assert_eq!(night.history().await.len(), 4, "the present is decided in the store again");
}

#[tokio::test]
async fn a_kill_while_degraded_neither_loses_a_page_nor_tells_it_again() {
    let (night, ears) = (Night::begin().await, Ears::default());
    night.degrade(fires(Page, "p", 30)).await;
    night.deliver("main", &ears).await;
    night.find();
    let night = Box::pin(night.die()).await;
    assert_eq!(night.fires().as_deref(), Some("p"));
    assert!(!night.shared.degraded.is_on());
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
    // It is stored now, and said once however often the process dies.
    let night = Box::pin(night.die()).await;
    assert_eq!(night.history().await, [line("p", "firing")]);
    assert!(night.tick(ends(Page, "p", 90)).await);
    assert_eq!(night.history().await, [line("p", "firing"), line("p", "resolved")]);
}

#[tokio::test]
async fn a_spill_file_that_is_lost_is_made_anew_with_all_that_was_told() {
    let (night, ears) = (Night::begin().await, Ears::default());
    night.degrade(fires(Page, "p", 30)).await;
    std::fs::remove_file(night.folder.path().join("spill")).unwrap();
    assert_eq!(night.deliver("main", &ears).await, ["p-firing-main"]);
    night.find();
    let night = Box::pin(night.die()).await;
    assert_eq!(night.fires().as_deref(), Some("p"));
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
}

#[test]
fn a_spill_file_that_cannot_be_read_is_told_until_somebody_saw_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spill");
    assert_eq!(Degraded::with_spill(&path).unread(), None);
    std::fs::write(&path, "damper spill 2\n").unwrap();
    for _ in 0..2 {
        let told = Degraded::with_spill(&path).unread().unwrap();
        assert!(told.contains("spill.unread") && told.contains("start the newer one"), "{told}");
    }
    std::fs::remove_file(folder.path().join("spill.unread")).unwrap();
    assert_eq!(Degraded::with_spill(&path).unread(), None);
}

/// A full disk, say: what was told then is noted with what comes next, and health says so until it is.
#[tokio::test]
async fn what_could_not_be_noted_is_noted_as_soon_as_that_is_possible() {
    let (night, ears) = (Night::begin().await, Ears::default());
    let (spill, away) = (night.folder.path().join("spill"), night.folder.path().join("spill.away"));
    // A folder in its place.
    std::fs::rename(&spill, &away).unwrap();
    std::fs::create_dir(&spill).unwrap();
    night.degrade(fires(Page, "p", 30)).await;
    assert_eq!(night.deliver("main", &ears).await, ["p-firing-main"], "it leaves all the same");
    let says = || night.shared.degraded.why().unwrap().contains("forgotten by a restart");
    assert!(says());
    std::fs::remove_dir(&spill).unwrap();
    super::recover::again(&night.shared).await;
    assert!(!says(), "{:?}", night.shared.degraded.why());
    night.find();
    let night = Box::pin(night.die()).await;
    assert_eq!(night.fires().as_deref(), Some("p"));
}

#[tokio::test]
async fn a_page_that_nobody_took_is_owed_by_the_next_process() {
    let (night, deaf) = (Night::begin().await, Ears { deaf: true, ..Ears::default() });
    night.degrade(fires(Page, "p", 30)).await;
    assert_eq!(night.deliver("main", &deaf).await, ["p-firing-main"]);
    // Refused: the fallback is told at once, from memory as well.
    assert_eq!(night.deliver("other", &Ears::default()).await, ["p-firing-other"]);
    night.find();
    let night = Box::pin(night.die()).await;
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Pending)]);
    assert_eq!(night.rows("other").await, [row("p-firing-other", Status::Delivered)]);
}

/// By the receiver that is shown it, in memory and where the store can still be read.
#[tokio::test]
async fn no_fallback_is_paged_for_what_is_only_shown_and_refused() {
    let (night, deaf) = (Night::begin().await, Ears { deaf: true, ..Ears::default() });
    let mut shown = fires(Page, "p", 30);
    let told = vec![Recipient::Shadow { shadow: "main".into() }];
    shown.transitions.iter_mut().for_each(|transition| transition.told.clone_from(&told));
    night.degrade(shown).await;
    assert_eq!(night.deliver("main", &deaf).await.len(), 1);
    let mut notice = crate::service::testing::page("main", Event::Firing);
    notice.shadow = true;
    owe_fallback(&night.shared, 1, &[notice]).await.unwrap();
    assert_eq!(night.deliver("other", &Ears::default()).await, [""; 0]);
}

#[tokio::test]
async fn a_death_between_the_commit_and_the_emptying_of_the_file_repeats_nothing() {
    let (night, ears) = (Night::begin().await, Ears::default());
    night.degrade(fires(Page, "p", 30)).await;
    night.deliver("main", &ears).await;
    let spill = std::fs::read(night.folder.path().join("spill")).unwrap();
    night.find();
    recover(&night.shared).await.unwrap();
    assert!(night.tick(ends(Page, "p", 60)).await);
    // The end was told, and the file says that it fires.
    std::fs::write(night.folder.path().join("spill"), spill).unwrap();
    let night = Box::pin(night.die()).await;
    assert_eq!(night.fires(), None, "it is over");
    assert_eq!(night.history().await, [line("p", "firing"), line("p", "resolved")]);
    let all = [row("p-firing-main", Status::Delivered), row("p-resolved-main", Status::Pending)];
    assert_eq!(night.rows("main").await, all);
}

#[tokio::test]
async fn what_was_committed_unseen_is_not_written_twice() {
    let (night, ears) = (Night::begin().await, Ears::default());
    // The answer was lost, not the commit.
    assert!(night.tick(fires(Page, "p", 30)).await);
    let doubt = super::Doubt { delta: fires(Page, "p", 30), judged: vec![], ..super::Doubt::default() };
    night.shared.world.write().control = Default::default();
    *night.shared.in_doubt.write() = Some(doubt);
    night.lose();
    assert!(!night.tick(Delta::default()).await);
    assert!(night.tick(Delta::default()).await);
    assert_eq!(night.deliver("main", &ears).await, ["p-firing-main"], "under the id that the store may have");
    night.find();
    recover(&night.shared).await.unwrap();
    assert_eq!(night.history().await, [line("p", "firing")]);
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
}
