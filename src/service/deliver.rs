//! Empties the outbox: one loop per receiver, so that a dead one delays no other. Each message is
//! sent at least once, in the order of its incident, under the same key at every attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::backoff::delay;
use super::clock;
use super::degraded;
use super::owed::owe_fallback;
use super::shared::Shared;
use super::state::Guarded;
use crate::engine::notice::{Event, Notice};
use crate::notify::{Outcome, Receiver};
use crate::slo::model::Severity;
use crate::store::{Decisions, OutboxRow, StoreError, Superseded};

/// Messages in flight to one receiver.
const TOGETHER: i64 = 4;
/// The longest sleep between two looks at the table.
const LOOK: Duration = Duration::from_secs(5);
/// No message is put off for longer; one that is was put off by a clock that was ahead.
const LONGEST_WAIT_MS: i64 = 2 * 3600 * 1000;
/// The same of what was put off by a clock that has gone back since, in this process or before it: no
/// longer than the schedule puts anything off. Whoever asked for more is asked once too often.
const SCHEDULE_MS: i64 = 2 * 60 * 1000;
/// A clock is set by less than this all the time.
const BACK_MS: i64 = 10_000;
/// A message older than this is late: what happened to its alert since is told in one message.
pub(super) const LATE_MS: i64 = 10 * 60 * 1000;
/// A message that fails for so long is given up and listed as dead.
const FAILED_FOR_MS: i64 = 3 * 24 * 3600 * 1000;
/// But not before so many attempts: what is that old and sent again by hand has its time too.
const LEAST_ATTEMPTS: i64 = 30;
/// The same for one that is refused, from the first refusal on: the receiver may be in the middle of a
/// deployment, or somebody is about to mend a password, and then it is taken.
const REFUSED_FOR: Duration = Duration::from_hours(1);

/// Runs one receiver's queue until shutdown.
pub(super) async fn run(shared: Arc<Shared>, name: String, receiver: Arc<dyn Receiver>) {
    let queue = Queue::new(shared, name, receiver);
    loop {
        let woken = queue.shared.outbox_wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let drained = tokio::select! {
            // An attempt that hangs must not hold up the end: the message is kept, under its key.
            () = queue.shared.drained.cancelled() => return,
            drained = queue.drain() => drained,
        };
        let rest = match drained {
            Ok(rest) => rest,
            Err(error) => {
                tracing::warn!(receiver = queue.name, %error, "the outbox cannot be read or marked");
                LOOK
            }
        };
        tokio::select! {
            () = queue.shared.drained.cancelled() => return,
            () = woken => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

struct Queue {
    shared: Arc<Shared>,
    name: String,
    receiver: Arc<dyn Receiver>,
    /// Messages that the receiver has taken and the store does not know of yet: they are marked
    /// once it can be written, and not sent again meanwhile.
    taken: Guarded<BTreeSet<String>>,
    /// Since when messages are refused each time: that one waited for a receiver out of reach says
    /// nothing of it. A restart only begins anew.
    refused: Guarded<BTreeMap<String, Instant>>,
    /// What the clock said last, and when.
    seen: Guarded<Option<(i64, Instant)>>,
}

impl Queue {
    fn new(shared: Arc<Shared>, name: String, receiver: Arc<dyn Receiver>) -> Self {
        let (taken, refused, seen) = Default::default();
        Self { shared, name, receiver, taken, refused, seen }
    }

    /// Sends what is due; gives back how long nothing more is.
    async fn drain(&self) -> Result<Duration, StoreError> {
        loop {
            let Some(epoch) = self.shared.epoch() else { return Ok(LOOK) };
            let now = clock::now_ms();
            if self.is_back(now) {
                self.shared.store.hasten(epoch, &self.name, now, SCHEDULE_MS).await?;
            }
            *self.seen.write() = Some((now, Instant::now()));
            let recovered = self.shared.degraded.recovered();
            let unmarked = i64::try_from(self.taken.read().len()).unwrap_or(0);
            let rows = self.shared.store.due(&self.name, now, TOGETHER.saturating_add(unmarked)).await;
            let rows = rows.inspect_err(|_| degraded::without_outbox(&self.shared, &self.name))?;
            if rows.is_empty() || self.shared.drained.is_cancelled() {
                let next = self.shared.store.next_due(&self.name).await?;
                if next.is_none() {
                    // Others finish messages too: what makes room, or is told by a later one.
                    self.refused.write().clear();
                }
                if next.is_some_and(|at| at.saturating_sub(now) > LONGEST_WAIT_MS) {
                    self.shared.store.hasten(epoch, &self.name, now, LONGEST_WAIT_MS).await?;
                }
                let rest =
                    next.map_or(LOOK, |at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0)));
                return Ok(rest.clamp(Duration::from_millis(20), LOOK));
            }
            for done in join_all(rows.iter().map(|row| self.send(epoch, row, recovered))).await {
                done?;
            }
        }
    }

    /// Whether the clock may have gone back since it was looked at last.
    fn is_back(&self, now: i64) -> bool {
        self.seen.read().is_none_or(|(then, at)| {
            let passed = i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX);
            now.saturating_sub(then) < passed.saturating_sub(BACK_MS)
        })
    }

    /// `recovered`: how often the store had recovered when the message was read.
    async fn send(&self, epoch: i64, row: &OutboxRow, recovered: u64) -> Result<(), StoreError> {
        if self.taken.read().contains(&row.id) || self.shared.degraded.is_taken(&row.id) {
            return self.mark_taken(epoch, row).await;
        }
        let now = clock::now_ms();
        if self.is_told_by_a_later_one(epoch, row, now).await? {
            return Ok(());
        }
        let Ok(notice) = serde_json::from_str::<Notice>(&row.payload) else {
            let error = "the message in the store cannot be read";
            return self.shared.store.dead(epoch, &row.id, now, error).await.map(drop);
        };
        let Some(outcome) = self.attempt(row, &notice, recovered).await else { return Ok(()) };
        match outcome {
            Outcome::Delivered { note } => {
                tracing::info!(receiver = self.name, id = row.id, event = row.event, note, "delivered");
                self.mark_taken(epoch, row).await
            }
            Outcome::Retry { after, error, .. } => {
                // One that the process before stored.
                degraded::waits(&self.shared, &notice, row.created_at);
                self.refused.write().remove(&row.id);
                self.warn(row, &error);
                let old = now.saturating_sub(row.created_at) > FAILED_FOR_MS;
                if old && row.attempts >= LEAST_ATTEMPTS {
                    return self.give_up(epoch, row, &notice, &error).await;
                }
                self.retry(epoch, row, after, &error).await
            }
            Outcome::Permanent { error, .. } => self.refused(epoch, row, &notice, &error).await,
        }
    }

    /// One attempt, while none is under way from memory; `None` where the message is to be read anew, as
    /// it may be marked since.
    async fn attempt(&self, row: &OutboxRow, notice: &Notice, recovered: u64) -> Option<Outcome> {
        let degraded = &self.shared.degraded;
        let _alone = degraded.alone(&row.id).await;
        if degraded.recovered() != recovered || degraded.is_taken(&row.id) {
            return None;
        }
        let began = Instant::now();
        reach!(Send, &row.event);
        let outcome = self.receiver.deliver(notice, clock::now()).await;
        self.shared.metrics.delivery(&self.name, &outcome, began.elapsed());
        if let Outcome::Delivered { .. } = outcome {
            reach!(Taken, &row.event);
            degraded::taken(&self.shared, std::slice::from_ref(&row.id)).await;
        }
        Some(outcome)
    }

    /// Somebody has to change something before the same is taken: of a page that still fires the
    /// fallback is told now.
    async fn refused(
        &self,
        epoch: i64,
        row: &OutboxRow,
        notice: &Notice,
        error: &str,
    ) -> Result<(), StoreError> {
        let since = self.refused_since(&row.id);
        if since.is_zero() {
            tracing::error!(receiver = self.name, id = row.id, error, "refused; tried again for an hour");
        } else {
            self.warn(row, error);
        }
        if since > REFUSED_FOR {
            return self.give_up(epoch, row, notice, error).await;
        }
        let is_page = notice.event == Event::Firing && notice.alert.severity == Severity::Page;
        if is_page && !self.is_over(row).await? {
            owe_fallback(&self.shared, epoch, std::slice::from_ref(notice)).await?;
        }
        self.retry(epoch, row, None, error).await
    }

    /// Whether the end of the incident waits behind a message, or was told already.
    async fn is_over(&self, row: &OutboxRow) -> Result<bool, StoreError> {
        let end = self.shared.store.told_as(&row.receiver, &row.incident, Event::Resolved.as_str());
        Ok(end.await?.is_some())
    }

    /// For how long a message is refused that is refused now; no clock that is set moves it.
    fn refused_since(&self, id: &str) -> Duration {
        let now = Instant::now();
        now.duration_since(*self.refused.write().entry(id.to_owned()).or_insert(now))
    }

    async fn mark_taken(&self, epoch: i64, row: &OutboxRow) -> Result<(), StoreError> {
        self.taken.write().insert(row.id.clone());
        degraded::is_finished(&self.shared, &row.id);
        self.shared.store.delivered(epoch, &row.id, clock::now_ms()).await?;
        self.taken.write().remove(&row.id);
        self.shared.degraded.forget(&row.id);
        self.refused.write().remove(&row.id);
        Ok(())
    }

    fn warn(&self, row: &OutboxRow, error: &str) {
        let attempts = row.attempts + 1;
        tracing::warn!(receiver = self.name, id = row.id, attempts, error, "not delivered yet");
    }

    async fn retry(
        &self,
        epoch: i64,
        row: &OutboxRow,
        after: Option<Duration>,
        error: &str,
    ) -> Result<(), StoreError> {
        let wait = delay(row.attempts, after);
        let next_at = clock::now_ms().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.shared.store.failed(epoch, &row.id, row.attempts + 1, next_at, error).await.map(drop)
    }

    async fn give_up(
        &self,
        epoch: i64,
        row: &OutboxRow,
        notice: &Notice,
        error: &str,
    ) -> Result<(), StoreError> {
        tracing::error!(receiver = self.name, id = row.id, error, "not delivered and given up");
        degraded::is_finished(&self.shared, &row.id);
        owe_fallback(&self.shared, epoch, std::slice::from_ref(notice)).await?;
        self.shared.store.dead(epoch, &row.id, clock::now_ms(), error).await?;
        self.refused.write().remove(&row.id);
        Ok(())
    }

    /// A late firing whose resolve waits behind it is not sent: the resolve tells both.
    async fn is_told_by_a_later_one(
        &self,
        epoch: i64,
        row: &OutboxRow,
        now: i64,
    ) -> Result<bool, StoreError> {
        if row.event != Event::Firing.as_str() || now.saturating_sub(row.created_at) < LATE_MS {
            return Ok(false);
        }
        let Some(by) = self.shared.store.waits_behind(row).await? else { return Ok(false) };
        degraded::is_finished(&self.shared, &row.id);
        let superseded = vec![Superseded { id: row.id.clone(), by }];
        let decisions = Decisions { superseded, ..Decisions::default() };
        self.shared.store.commit(epoch, &decisions).await.map(|_| true)
    }
}

#[cfg(test)]
mod tests;
