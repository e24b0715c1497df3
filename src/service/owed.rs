//! What a notice becomes in the store: a message in the outbox, or a state that is told again and again.

use super::clock;
use super::degraded;
use super::shared::Shared;
use crate::engine::notice::{Event, Notice};
use crate::notify::ReceiverKind;
use crate::notify::alertmanager::subject;
use crate::slo::model::Severity;
use crate::store::{Decisions, LevelPut, LevelState, OutboxPut, StoreError};

/// How long a resolved alert is repeated to an Alertmanager: as long as Prometheus does.
const RESOLVED_FOR_MS: i64 = 15 * 60 * 1000;

/// Adds what one notice owes its receiver.
pub(super) fn owe(
    shared: &Shared,
    notice: Notice,
    fallback_of: Option<String>,
    now: i64,
    to: &mut Decisions,
) {
    let Ok(payload) = serde_json::to_string(&notice) else { return };
    // Nobody waits for what is only shown.
    let severity = if notice.shadow { Severity::Ticket } else { notice.alert.severity };
    if !is_level(shared, &notice.receiver) {
        to.outbox.push(OutboxPut {
            id: notice.id,
            receiver: notice.receiver,
            incident: notice.incident,
            event: notice.event.as_str().to_owned(),
            severity,
            created_at: now,
            not_before: now,
            payload,
            fallback_of,
        });
        return;
    }
    let state = match notice.event {
        Event::Firing => LevelState::Firing,
        Event::Resolved => LevelState::Resolved,
        // An Alertmanager holds the present state; what is over is not its business.
        Event::Missed => return,
    };
    to.levels.push(LevelPut {
        receiver: notice.receiver,
        incident: notice.incident,
        subject: subject(&notice.alert.labels),
        payload,
        severity,
        state,
        since: now,
        resend_until: now.saturating_add(RESOLVED_FOR_MS),
    });
}

/// Owes the fallback receiver the same, all in one transaction; at most once however often it is
/// called, unless it was given up meanwhile. What is only shown nobody else is told.
pub(super) async fn owe_fallback(shared: &Shared, epoch: i64, notices: &[Notice]) -> Result<(), StoreError> {
    if shared.degraded.is_on() {
        return owe_from_memory(shared, notices).await;
    }
    let mut decisions = Decisions::default();
    for notice in notices.iter().filter(|notice| !notice.shadow) {
        let Some(fallback) = fallback_for(shared, &notice.receiver) else { continue };
        stand_in(shared, notice, fallback, &mut decisions).await?;
    }
    commit(shared, epoch, &decisions).await
}

/// The same while the store takes nothing. What it says was told already is not told again; where it
/// says nothing, once too often is better than never.
async fn owe_from_memory(shared: &Shared, notices: &[Notice]) -> Result<(), StoreError> {
    let mut untold = Vec::new();
    for notice in notices {
        let Some(fallback) = fallback_for(shared, &notice.receiver) else { continue };
        let told = shared.store.told_as(fallback, &notice.incident, notice.event.as_str()).await;
        if !matches!(told, Ok(Some(_))) {
            untold.push(notice.clone());
        }
    }
    degraded::stand_in(shared, &untold).await;
    Ok(())
}

/// Adds what is owed to a receiver in another one's stead. A state that it is told anyway is left
/// alone: "firing" could be older than what it knows.
pub(super) async fn stand_in(
    shared: &Shared,
    notice: &Notice,
    receiver: &str,
    to: &mut Decisions,
) -> Result<(), StoreError> {
    let begins = notice.event == Event::Firing && is_level(shared, receiver);
    if begins && shared.store.has_level(receiver, &notice.incident).await? {
        return Ok(());
    }
    owe_in_stead(shared, notice, receiver, to);
    Ok(())
}

/// The same whatever it knows, under the id that the receiver's own message has: what fires on is
/// announced to a receiver that becomes the route's, and whichever of the two comes later must be the
/// same message.
pub(super) fn owe_in_stead(shared: &Shared, notice: &Notice, receiver: &str, to: &mut Decisions) {
    let id = Notice::id_of(&notice.incident, notice.event, receiver);
    let stand_in = Notice { id, receiver: receiver.to_owned(), ..notice.clone() };
    owe(shared, stand_in, Some(notice.id.clone()), clock::now_ms(), to);
}

/// Commits what is owed and wakes who delivers it.
pub(super) async fn commit(shared: &Shared, epoch: i64, owed: &Decisions) -> Result<(), StoreError> {
    if owed.outbox.is_empty() && owed.levels.is_empty() {
        return Ok(());
    }
    let commit = shared.store.commit(epoch, owed);
    let new = during!("owing in another's stead", commit).await?.new_outbox > 0;
    if new || !owed.levels.is_empty() {
        shared.outbox_wake.notify_waiters();
    }
    Ok(())
}

/// The receiver that stands in for another one.
pub(super) fn fallback_for<'a>(shared: &'a Shared, receiver: &str) -> Option<&'a str> {
    shared.settings.route.as_ref()?.fallback.as_deref().filter(|fallback| *fallback != receiver)
}

/// Whether a receiver is told the present state instead of each transition.
pub(super) fn is_level(shared: &Shared, receiver: &str) -> bool {
    let kind = shared.settings.receivers.iter().find(|r| r.name == receiver).map(|r| &r.kind);
    matches!(kind, Some(ReceiverKind::Alertmanager(_)))
}
