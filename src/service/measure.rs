//! What the loops tell Damper's own metrics.

use std::time::Duration;

use super::shared::Shared;
use crate::notify::Outcome;
use crate::telemetry::labels::{DeliveryLabels, ReceiverLabels};

/// One attempt to deliver.
pub(super) fn delivery(shared: &Shared, receiver: &str, outcome: &Outcome, took: Duration) {
    let outcome = outcome.failure().map_or("delivered", |(reason, _)| reason.as_str());
    shared.metrics.deliveries.get_or_create(&DeliveryLabels::new(receiver, outcome)).inc();
    shared.metrics.delivery_seconds.get_or_create(&ReceiverLabels::new(receiver)).observe(took.as_secs_f64());
}

/// One completed tick.
pub(super) fn tick(shared: &Shared, took: Duration, lag: f64, step_seconds: f64, uncommitted: bool) {
    let metrics = &shared.metrics;
    metrics.ticks.inc();
    metrics.ticks_uncommitted.inc_by(u64::from(uncommitted));
    metrics.tick_seconds.observe(took.as_secs_f64());
    metrics.tick_lag_seconds.set(lag);
    metrics.step_seconds.set(step_seconds);
}

/// One reload of the definitions.
pub(super) fn reload(shared: &Shared, revision: i64, errors: usize, slos: usize) {
    let metrics = &shared.metrics;
    metrics.definitions_revision.set(revision);
    metrics.definitions_problems.set(i64::try_from(errors).unwrap_or(i64::MAX));
    metrics.definitions_last_reload_success.set(i64::from(errors == 0));
    metrics.slos.set(i64::try_from(slos).unwrap_or(i64::MAX));
}
