//! The fallback receiver: told of pages that their own receiver does not take in time, and of the
//! end of whatever it was told, whichever way that end was decided and whatever crashed in between.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::owed::{fallback_id, is_level, owe, owe_fallback};
use super::shared::Shared;
use crate::engine::notice::Notice;
use crate::settings::Route;
use crate::slo::model::Severity;
use crate::store::{Decisions, StoreError};

/// The longest sleep between two looks.
const LOOK: Duration = Duration::from_secs(2);
/// Messages looked at in one go.
const MOST: i64 = 500;

/// Runs until shutdown.
pub(super) async fn run(shared: Arc<Shared>) {
    // Everything up to this number was looked at when it became overdue: tickets stay where they are.
    let mut looked = 0;
    loop {
        let woken = shared.outbox_wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        if let Err(error) = look(&shared, &mut looked).await {
            tracing::warn!(%error, "what the fallback receiver is owed cannot be read or written");
        }
        tokio::select! {
            () = shared.drained.cancelled() => return,
            () = woken => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn look(shared: &Shared, looked: &mut i64) -> Result<(), StoreError> {
    let Some(epoch) = shared.epoch() else { return Ok(()) };
    if let Some(route) = shared.settings.route.as_ref().filter(|route| route.fallback.is_some()) {
        let now = clock::now_ms();
        let before = now.saturating_sub(route.fallback_after.secs().saturating_mul(1000));
        for notice in overdue(shared, route, before, looked).await? {
            tracing::warn!(
                receiver = notice.receiver,
                id = notice.id,
                "not taken in time; the fallback is told"
            );
            owe_fallback(shared, epoch, &notice, now).await?;
        }
    }
    pass_on(shared, epoch).await
}

/// Pages that their receiver has not taken for too long.
async fn overdue(
    shared: &Shared,
    route: &Route,
    before: i64,
    looked: &mut i64,
) -> Result<Vec<Notice>, StoreError> {
    let payloads: Vec<String> = if is_level(shared, &route.receiver) {
        let rows = shared.store.levels_overdue(&route.receiver, before, MOST).await?;
        rows.into_iter().map(|row| row.payload).collect()
    } else {
        let rows = shared.store.overdue(&route.receiver, *looked, before, MOST).await?;
        *looked = rows.last().map_or(*looked, |row| row.seq);
        rows.into_iter().map(|row| row.payload).collect()
    };
    let notices = payloads.iter().filter_map(|payload| serde_json::from_str::<Notice>(payload).ok());
    Ok(notices.filter(|notice| notice.alert.severity == Severity::Page).collect())
}

/// Whoever was told "firing" in another receiver's stead is told "resolved" too.
async fn pass_on(shared: &Shared, epoch: i64) -> Result<(), StoreError> {
    let mut decisions = Decisions::default();
    for (payload, receiver) in shared.store.resolves_to_pass_on().await? {
        let Ok(notice) = serde_json::from_str::<Notice>(&payload) else { continue };
        let stands_in_for = notice.id.clone();
        let notice = Notice { id: fallback_id(&notice.id, &receiver), receiver, ..notice };
        owe(shared, notice, Some(stands_in_for), clock::now_ms(), &mut decisions);
    }
    if decisions.outbox.is_empty() && decisions.levels.is_empty() {
        return Ok(());
    }
    shared.store.commit(epoch, &decisions).await?;
    shared.outbox_wake.notify_waiters();
    Ok(())
}
