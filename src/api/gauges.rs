//! Metrics that are read off the present state at a scrape, instead of being kept up all the time.

use std::time::Duration;

use crate::service::clock;
use crate::service::shared::Shared;
use crate::slo::model::Severity;
use crate::store::Backlog;
use crate::telemetry::labels::{QueryLabels, ReceiverLabels, SeverityLabels, SourceLabels};

/// A scrape does not wait longer for the store.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sets them. What the store does not say in time keeps its last value.
pub(super) async fn refresh(shared: &Shared) {
    sources(shared);
    alerts(shared);
    shared.metrics.backfill_left_seconds.set(shared.backfill.read().left_seconds);
    match tokio::time::timeout(PATIENCE, shared.store.backlog()).await {
        Ok(Ok(backlog)) => outbox(shared, &backlog),
        Ok(Err(error)) => tracing::debug!(%error, "the outbox was not counted for /metrics"),
        Err(_) => tracing::debug!("the outbox was not counted for /metrics in time"),
    }
}

fn sources(shared: &Shared) {
    for source in shared.sources.values() {
        let labels = SourceLabels::new(source.name());
        let blind = shared.world.read().observed.is_blind(source.name());
        shared.metrics.source_up.get_or_create(&labels).set(i64::from(!blind));
        if let Some(skew) = source.skew() {
            let ahead = i32::try_from(skew.ahead).map_or(f64::MAX, f64::from);
            shared.metrics.source_clock_skew_seconds.get_or_create(&labels).set(ahead);
        }
        for (outcome, n) in source.stats().queries {
            let counter =
                shared.metrics.queries.get_or_create_owned(&QueryLabels::new(source.name(), outcome));
            counter.inc_by(n.saturating_sub(counter.get()));
        }
    }
}

fn alerts(shared: &Shared) {
    let world = shared.world.read();
    for severity in [Severity::Page, Severity::Ticket] {
        let firing =
            world.control.iter().filter(|(key, state)| key.severity == severity && state.firing.is_some());
        let firing = i64::try_from(firing.count()).unwrap_or(i64::MAX);
        shared.metrics.alerts_firing.get_or_create(&SeverityLabels::new(severity.as_str())).set(firing);
    }
    let bytes: usize = world.ledger.all().iter().map(crate::engine::ledger::Series::heap).sum();
    shared.metrics.ledger_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
}

/// Every receiver has its series from the start, so that a rule on them sees zero before it sees trouble.
fn outbox(shared: &Shared, backlog: &[Backlog]) {
    let now = clock::now_ms();
    for receiver in &shared.settings.receivers {
        let labels = ReceiverLabels::new(receiver.name.as_str());
        let waiting = backlog.iter().find(|of| of.receiver == receiver.name);
        let age = waiting.and_then(|of| of.oldest_pending).map_or(0, |oldest| (now - oldest).max(0));
        let seconds = i32::try_from(age / 1000).map_or(f64::MAX, f64::from);
        shared.metrics.outbox_pending.get_or_create(&labels).set(waiting.map_or(0, |of| of.pending));
        shared.metrics.outbox_oldest_seconds.get_or_create(&labels).set(seconds);
    }
}
