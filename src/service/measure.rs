//! What the loops tell Damper's own metrics.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock;
use super::shared::Shared;
use crate::engine::fact::{SlotFact, SlotState, Trust};
use crate::engine::sample::Answer;
use crate::notify::Outcome;
use crate::slo::model::Severity;
use crate::store::Backlog;
use crate::telemetry::labels::{DeliveryLabels, ReceiverLabels, SeverityLabels, SourceLabels};

/// One completed tick.
pub(super) fn tick(shared: &Shared, took: Duration, lag: f64, step_seconds: f64, uncommitted: bool) {
    let metrics = &shared.metrics;
    metrics.ticks.inc();
    metrics.ticks_uncommitted.inc_by(u64::from(uncommitted));
    metrics.tick_seconds.observe(took.as_secs_f64());
    metrics.tick_lag_seconds.set(lag);
    metrics.step_seconds.set(step_seconds);
}

/// How sources, alerts, the ledger and the queues stand; the queues a moment later, because the
/// store takes as long as it takes and no tick may wait for it.
pub(super) fn standing(shared: &Arc<Shared>) {
    for (name, source) in &shared.sources {
        let labels = SourceLabels::new(name);
        let blind = shared.world.read().observed.is_blind(name);
        shared.metrics.source_up.get_or_create(&labels).set(i64::from(!blind));
        if let Some(skew) = source.skew() {
            #[expect(clippy::cast_precision_loss, reason = "seconds of clock skew")]
            shared.metrics.source_clock_skew_seconds.get_or_create(&labels).set(skew.ahead as f64);
        }
    }
    world(shared);
    let asked = Arc::clone(shared);
    shared.tasks.spawn(async move {
        if let Ok(backlog) = asked.store.backlog().await {
            queues(&asked, &backlog);
        }
    });
}

/// One query.
pub(super) fn query(shared: &Shared, source: &str, answer: &Answer, took: Duration) {
    let outcome = match answer {
        Answer::Frames { .. } => "ok",
        Answer::Failed(failure) => failure.kind.as_str(),
    };
    shared.metrics.query(source, outcome, took);
}

fn world(shared: &Shared) {
    let world = shared.world.read();
    let metrics = &shared.metrics;
    for severity in [Severity::Page, Severity::Ticket] {
        let firing =
            world.control.iter().filter(|(key, state)| key.severity == severity && state.firing.is_some());
        let firing = i64::try_from(firing.count()).unwrap_or(i64::MAX);
        metrics.alerts_firing.get_or_create(&SeverityLabels::new(severity.as_str())).set(firing);
    }
    metrics.backfill_left_seconds.set(shared.backfill.read().left_seconds);
    metrics.ledger_bytes.set(i64::try_from(world.ledger.heap()).unwrap_or(i64::MAX));
}

fn queues(shared: &Shared, backlog: &[Backlog]) {
    let now = clock::now_ms();
    let metrics = &shared.metrics;
    for receiver in &shared.settings.receivers {
        let labels = ReceiverLabels::new(&*receiver.name);
        // From zero on: to whoever counts its increase, a first delivery that begins at one is none.
        let taken = DeliveryLabels::new(&*receiver.name, Outcome::DELIVERED_WORD);
        metrics.deliveries.get_or_create(&taken).inc_by(0);
        let queue = backlog.iter().find(|queue| queue.receiver == receiver.name);
        metrics.outbox_pending.get_or_create(&labels).set(queue.map_or(0, |queue| queue.pending));
        metrics.outbox_dead.get_or_create(&labels).set(queue.map_or(0, |queue| queue.dead));
        let oldest =
            queue.and_then(|queue| queue.oldest_pending).map_or(0, |at| now.saturating_sub(at).max(0));
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of waiting")]
        metrics.outbox_oldest_seconds.get_or_create(&labels).set(oldest as f64 / 1000.0);
    }
    // Receivers that are no longer in the settings leave dead letters too.
    for queue in backlog {
        let labels = ReceiverLabels::new(&*queue.receiver);
        metrics.outbox_dead.get_or_create(&labels).set(queue.dead);
        let shed = u64::try_from(queue.shed).unwrap_or(0);
        metrics.outbox_shed.get_or_create(&labels).inner().store(shed, Ordering::Relaxed);
    }
}

/// Slices that could not be booked whole, and slices that were spread over a gap.
pub(super) fn trust(shared: &Shared, slots: &[SlotFact]) {
    for slot in slots {
        let SlotState::Known(groups) = &slot.state else { continue };
        let count = |trust| groups.iter().filter(|fact| fact.trust == trust).count();
        let partial = count(Trust::Partial) + count(Trust::Open);
        shared.metrics.slices_partial.inc_by(u64::try_from(partial).unwrap_or(0));
        shared.metrics.slices_estimated.inc_by(u64::try_from(count(Trust::Estimated)).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::{FALLBACK, service};

    /// `DamperDeliveryFailing` sees by it that the first message of a process was taken.
    #[tokio::test]
    async fn deliveries_of_each_receiver_begin_at_zero() {
        let (shared, _folder) = service(FALLBACK).await;
        queues(&shared, &[]);
        let text = shared.metrics.encode(|_, _| {});
        for receiver in ["main", "other"] {
            let line =
                format!("damper_deliveries_total{{receiver=\"{receiver}\",outcome=\"delivered\"}} 0\n");
            assert!(text.contains(&line), "{text}");
        }
    }
}
