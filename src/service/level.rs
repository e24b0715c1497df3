//! Tells Alertmanagers the present state: at once when it changes, then again and again while an
//! alert fires, and for a quarter of an hour after it was resolved.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::owed::owe_fallback;
use super::shared::Shared;
use super::theirs::Theirs;
use crate::engine::notice::Notice;
use crate::notify::Outcome;
use crate::notify::alertmanager::{Alertmanager, AmAlert, PostReport, Refused};
use crate::store::{LevelRow, LevelState, StoreError};

/// Pause after a post that no instance took.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest sleep between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// Alerts told in one go: one request, so that a slow instance is told some at least.
const MOST: i64 = 256;
/// The pause before the next ones when there were more.
const MORE: Duration = Duration::from_millis(20);
/// A resolved alert that no instance ever took is given up after this.
const GIVE_UP_MS: i64 = 3 * 24 * 3600 * 1000;

/// Runs one Alertmanager receiver until shutdown.
pub(super) async fn run(shared: Arc<Shared>, name: String, alertmanager: Arc<Alertmanager>) {
    // Told since the last look at everything and not to be marked as such; see [`tell`].
    let mut unmarked = 0;
    let mut time = Theirs::of(alertmanager.time().await);
    loop {
        let woken = shared.outbox_wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let rest = match tell(&shared, &name, &alertmanager, &mut unmarked, &mut time).await {
            Ok(rest) => rest,
            Err(error) => {
                tracing::warn!(receiver = name, %error, "the state to tell cannot be read");
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

/// Tells some of what is due. Reading is all it needs: while the store cannot be written, what burns
/// must be told on, or the Alertmanager takes it to be over. What could not be marked comes first
/// again at the next read, so that many are passed over until all were told.
async fn tell(
    shared: &Shared,
    name: &str,
    alertmanager: &Alertmanager,
    unmarked: &mut i64,
    time: &mut Theirs,
) -> Result<Duration, StoreError> {
    let Some(epoch) = shared.epoch() else { return Ok(LOOK) };
    let now = clock::now_ms();
    let resend = alertmanager.resend().secs().saturating_mul(1000);
    let rows = shared.store.levels_due(name, now, resend, *unmarked, MOST).await?;
    let count = i64::try_from(rows.len()).unwrap_or(MOST);
    let more = count >= MOST;
    let rest = match tell_all(shared, epoch, name, alertmanager, rows, time).await {
        Ok(rest) => rest,
        Err(error) => {
            tracing::warn!(receiver = name, %error, "what was told cannot be marked");
            *unmarked = unmarked.saturating_add(count);
            if more { MORE } else { PAUSE }
        }
    };
    if !more {
        *unmarked = 0;
        if let Err(error) = shared.store.prune_levels(epoch, now, now.saturating_sub(GIVE_UP_MS)).await {
            tracing::warn!(receiver = name, %error, "what was told for long enough cannot be forgotten");
        }
    }
    Ok(if more && rest == LOOK { MORE } else { rest })
}

/// One request for all of them; an error is one of marking them.
async fn tell_all(
    shared: &Shared,
    epoch: i64,
    name: &str,
    alertmanager: &Alertmanager,
    rows: Vec<LevelRow>,
    time: &mut Theirs,
) -> Result<Duration, StoreError> {
    let external = shared.settings.external_url.clone();
    let notices = rows.into_iter().filter_map(|row| Some((serde_json::from_str(&row.payload).ok()?, row)));
    // What fires again in memory is not ended by the end before, which the store would have repeated.
    let stands = |notice: &Notice, row: &LevelRow| {
        row.state == LevelState::Firing || !shared.degraded.fires(&notice.alert.labels)
    };
    let told: Vec<Level> = notices
        .filter(|(notice, row)| stands(notice, row))
        .map(|(notice, row): (Notice, _)| Level {
            alert: AmAlert::new(&notice.alert, &external),
            notice,
            row,
        })
        .collect();
    if told.is_empty() {
        return Ok(LOOK);
    }
    let alerts: Vec<AmAlert> = told.iter().map(|level| level.alert.clone()).collect();
    let began = tokio::time::Instant::now();
    reach!(Send, "states");
    let report = alertmanager.post_alerts(&alerts, time.now()).await;
    time.learn(report.date());
    let outcome = report.outcome();
    shared.metrics.delivery(name, &outcome, began.elapsed());
    mark(shared, epoch, name, told, &report, outcome).await
}

/// One state to tell.
struct Level {
    row: LevelRow,
    notice: Notice,
    alert: AmAlert,
}

async fn mark(
    shared: &Shared,
    epoch: i64,
    name: &str,
    told: Vec<Level>,
    report: &PostReport,
    outcome: Outcome,
) -> Result<Duration, StoreError> {
    match outcome {
        Outcome::Delivered { note } => {
            reach!(Taken, "states");
            tracing::debug!(receiver = name, alerts = told.len(), note, "told");
            let refused: Vec<&Refused> = report.refused().collect();
            let is_refused = |level: &Level| refused.iter().any(|r| r.labels == level.alert.labels);
            let (left, taken): (Vec<Level>, Vec<Level>) = told.into_iter().partition(is_refused);
            shared.store.levels_sent(epoch, &rows(&taken), clock::now_ms()).await?;
            if let Some(first) = refused.first() {
                give_up(shared, epoch, name, &left, &first.error).await?;
            }
            Ok(LOOK)
        }
        Outcome::Retry { error, .. } => {
            tracing::warn!(receiver = name, alerts = told.len(), error, "no instance took the alerts");
            shared.store.levels_failed(epoch, &rows(&told), &error, clock::now_ms()).await?;
            Ok(PAUSE)
        }
        Outcome::Permanent { error, .. } => {
            give_up(shared, epoch, name, &told, &error).await?;
            Ok(PAUSE)
        }
    }
}

fn rows(levels: &[Level]) -> Vec<LevelRow> {
    levels.iter().map(|level| level.row.clone()).collect()
}

/// Alerts that will not be taken as they are: the fallback receiver is told of them at once, and
/// they are tried again all the same, as somebody may mend what is wrong.
async fn give_up(
    shared: &Shared,
    epoch: i64,
    name: &str,
    levels: &[Level],
    error: &str,
) -> Result<(), StoreError> {
    tracing::error!(receiver = name, alerts = levels.len(), error, "alerts were refused");
    shared.store.levels_failed(epoch, &rows(levels), error, clock::now_ms()).await?;
    let never_told =
        |level: &&Level| level.row.last_sent_at.is_none() && level.row.state == LevelState::Firing;
    let untold: Vec<Notice> = levels.iter().filter(never_told).map(|level| level.notice.clone()).collect();
    owe_fallback(shared, epoch, &untold).await
}
