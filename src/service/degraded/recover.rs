//! What the store gets once it takes something again: all that was told and all that waited, in one
//! transaction. It says the same however often it is written, so that one without an answer is simply
//! written again; it waits for one that is still under way, as both lock the lease.

use std::collections::BTreeSet;
use std::time::Duration;

use super::enter::spill;
use super::{Inner, Shared, handover, untaken};
use crate::engine::step::Delta;
use crate::service::catchup::{self, Debts};
use crate::service::clock;
use crate::service::decide::{decisions, history};
use crate::service::owed::{is_level, owe};
use crate::service::shared::Shared as All;
use crate::service::state::World;
use crate::store::{Decisions, Delivered, JudgedPut, StoreError};

/// Between two tries.
const EVERY: Duration = Duration::from_secs(1);
/// How often it is looked for what other replicas told.
const OTHERS: Duration = Duration::from_secs(5);

/// Runs until shutdown: tries whether the store is back while it is not.
pub(in crate::service) async fn run(shared: Shared) {
    loop {
        let woken = shared.degraded.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let is_on = shared.degraded.is_on();
        tokio::select! {
            () = shared.drained.cancelled() => return,
            () = woken, if !is_on => {}
            () = tokio::time::sleep(OTHERS), if !is_on && shared.store.is_shared() => others(&shared).await,
            () = tokio::time::sleep(EVERY), if is_on => again(&shared).await,
        }
    }
}

async fn others(shared: &All) {
    if let Err(error) = handover::look(shared).await {
        tracing::debug!(%error, "it cannot be read what other replicas told");
    }
}

/// Once more; while that is in vain the spill file is looked after, which may be lost in the meantime.
pub(super) async fn again(shared: &All) {
    if let Err(error) = recover(shared).await {
        tracing::debug!(%error, "the store still takes nothing");
        shared.degraded.inner.write().why = error.to_string();
        spill(shared, &[]).await;
    }
}

/// Writes everything and ends the degraded state; where something changed meanwhile, the next try does.
pub(super) async fn recover(shared: &All) -> Result<(), StoreError> {
    let Some(epoch) = shared.epoch() else { return Ok(()) };
    let (generation, owed, waiting) = {
        let (inner, world) = (shared.degraded.inner.read(), shared.world.read());
        let waiting = inner.messages.all().filter(|message| message.taken_at.is_none());
        let waiting: Vec<_> = waiting.map(|message| (message.notice.clone(), message.at)).collect();
        (inner.generation, owed(shared, &inner, &world, clock::now_ms()), waiting)
    };
    waiting.into_iter().for_each(|(notice, at)| untaken::waits(shared, &notice, at));
    shared.store.commit(epoch, &owed).await?;
    let told = {
        let mut inner = shared.degraded.inner.write();
        if inner.generation != generation || !shared.degraded.is_on() {
            return Ok(());
        }
        inner.messages.stored();
        inner.recovered += 1;
        let memory = std::mem::take(&mut inner.memory);
        inner.delivered.clear();
        inner.commands.clear();
        inner.paid.clear();
        (inner.unspilled, inner.since) = (None, None);
        shared.degraded.end();
        memory.told().len()
    };
    shared.metrics.degraded.set(0);
    shared.trouble("store", None);
    tracing::info!(told, "the store is back and has what was told without it; what waited leaves now");
    shared.degraded.empty().await;
    shared.outbox_wake.notify_waiters();
    Ok(())
}

/// All of it. Messages before what waited: an end leaves after its beginning.
fn owed(shared: &All, inner: &Inner, world: &World, now: i64) -> Decisions {
    let delta = inner.memory.owed(&world.control);
    let mut first = Decisions {
        repeated: true,
        delivered: inner.delivered.clone(),
        commands_done: inner.commands.clone(),
        ..Decisions::default()
    };
    for message in inner.messages.all() {
        let notice = message.notice.clone();
        let (id, level) = (notice.id.clone(), is_level(shared, &notice.receiver));
        // One that an Alertmanager was told from memory is not late at the moment it is stored.
        let at = if level && message.taken_at.is_some() { now } else { message.at };
        owe(shared, notice, message.fallback_of.clone(), at, &mut first);
        if let Some(at) = message.taken_at.filter(|_| !level) {
            first.delivered.push(Delivered { id, at });
        }
    }
    first.history.extend(inner.memory.told().iter().map(|told| history(&told.transition)));
    first.judged = judged(&delta, world);
    Debts::paid(inner.paid.clone()).write(&mut first);
    first.states.extend(catchup::rows(&shared.owed.read()));
    then(first, decisions(shared, &delta))
}

/// One transaction of two, the second of which is written last.
fn then(mut first: Decisions, second: Decisions) -> Decisions {
    first.removed.extend(second.removed);
    first.states.extend(second.states);
    first.outbox.extend(second.outbox);
    first.levels.extend(second.levels);
    first.history.extend(second.history);
    first
}

/// Until when the SLOs were judged whose alerts moved.
fn judged(delta: &Delta, world: &World) -> Vec<JudgedPut> {
    let slos: BTreeSet<&str> = delta.changes.keys().filter_map(|key| key.subject.slo()).collect();
    let judged = slos.into_iter().filter_map(|slo| world.judged.get_key_value(slo));
    judged.map(|(slo, at)| JudgedPut { slo: slo.clone(), at: at.0.saturating_mul(1000) }).collect()
}
