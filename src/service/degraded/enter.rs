//! How a tick decides while the store takes nothing: in memory, and noted before it is told.

use std::sync::atomic::Ordering;

use super::memory::{Memory, Told};
use super::record::Record;
use super::{Inner, TICKS};
use crate::engine::notice::{Event, Notice};
use crate::engine::step::Delta;
use crate::service::catchup::Debts;
use crate::service::clock;
use crate::service::decide::announce;
use crate::service::owed::fallback_for;
use crate::service::shared::Shared;
use crate::slo::model::Severity;
use crate::slo::time::Ts;
use crate::store::{Decisions, StoreError};

/// Notes at the end of a tick whether the store took something. Of one that decided nothing the ledger's
/// journal tells it, and where that failed an empty commit, which needs next to no space.
pub(in crate::service) async fn count(
    shared: &Shared,
    uncommitted: bool,
    journaled: &Result<(), StoreError>,
) {
    let degraded = &shared.degraded;
    if degraded.is_on() {
        return;
    }
    let mut why = None;
    if !uncommitted && journaled.is_err() {
        let Some(epoch) = shared.epoch() else { return };
        why = shared.store.commit(epoch, &Decisions::default()).await.err();
    }
    if !uncommitted && why.is_none() {
        degraded.missed.store(0, Ordering::Release);
        return;
    }
    let missed = degraded.missed.fetch_add(1, Ordering::AcqRel) + 1;
    if let Some(why) = why
        && missed >= TICKS
    {
        enter(shared, &why).await;
    }
}

/// Goes on without the store if it took nothing in the tick before either; whether that is so. A lease
/// that was lost is another replica's: it decides.
pub(in crate::service) async fn enter(shared: &Shared, why: &StoreError) -> bool {
    let degraded = &shared.degraded;
    if degraded.missed.load(Ordering::Acquire) + 1 < TICKS || matches!(why, StoreError::LostLease { .. }) {
        return false;
    }
    let doubt = shared.in_doubt.write().take();
    let told = {
        let mut inner = degraded.inner.write();
        let mut world = shared.world.write();
        inner.memory = Memory::of(world.control.clone());
        inner.why = why.to_string();
        inner.since = Some(clock::now());
        let Some(doubt) = doubt else { return begun(shared) };
        let told = inner.memory.doubt(&doubt.delta, clock::now_ms());
        world.control.apply(&doubt.delta);
        world.judged.extend(doubt.judged);
        inner.owe(&told);
        inner.account(shared, doubt.debts);
        announce(shared, &doubt.delta);
        told
    };
    begun(shared);
    note(shared, told.into_iter().map(|told| Record::Told(Box::new(told))).collect()).await;
    true
}

fn begun(shared: &Shared) -> bool {
    shared.degraded.begin();
    shared.metrics.degraded.set(1);
    tracing::error!("the store takes nothing: pages are told from memory, everything else waits for it");
    true
}

/// Takes a decision of a tick: the alerts in memory move, and people are told of pages that begin.
/// `false` where the store is back and takes it itself.
pub(in crate::service) async fn take(
    shared: &Shared,
    delta: &Delta,
    judged: &[(String, Ts)],
    debts: &Debts,
) -> bool {
    if !shared.degraded.is_on() {
        return false;
    }
    let told = {
        let mut inner = shared.degraded.inner.write();
        // Under the lock under which it ends.
        if !shared.degraded.is_on() {
            return false;
        }
        let mut world = shared.world.write();
        let debts = debts.clone().told(delta, &shared.owed.read());
        let (delta, told) = inner.memory.decide(delta.clone(), clock::now_ms());
        world.control.apply(&delta);
        world.judged.extend(judged.iter().cloned());
        if !delta.is_empty() {
            inner.owe(&told);
        }
        inner.account(shared, debts);
        announce(shared, &delta);
        told
    };
    note(shared, told.into_iter().map(|told| Record::Told(Box::new(told))).collect()).await;
    true
}

/// Owes the fallback receiver pages that their own receiver does not take. What is only shown nobody
/// else is told.
pub(in crate::service) async fn stand_in(shared: &Shared, notices: &[Notice]) {
    let at = clock::now_ms();
    let mut records = Vec::new();
    for notice in notices.iter().filter(|notice| !notice.shadow) {
        let is_page = notice.event == Event::Firing && notice.alert.severity == Severity::Page;
        let Some(fallback) = fallback_for(shared, &notice.receiver).filter(|_| is_page) else { continue };
        let id = Notice::id_of(&notice.incident, notice.event, fallback);
        let instead = Notice { id, receiver: fallback.to_owned(), ..notice.clone() };
        let mut inner = shared.degraded.inner.write();
        // The store is back: it says the same at the next look.
        if !shared.degraded.is_on() {
            return;
        }
        if inner.messages.owe(instead.clone(), Some(notice.id.clone()), at) {
            inner.generation += 1;
            tracing::warn!(
                receiver = notice.receiver,
                id = notice.id,
                "not taken in time; the fallback is told"
            );
            let notice_id = notice.id.clone();
            records.push(Record::StandIn { notice: Box::new(instead), fallback_of: notice_id, at });
        }
    }
    note(shared, records).await;
}

/// Notes what is to be told, then has it told, whether that could be noted or not.
async fn note(shared: &Shared, records: Vec<Record>) {
    if records.is_empty() {
        return;
    }
    spill(shared, &records).await;
    shared.degraded.inner.write().messages.noted();
    shared.degraded.wake.notify_waiters();
}

/// Notes something in the spill file, or only looks after it; what went wrong is told in health.
pub(super) async fn spill(shared: &Shared, records: &[Record]) {
    let degraded = &shared.degraded;
    let noted = match &degraded.spill {
        Some(Ok(spill)) => spill.append(&shared.store, records, || degraded.records()).await,
        Some(Err(error)) => Err(format!("there is no spill file: {error}")),
        None => Err("there is no spill file".to_owned()),
    };
    let was = std::mem::replace(&mut degraded.inner.write().unspilled, noted.clone().err());
    if let Err(error) = &noted
        && was.as_ref() != Some(error)
    {
        tracing::error!(error, "what is told from memory cannot be noted in the spill file");
    }
}

impl Inner {
    /// Changes what is owed of gaps.
    fn account(&mut self, shared: &Shared, debts: Debts) {
        if debts.is_empty() {
            return;
        }
        self.paid.extend(debts.paid.iter().cloned());
        debts.apply(&mut shared.owed.write());
        self.generation += 1;
    }

    /// Owes every receiver of these pages its message; none is sent before it is noted.
    fn owe(&mut self, told: &[Told]) {
        for one in told {
            for notice in one.transition.notices() {
                self.messages.owe(notice, None, one.at);
            }
        }
        self.generation += 1;
    }
}
