//! The fallback receiver: told of pages that their own receiver does not take in time, and of the
//! end of whatever it was told, whichever way that end was decided and whatever crashed in between.
//! What to do is read from the store at every look; nothing is remembered here that could be wrong.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::orphans::hand_over;
use super::owed::{commit, fallback_for, is_level, owe_fallback, owe_in_stead};
use super::shared::Shared;
use crate::engine::notice::Notice;
use crate::settings::Route;
use crate::store::{Decisions, StoreError};

/// The longest sleep between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// Pages told in one transaction.
const MOST: i64 = 500;

/// Runs until shutdown.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let woken = shared.outbox_wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        if let Err(error) = look(&shared).await {
            tracing::warn!(%error, "what the fallback receiver is owed cannot be read or written");
        }
        tokio::select! {
            () = shared.drained.cancelled() => return,
            () = woken => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

pub(super) async fn look(shared: &Shared) -> Result<(), StoreError> {
    let Some(epoch) = shared.epoch() else { return Ok(()) };
    if let Some(route) = &shared.settings.route
        && let Some(fallback) = fallback_for(shared, &route.receiver)
    {
        // Whoever was told is not overdue any more, so this ends.
        while tell_fallback(shared, epoch, route, fallback).await? {}
    }
    pass_on(shared, epoch).await?;
    hand_over(shared, epoch).await
}

/// Tells the fallback of pages that their receiver has not taken for too long; whether there may be more.
async fn tell_fallback(
    shared: &Shared,
    epoch: i64,
    route: &Route,
    fallback: &str,
) -> Result<bool, StoreError> {
    let before = clock::now_ms().saturating_sub(route.fallback_after.secs().saturating_mul(1000));
    let payloads: Vec<String> = if is_level(shared, &route.receiver) {
        let rows = shared.store.levels_overdue(&route.receiver, fallback, before, MOST).await?;
        rows.into_iter().map(|row| row.payload).collect()
    } else {
        let rows = shared.store.overdue(&route.receiver, fallback, before, MOST).await?;
        rows.into_iter().map(|row| row.payload).collect()
    };
    let read = payloads.iter().filter_map(|payload| serde_json::from_str(payload).ok());
    let notices: Vec<Notice> = read.collect();
    // From memory it is said once, by who does it.
    if !shared.degraded.is_on() {
        for Notice { receiver, id, .. } in &notices {
            tracing::warn!(receiver, id, "not taken in time; the fallback is told");
        }
    }
    owe_fallback(shared, epoch, &notices).await?;
    let full = payloads.len() >= usize::try_from(MOST).unwrap_or(usize::MAX);
    // From memory nothing changes in the store, which would say the same for ever.
    Ok(full && !notices.is_empty() && !shared.degraded.is_on())
}

/// Whoever was told "firing" in another receiver's stead is told "resolved" too.
async fn pass_on(shared: &Shared, epoch: i64) -> Result<(), StoreError> {
    let mut decisions = Decisions::default();
    for (payload, receiver) in shared.store.resolves_to_pass_on().await? {
        let Ok(notice) = serde_json::from_str(&payload) else { continue };
        owe_in_stead(shared, &notice, &receiver, &mut decisions);
    }
    commit(shared, epoch, &decisions).await
}
