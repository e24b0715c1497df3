//! From a delta to one transaction, and only then to memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::catchup::{self, Debts};
use super::clock;
use super::degraded::{self, Doubt};
use super::owed::owe;
use super::restart;
use super::shared::Shared;
use crate::engine::alert::Subject;
use crate::engine::notice::Event;
use crate::engine::recipient::Recipient;
use crate::engine::step::{Delta, Transition};
use crate::slo::model::Severity;
use crate::slo::time::Ts;
use crate::store::{Decisions, HistoryPut, JudgedPut, StatePut, StoreError};

/// Commits a delta with what `judged` says was judged, and what is owed of gaps then; memory changes
/// only when that succeeded. Nothing decided is nothing written.
pub(super) async fn decide(
    shared: &Shared,
    delta: &Delta,
    judged: Vec<(String, Ts)>,
    debts: Debts,
) -> Result<(), StoreError> {
    let debts = debts.told(delta, &shared.owed.read());
    if !(delta.is_empty() && debts.is_empty()) {
        let epoch = shared.epoch().ok_or_else(|| lost(shared))?;
        let mut decisions = decisions(shared, delta);
        decisions.judged = of_decided(delta, &judged);
        debts.write(&mut decisions);
        degraded::owes(shared, delta, clock::now_ms());
        let commit = shared.store.commit(epoch, &decisions);
        if let Err(error) = during!(of_first(delta), commit).await {
            degraded::is_in_doubt(shared, delta);
            *shared.in_doubt.write() = Some(Doubt { delta: delta.clone(), judged, debts });
            return Err(error);
        }
    }
    {
        let mut world = shared.world.write();
        world.control.apply(delta);
        world.judged.extend(judged);
    }
    debts.apply(&mut shared.owed.write());
    announce(shared, delta);
    Ok(())
}

/// Commits a delta together with `more`, of which the caller keeps the account; the alerts in memory
/// change only when that succeeded.
pub(super) async fn commit(
    shared: &Shared,
    epoch: i64,
    delta: &Delta,
    more: Decisions,
) -> Result<(), StoreError> {
    let mut all = decisions(shared, delta);
    all.states.extend(more.states);
    all.removed.extend(more.removed);
    all.history.extend(more.history);
    all.commands_done.extend(more.commands_done);
    degraded::owes(shared, delta, clock::now_ms());
    if let Err(error) = shared.store.commit(epoch, &all).await {
        degraded::is_in_doubt(shared, delta);
        return Err(error);
    }
    shared.world.write().control.apply(delta);
    announce(shared, delta);
    Ok(())
}

/// What a delta decides first, for tests that end the process there.
#[cfg(debug_assertions)]
fn of_first(delta: &Delta) -> &'static str {
    delta.transitions.first().map_or("deciding", |transition| transition.event.as_str())
}

/// Logs what was decided, and wakes who tells it. Labels come from outside: as text, not as `%`, what
/// they hold is escaped.
pub(super) fn announce(shared: &Shared, delta: &Delta) {
    for transition in &delta.transitions {
        tracing::info!(
            alert = %transition.alert.labels.get("alertname").map_or("", String::as_str),
            subject = transition.key.subject.to_string(),
            severity = %transition.key.severity,
            event = transition.event.as_str(),
            incident = transition.incident,
            told = names(&transition.told),
            "alert"
        );
        let begins = transition.event == Event::Firing && transition.key.severity == Severity::Page;
        if begins && transition.told.is_empty() && shared.settings.unheard().is_some() {
            tracing::warn!(
                subject = transition.key.subject.to_string(),
                incident = transition.incident,
                "nobody is told of this page: the settings name no receiver"
            );
        }
    }
    if !delta.transitions.is_empty() {
        shared.outbox_wake.notify_waiters();
    }
}

fn names(told: &[Recipient]) -> String {
    told.iter().map(Recipient::to_string).collect::<Vec<_>>().join(", ")
}

/// Until when the SLOs were judged whose alerts change: at a restart no earlier moment may be judged
/// by the alerts as they are now. Of the others the ledger tells it, at no cost.
fn of_decided(delta: &Delta, judged: &[(String, Ts)]) -> Vec<JudgedPut> {
    let decided: BTreeSet<&str> = delta.changes.keys().filter_map(|key| key.subject.slo()).collect();
    let judged = judged.iter().filter(|(slo, _)| decided.contains(slo.as_str()));
    judged.map(|(slo, at)| JudgedPut { slo: slo.clone(), at: at.0.saturating_mul(1000) }).collect()
}

/// Reads again after a commit that failed how alerts stand and until when SLOs were judged. It may
/// have been written all the same, and what was decided then must not be decided once more, as
/// another incident.
pub(super) async fn make_sure(shared: &Shared) -> Result<(), StoreError> {
    if shared.in_doubt.read().is_none() {
        return Ok(());
    }
    let epoch = shared.epoch().ok_or_else(|| lost(shared))?;
    // Waits for one that is still being written: both lock the lease.
    shared.store.commit(epoch, &Decisions::default()).await?;
    let control = restart::control(shared).await?;
    let judged = restart::judged(shared).await?;
    catchup::restore(shared).await?;
    {
        let mut world = shared.world.write();
        // Policies decide in a loop of their own, which settles its own doubts.
        let before = std::mem::replace(&mut world.control, control);
        world.control.take_scaling(&before);
        let plan = Arc::clone(&world.plan);
        for (slo, at) in plan.slos.iter().filter_map(|planned| judged.get_key_value(&planned.id)) {
            let known = world.judged.entry(slo.clone()).or_insert(*at);
            *known = (*known).max(*at);
        }
    }
    *shared.in_doubt.write() = None;
    shared.outbox_wake.notify_waiters();
    Ok(())
}

fn lost(shared: &Shared) -> StoreError {
    StoreError::LostLease { store: shared.store.name().to_owned() }
}

/// What a delta is in the store.
pub(super) fn decisions(shared: &Shared, delta: &Delta) -> Decisions {
    let now = clock::now_ms();
    let mut decisions = Decisions::default();
    for (key, state) in &delta.changes {
        match state.as_ref().and_then(|state| serde_json::to_string(state).ok()) {
            Some(body) => decisions.states.push(StatePut { key: key.to_text(), body }),
            None => decisions.removed.push(key.to_text()),
        }
    }
    for transition in &delta.transitions {
        for notice in transition.notices() {
            owe(shared, notice, None, now, &mut decisions);
        }
        decisions.history.push(history(transition));
    }
    decisions
}

/// What its history is listed under.
pub(super) fn subject_of(subject: &Subject) -> &str {
    match subject {
        Subject::Burn { slo, .. } | Subject::Absent { slo } | Subject::Unknown { slo } => slo,
        Subject::Blind { .. } => "sources",
        Subject::Scaling { policy, .. } => policy.as_deref().unwrap_or("scaling"),
    }
}

/// The line of history of a transition.
pub(super) fn history(transition: &Transition) -> HistoryPut {
    HistoryPut {
        at: transition.at.0.saturating_mul(1000),
        kind: transition.event.as_str().to_owned(),
        subject: subject_of(&transition.key.subject).to_owned(),
        body: json!({
            "alert": transition.alert,
            "incident": transition.incident,
            "told": transition.told,
        })
        .to_string(),
    }
}
