//! Sends one receiver its messages from memory. The outbox's own loop may hang at the store meanwhile.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::enter::{spill, stand_in};
use super::record::Record;
use super::{Inner, Shared, untaken};
use crate::engine::notice::Notice;
use crate::notify::{Outcome, Receiver};
use crate::service::backoff::delay;
use crate::service::clock;
use crate::service::owed::fallback_for;
use crate::service::shared::Shared as All;

/// Messages in flight to one receiver.
const TOGETHER: usize = 4;
/// How often it is looked for what is due while there is something.
const LOOK: Duration = Duration::from_millis(500);
/// And else.
const REST: Duration = Duration::from_secs(60);

/// Runs until shutdown.
pub(in crate::service) async fn run(shared: Shared, name: String, receiver: Arc<dyn Receiver>) {
    loop {
        let woken = shared.degraded.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let rest = tokio::select! {
            () = shared.drained.cancelled() => return,
            rest = look(&shared, &name, &*receiver) => rest,
        };
        tokio::select! {
            () = shared.drained.cancelled() => return,
            () = woken => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Sends what is due, and has the fallback told of what is late.
pub(super) async fn look(shared: &Shared, name: &str, receiver: &dyn Receiver) -> Duration {
    if !shared.degraded.is_on() {
        return REST;
    }
    loop {
        let due = {
            let Inner { memory, messages, .. } = &mut *shared.degraded.inner.write();
            messages.due(name, clock::now_ms(), TOGETHER, |incident| memory.is_over(incident))
        };
        if due.is_empty() {
            break;
        }
        join_all(due.iter().map(|notice| send(shared, name, receiver, notice))).await;
    }
    late(shared, name).await;
    let waits = shared.degraded.inner.read().messages.waiting(name).next().is_some();
    if waits { LOOK } else { REST }
}

async fn send(shared: &Shared, name: &str, receiver: &dyn Receiver, notice: &Notice) {
    let began = tokio::time::Instant::now();
    let outcome = receiver.deliver(notice, clock::now()).await;
    shared.metrics.delivery(name, &outcome, began.elapsed());
    match outcome {
        Outcome::Delivered { note } => {
            tracing::info!(receiver = name, id = notice.id, note, "delivered from memory");
            taken(shared, std::slice::from_ref(&notice.id)).await;
        }
        Outcome::Retry { after, error, .. } => failed(shared, name, &notice.id, after, &error),
        Outcome::Permanent { error, .. } => {
            failed(shared, name, &notice.id, None, &error);
            stand_in(shared, std::slice::from_ref(notice)).await;
        }
    }
}

/// A receiver has these messages, from memory or from the outbox.
pub(in crate::service) async fn taken(shared: &All, ids: &[String]) {
    let at = clock::now_ms();
    ids.iter().for_each(|id| untaken::is_finished(shared, id));
    let news: Vec<Record> = {
        let mut inner = shared.degraded.inner.write();
        let news = ids.iter().filter(|id| inner.messages.taken(id, at));
        let news: Vec<Record> = news.map(|id| Record::Taken { id: id.clone(), at }).collect();
        inner.generation += u64::from(!news.is_empty());
        news
    };
    shared.degraded.ended.notify_waiters();
    if !news.is_empty() {
        spill(shared, &news).await;
    }
}

pub(super) fn failed(shared: &Shared, name: &str, id: &str, after: Option<Duration>, error: &str) {
    tracing::warn!(receiver = name, id, error, "not delivered yet");
    let next = |attempts| {
        let wait = delay(attempts, after);
        clock::now_ms().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
    };
    shared.degraded.inner.write().messages.failed(id, next);
    shared.degraded.ended.notify_waiters();
}

/// Pages that the route's receiver has not taken in time.
pub(super) async fn late(shared: &Shared, name: &str) {
    let Some(route) = shared.settings.route.as_ref().filter(|route| route.receiver == name) else { return };
    let Some(fallback) = fallback_for(shared, name) else { return };
    let before = clock::now_ms().saturating_sub(route.fallback_after.secs().saturating_mul(1000));
    let overdue = {
        let inner = shared.degraded.inner.read();
        inner.messages.overdue(name, fallback, before, |incident| inner.memory.is_over(incident))
    };
    if !overdue.is_empty() {
        stand_in(shared, &overdue).await;
    }
}
