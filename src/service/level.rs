//! Tells Alertmanagers the present state: at once when it changes, then again and again while an
//! alert fires, and for a quarter of an hour after it was resolved.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::owed::owe_fallback;
use super::shared::Shared;
use crate::engine::notice::Notice;
use crate::notify::Outcome;
use crate::notify::alertmanager::{Alertmanager, AmAlert};
use crate::store::{LevelRow, StoreError};

/// Pause after a post that no instance took.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest sleep between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// Alerts told in one go.
const MOST: i64 = 1000;
/// A resolved alert that no instance ever took is given up after this.
const GIVE_UP_MS: i64 = 3 * 24 * 3600 * 1000;
/// Firing alerts that no instance takes for so long go to the fallback receiver.
const FALLBACK_AFTER_MS: i64 = 60 * 1000;

/// Runs one Alertmanager receiver until shutdown.
pub(super) async fn run(shared: Arc<Shared>, name: String, alertmanager: Alertmanager) {
    loop {
        let woken = shared.outbox_wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let rest = match tell(&shared, &name, &alertmanager).await {
            Ok(rest) => rest,
            Err(error) => {
                tracing::warn!(receiver = name, %error, "the state to tell cannot be read or marked");
                PAUSE
            }
        };
        tokio::select! {
            () = shared.drained.cancelled() => return,
            () = woken => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

async fn tell(shared: &Shared, name: &str, alertmanager: &Alertmanager) -> Result<Duration, StoreError> {
    let Some(epoch) = shared.epoch() else { return Ok(LOOK) };
    let now = clock::now_ms();
    let resend = alertmanager.resend().secs().saturating_mul(1000);
    let rows = shared.store.levels_due(name, now.saturating_sub(resend), MOST).await?;
    shared.store.prune_levels(epoch, now, now.saturating_sub(GIVE_UP_MS)).await?;
    if rows.is_empty() {
        return Ok(LOOK);
    }
    let external = shared.settings.external_url.clone();
    let notices: Vec<(&LevelRow, Notice)> =
        rows.iter().filter_map(|row| Some((row, serde_json::from_str(&row.payload).ok()?))).collect();
    let alerts: Vec<AmAlert> =
        notices.iter().map(|(_, notice)| AmAlert::new(&notice.alert, &external)).collect();
    let began = tokio::time::Instant::now();
    let outcome = alertmanager.post_alerts(&alerts, clock::now()).await.outcome();
    shared.metrics.delivery(name, &outcome, began.elapsed());
    match outcome {
        Outcome::Delivered { note } => {
            tracing::debug!(receiver = name, alerts = alerts.len(), note, "told");
            shared.store.levels_sent(epoch, &rows, clock::now_ms()).await?;
            Ok(LOOK)
        }
        Outcome::Retry { error, .. } | Outcome::Permanent { error, .. } => {
            tracing::warn!(receiver = name, alerts = alerts.len(), error, "no instance took the alerts");
            shared.store.levels_failed(epoch, &rows, &error).await?;
            fall_back(shared, epoch, &notices, now).await?;
            Ok(PAUSE)
        }
    }
}

/// States that no instance takes for a minute go to the fallback receiver, once each.
async fn fall_back(
    shared: &Shared,
    epoch: i64,
    notices: &[(&LevelRow, Notice)],
    now: i64,
) -> Result<(), StoreError> {
    for (row, notice) in notices {
        if row.last_sent_at.is_none() && now.saturating_sub(row.since) > FALLBACK_AFTER_MS {
            owe_fallback(shared, epoch, notice, now).await?;
        }
    }
    Ok(())
}
