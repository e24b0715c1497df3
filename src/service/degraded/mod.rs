//! A pager must not die with its database. After two ticks in which the store took nothing Damper is
//! degraded: it goes on in memory, and tells people of pages that begin, under the very ids that they
//! would have had. It tells no ends, moves no replicas, and tickets wait. What it told is noted in the
//! spill file, so that a death forgets nothing. When the store is back it gets all of it in one
//! transaction that may be repeated, and what waited leaves.
//!
//! - `memory`, `messages`, `record`: what to tell, what to keep, what to write; pure
//! - `spill`: the file
//! - `enter`: how a tick decides meanwhile
//! - `deliver`, `level`: who tells
//! - `untaken`: pages that the store has and nobody took, for when it cannot be read
//! - `recover`, `resume`, `handover`: what the store gets, after the trouble, at a start, and from a
//!   replica that does not lead any more
//!
//! Nobody else may lead meanwhile on SQLite, whose lock this process holds. On PostgreSQL a replica
//! that reaches the store takes over and pages too: one page too many is better than one too few, and
//! both have the same key where both saw it begin in the same slice.

mod deliver;
mod enter;
mod handover;
mod level;
mod memory;
mod messages;
mod record;
mod recover;
mod resume;
mod spill;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod untaken;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use self::memory::Memory;
use self::messages::Messages;
use self::record::Record;
use self::spill::Spill;
use self::untaken::Untaken;
use super::catchup::Debts;
use super::state::Guarded;
use crate::engine::step::Delta;
use crate::notify::alertmanager::subject;
use crate::slo::model::Labels;
use crate::slo::time::Ts;
use crate::store::{Command, Delivered};

pub(super) use deliver::{run as tell_messages, taken};
pub(super) use enter::{count, enter, stand_in, take};
pub(super) use handover::{hand_over, take_over};
pub(super) use level::run as tell_levels;
pub(crate) use record::again;
pub(super) use recover::run;
pub(super) use resume::resume;
pub(super) use untaken::{is_finished, is_in_doubt, owes, waits, without_outbox};

/// Ticks in a row without a commit after which Damper is degraded.
const TICKS: u32 = 2;
/// An attempt has this long to end before the same message is sent in another way.
const UNDER_WAY: Duration = Duration::from_mins(1);

/// A decision whose commit had no answer: it may have been written all the same.
#[derive(Clone, Default, Debug)]
pub(super) struct Doubt {
    /// What was decided.
    pub delta: Delta,
    /// Until when SLOs are judged by it.
    pub judged: Vec<(String, Ts)>,
    /// What is owed of gaps by it.
    pub debts: Debts,
}

/// Whether the store takes what is decided, and what is done while it does not.
#[derive(Default)]
pub struct Degraded {
    on: AtomicBool,
    /// Ticks in a row without a commit.
    missed: AtomicU32,
    inner: Guarded<Inner>,
    /// Pages that wait in the store.
    untaken: Guarded<Untaken>,
    /// Or why there is none.
    spill: Option<Result<Spill, String>>,
    spill_path: Option<PathBuf>,
    /// What an earlier process left.
    left: Guarded<Vec<Record>>,
    /// What other replicas told, and hand to this one.
    handed: Guarded<Vec<Command>>,
    /// Wakes who tells, and who tries whether the store is back.
    wake: Notify,
    /// Wakes who waits for a message that is on its way from memory.
    ended: Notify,
}

/// A message that the outbox sends: until this is dropped the memory does not.
pub(super) struct Alone<'a> {
    degraded: &'a Degraded,
    id: &'a str,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.degraded.inner.write().messages.outbox_ended(self.id);
    }
}

#[derive(Default)]
struct Inner {
    memory: Memory,
    messages: Messages,
    /// Messages that the store has, and that were taken without its knowing.
    delivered: Vec<Delivered>,
    /// What came from other replicas, by the ids of their commands.
    commands: Vec<i64>,
    /// SLOs of which the store may say that a gap is owed, which is not so any more.
    paid: BTreeSet<String>,
    /// Grows with every change, so that a commit knows whether it wrote the newest.
    generation: u64,
    /// How often the store got all of it.
    recovered: u64,
    /// Why, and since when.
    why: String,
    since: Option<Ts>,
    /// What is wrong with the spill file.
    unspilled: Option<String>,
}

impl Degraded {
    /// With a spill file at `path`, and what it holds. Without one pages are told all the same; only
    /// a death would forget that.
    pub(super) fn with_spill(path: &Path) -> Self {
        let (spill, left) = match Spill::open(path) {
            Ok((spill, left)) => (Ok(spill), left),
            Err(error) => {
                let error = format!("{}: {error}", path.display());
                tracing::warn!(
                    error,
                    "no spill file: what is told while the store is away is forgotten by a restart"
                );
                (Err(error), Vec::new())
            }
        };
        let (spill_path, left) = (Some(path.to_owned()), Guarded::new(left));
        Self { spill: Some(spill), spill_path, left, ..Self::default() }
    }

    /// Whether a spill file is kept that could not be read, and what to do about it, for health.
    pub fn unread(&self) -> Option<String> {
        let path = self.spill_path.as_ref()?;
        let unread = spill::unread(path);
        unread.exists().then(|| {
            format!(
                "A spill file that could not be read, or not in whole, is kept as {}. Pages that were told \
                 while the store was away may be in it: Damper does not know of them, tells no end of those \
                 that are over, and tells those that fire once more. If a newer Damper wrote it, stop this \
                 one, move the file to {} and start the newer one; else read in it what was told (each entry \
                 is JSON). Then remove it.",
                unread.display(),
                path.display()
            )
        })
    }

    /// Whether Damper goes on without its store.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    fn begin(&self) {
        self.on.store(true, Ordering::Release);
        self.wake.notify_waiters();
    }

    fn end(&self) {
        self.missed.store(0, Ordering::Release);
        self.on.store(false, Ordering::Release);
    }

    /// Empties the spill file. Where that fails nothing is lost: the next start finds all of it stored,
    /// and what is told next is written behind it.
    async fn empty(&self) {
        let Some(Ok(spill)) = &self.spill else { return };
        if let Err(error) = spill.clear().await {
            tracing::warn!(error, "the spill file was not emptied");
        }
    }

    /// Whether somebody still waits for a page that the store does not have.
    pub(super) fn any_waits(&self) -> bool {
        self.is_on() && self.inner.read().messages.any_waits()
    }

    /// Whether a receiver took this message from memory: it is not sent again.
    pub(super) fn is_taken(&self, id: &str) -> bool {
        self.inner.read().messages.is_taken(id)
    }

    /// The outbox is about to send a message: waits for the end of an attempt from memory, and keeps
    /// another one from beginning there. An attempt that does not end is not waited for for ever.
    pub(super) async fn alone<'a>(&'a self, id: &'a str) -> Alone<'a> {
        let free = async {
            loop {
                let ended = self.ended.notified();
                tokio::pin!(ended);
                ended.as_mut().enable();
                if self.inner.write().messages.outbox_begins(id) {
                    return;
                }
                ended.await;
            }
        };
        if tokio::time::timeout(UNDER_WAY, free).await.is_err() {
            tracing::warn!(id, "an attempt from memory does not end; it is sent all the same");
        }
        Alone { degraded: self, id }
    }

    /// How often the store got what was told without it: what was read of it before may be marked since.
    pub(super) fn recovered(&self) -> u64 {
        self.inner.read().recovered
    }

    /// The store knows now that it was taken.
    pub(super) fn forget(&self, id: &str) {
        self.inner.write().messages.forget(id);
    }

    /// Whether people know an alert with these labels to fire, which the store may not.
    pub(super) fn fires(&self, labels: &Labels) -> bool {
        if !self.is_on() {
            return false;
        }
        let subject_of = subject(labels);
        let inner = self.inner.read();
        let mut firing =
            inner.memory.known().iter().filter_map(|(key, state)| Some((key, state.firing.as_ref()?)));
        firing.any(|(key, firing)| {
            let mut told = level::notices(key, firing).into_iter().map(|notice| notice.alert.labels);
            subject(&firing.labels) == subject_of || told.any(|labels| subject(&labels) == subject_of)
        })
    }

    /// Why it is on, for health.
    pub(super) fn why(&self) -> Option<String> {
        if !self.is_on() {
            return None;
        }
        let inner = self.inner.read();
        let since = inner.since.map(|since| since.to_string()).unwrap_or_default();
        let told = inner.memory.told().len();
        let mut words = format!(
            "{}. Degraded since {since}: pages that begin are told from memory ({told} so far); resolves, \
             tickets, scaling and edits of definitions wait for the store",
            inner.why.trim_end_matches('.')
        );
        if let Some(error) = &inner.unspilled {
            words.push_str(&format!(". What is told is forgotten by a restart: {error}"));
        }
        Some(words)
    }
}

/// Names the store's file to put the spill file beside, or the folder that Damper runs in.
pub(super) fn spill_path(store: &crate::store::Store) -> std::path::PathBuf {
    store.beside(".spill").unwrap_or_else(|| "damper.spill".into())
}

/// Shared by the tasks of this folder.
type Shared = Arc<super::shared::Shared>;
