//! A store whose file is taken away and put back: refused at once, and well at once.

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
use crate::service::catchup::Debts;
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

/// A receiver that hangs until it is let.
#[derive(Default)]
struct Slow {
    ears: Ears,
    gate: Notify,
}

impl Receiver for Slow {
    fn deliver<'a>(&'a self, notice: &'a Notice, at: Ts) -> BoxFuture<'a, Outcome> {
        let outcome = self.ears.deliver(notice, at);
        Box::pin(async {
            self.gate.notified().await;
            outcome.await
        })
    }
}

const LIMIT: Duration = Duration::from_secs(20);

impl Ears {
    async fn heard(&self, what: &[&str]) {
        wait_until(LIMIT, "what is heard", async || *self.heard.read() == what).await;
    }
}

impl Night {
    /// Its outbox and its memory send to "main".
    fn outbox(&self, to: &Arc<Slow>) {
        let to: Arc<dyn Receiver> = Arc::clone(to) as Arc<dyn Receiver>;
        let outbox = crate::service::deliver::run(Arc::clone(&self.shared), "main".into(), to);
        self.shared.tasks.spawn(outbox);
    }

    fn memory(&self, to: &Arc<Slow>) {
        let (shared, to) = (Arc::clone(&self.shared), Arc::clone(to));
        self.shared.tasks.spawn(async move { deliver::look(&shared, "main", &*to).await });
    }

    async fn all_delivered(&self) {
        let all = async || self.rows("main").await.iter().all(|(_, status)| *status == Status::Delivered);
        wait_until(LIMIT, "all to be delivered", all).await;
    }
}

#[tokio::test]
async fn a_page_on_its_way_from_memory_is_not_sent_by_an_outbox_that_can_be_read_again() {
    for stored in [true, false] {
        let (night, memory, outbox) = (Night::begin().await, Arc::<Slow>::default(), Arc::<Slow>::default());
        if stored {
            assert!(night.tick(fires(Page, "p", 30)).await);
            night.degrade(fires(Ticket, "t", 60)).await;
            without_outbox(&night.shared, "main");
        } else {
            night.degrade(fires(Page, "p", 30)).await;
            assert!(night.tick(fires(Ticket, "t", 60)).await);
        }
        night.memory(&memory);
        memory.ears.heard(&["p-firing-main"]).await;
        night.find();
        recover(&night.shared).await.unwrap();
        night.outbox(&outbox);
        // Both are due, the page first.
        outbox.ears.heard(&["t-firing-main"]).await;
        outbox.gate.notify_one();
        memory.gate.notify_one();
        night.all_delivered().await;
        outbox.ears.heard(&["t-firing-main"]).await;
        assert_eq!(night.rows("main").await.len(), 2, "stored: {stored}");
    }
}

#[tokio::test]
async fn a_page_on_its_way_from_the_outbox_is_not_sent_from_memory_too_nor_after_it_was_taken() {
    let (night, outbox, memory) = (Night::begin().await, Arc::<Slow>::default(), Ears::default());
    assert!(night.tick(fires(Page, "p", 30)).await);
    night.outbox(&outbox);
    outbox.ears.heard(&["p-firing-main"]).await;
    night.degrade(fires(Ticket, "t", 60)).await;
    without_outbox(&night.shared, "main");
    assert_eq!(night.deliver("main", &memory).await, [""; 0], "on its way");
    outbox.gate.notify_one();
    let taken = async || night.shared.degraded.is_taken("p-firing-main");
    wait_until(LIMIT, "it to be taken", taken).await;
    assert_eq!(night.deliver("main", &memory).await, [""; 0], "taken, and not to be marked");
    night.find();
    recover(&night.shared).await.unwrap();
    assert_eq!(night.rows("main").await[0], row("p-firing-main", Status::Delivered));
}

#[tokio::test]
async fn a_page_that_waits_in_an_outbox_that_cannot_be_read_is_sent_from_memory() {
    let night = Night::begin().await;
    assert!(night.tick(fires(Page, "p", 30)).await);
    without_outbox(&night.shared, "main");
    assert_eq!(night.deliver("main", &Ears::default()).await, [""; 0], "its own loop sends it");
    night.degrade(fires(Ticket, "t", 60)).await;
    without_outbox(&night.shared, "main");
    assert_eq!(night.deliver("main", &Ears::default()).await, ["p-firing-main"]);
    without_outbox(&night.shared, "main");
    assert_eq!(night.deliver("main", &Ears::default()).await, [""; 0], "once");
    // A death does not forget it.
    night.find();
    let night = Box::pin(night.die()).await;
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
    assert_eq!(night.history().await, [line("p", "firing")]);
}

#[tokio::test]
async fn what_was_taken_from_the_outbox_or_is_over_is_not_sent_from_memory() {
    for over in [true, false] {
        let night = Night::begin().await;
        assert!(night.tick(fires(Page, "p", 30)).await);
        if over {
            assert!(night.tick(ends(Page, "p", 60)).await);
        } else {
            is_finished(&night.shared, "p-firing-main");
        }
        night.degrade(fires(Ticket, "t", 90)).await;
        without_outbox(&night.shared, "main");
        assert_eq!(night.deliver("main", &Ears::default()).await, [""; 0], "over: {over}");
    }
}

/// The folder of a container that is made anew is empty.
#[tokio::test]
async fn what_a_replica_told_is_handed_over_before_it_ends() {
    let (night, ears) = (Night::begin().await, Ears::default());
    night.degrade(fires(Page, "p", 30)).await;
    night.deliver("main", &ears).await;
    night.find();
    super::hand_over(&night.shared).await;
    let night = Box::pin(night.die()).await;
    assert_eq!(night.fires(), None, "nothing is left in its folder");
    super::handover::look(&night.shared).await.unwrap();
    super::take_over(&night.shared).await;
    assert_eq!(night.fires().as_deref(), Some("p"));
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
}

/// What it could hand over only in part it hands over once more.
#[tokio::test]
async fn what_is_handed_over_twice_is_taken_up_once() {
    let (night, ears) = (Night::begin().await, Ears::default());
    night.degrade(fires(Page, "p", 30)).await;
    night.deliver("main", &ears).await;
    night.find();
    super::hand_over(&night.shared).await;
    for command in night.shared.store.commands(10).await.unwrap() {
        night.shared.store.put_command(&command.kind, &command.body, 0).await.unwrap();
    }
    let night = Box::pin(night.die()).await;
    super::handover::look(&night.shared).await.unwrap();
    super::take_over(&night.shared).await;
    assert_eq!(night.fires().as_deref(), Some("p"));
    assert_eq!(night.history().await, [line("p", "firing")], "and no end");
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
}

/// Else the state of the incident that the store has would be that of the other one, and it would never end.
#[tokio::test]
async fn nothing_is_taken_over_while_it_is_in_doubt_what_the_store_has() {
    let (night, ears) = (Night::begin().await, Ears::default());
    night.degrade(fires(Page, "theirs", 30)).await;
    night.deliver("main", &ears).await;
    night.find();
    super::hand_over(&night.shared).await;
    let night = Box::pin(night.die()).await;
    // The answer was lost, not the commit.
    assert!(night.tick(fires(Page, "own", 60)).await);
    night.shared.world.write().control = Default::default();
    *night.shared.in_doubt.write() =
        Some(super::Doubt { delta: fires(Page, "own", 60), ..super::Doubt::default() });
    for _ in 0..2 {
        super::handover::look(&night.shared).await.unwrap();
        super::take_over(&night.shared).await;
        assert!(night.tick(Delta::default()).await);
        assert_eq!(night.fires().as_deref(), Some("own"));
    }
    let all = [line("own", "firing"), line("theirs", "firing"), line("theirs", "resolved")];
    assert_eq!(night.history().await, all);
}

#[tokio::test]
async fn a_process_that_cannot_write_what_was_told_says_that_it_is_degraded() {
    let night = Night::begin().await;
    night.degrade(fires(Page, "p", 30)).await;
    night.find();
    let Night { shared, folder } = night;
    Arc::into_inner(shared).unwrap().store.close().await;
    let night = Night::of(Box::pin(again(&folder, FALLBACK)).await, folder);
    night.lose();
    Box::pin(resume(&night.shared)).await.unwrap();
    assert!(night.shared.degraded.is_on());
    assert_eq!(night.shared.metrics.degraded.get(), 1);
}

#[tokio::test]
async fn what_a_replica_told_that_leads_no_more_the_leader_tells_the_end_of() {
    let (night, ears) = (Night::begin().await, Ears::default());
    night.degrade(fires(Page, "p", 30)).await;
    night.deliver("main", &ears).await;
    night.find();
    // It comes back as one that stands by.
    let Night { shared, folder } = night;
    let shared = Arc::into_inner(shared).unwrap();
    shared.store.close().await;
    drop(shared.degraded);
    let night = Night::of(Box::pin(again(&folder, FALLBACK)).await, folder);
    super::hand_over(&night.shared).await;
    assert_eq!(std::fs::read(night.folder.path().join("spill")).unwrap(), super::record::HEADER);
    // The one that leads.
    super::handover::look(&night.shared).await.unwrap();
    super::take_over(&night.shared).await;
    assert_eq!(night.fires().as_deref(), Some("p"));
    assert!(night.shared.store.commands(10).await.unwrap().is_empty());
    assert_eq!(night.rows("main").await, [row("p-firing-main", Status::Delivered)]);
    assert!(night.tick(ends(Page, "p", 90)).await);
    assert_eq!(night.history().await, [line("p", "firing"), line("p", "resolved")]);
}

#[tokio::test]
async fn what_is_owed_of_gaps_is_in_the_store_once_it_is_back() {
    let gap = r#"{"since": 30, "found": 300, "most": 10, "before": [], "told": []}"#;
    let of = |slo: &str| [(slo.to_owned(), serde_json::from_str(gap).unwrap())].into_iter().collect();
    let night = Night::begin().await;
    let commit = async |debts| {
        let mut commits = Commits::of(&night.shared);
        assert!(commits.commit_owing(&Delta::default(), vec![], debts).await);
    };
    commit(Debts::of(of("shop/old"))).await;
    night.degrade(fires(Page, "p", 30)).await;
    commit(Debts::of(of("shop/cart"))).await;
    commit(Debts::paid(["shop/old".to_owned()].into())).await;
    assert!(night.tick(fires(Page, "q", 60)).await);
    night.find();
    recover(&night.shared).await.unwrap();
    let night = Box::pin(night.die()).await;
    crate::service::catchup::restore(&night.shared).await.unwrap();
    let owed = night.shared.owed.read().clone();
    assert_eq!(owed.keys().collect::<Vec<_>>(), ["shop/cart"]);
    let row = serde_json::to_value(&owed["shop/cart"]).unwrap();
    assert_eq!(row["told"].as_array().unwrap().len(), 1, "people know of that alert: {row}");
}
