//! Damper's components, and how each of them is.

use std::time::Duration;

use tokio::time::Instant;

use super::health::{Component, Health};
use crate::prometheus::{BreakerState, Prometheus};
use crate::service::clock;
use crate::service::shared::Shared;
use crate::slo::time::Span;
use crate::store::{Backlog, Store, StoreError};

/// The store's answer is waited for this long: whoever asks for health does not wait much longer.
const PING: Duration = Duration::from_secs(2);
/// The tick loop is dead after this many steps without a tick, and at least after a minute.
const DEAD_AFTER_STEPS: i64 = 5;
const DEAD_AFTER: Span = Span::from_mins(1);
/// Reading a large store at the start may take this long before the first tick.
const START: Span = Span::from_mins(10);
/// A message that waits longer is trouble.
const OLD: Span = Span::from_mins(10);

/// Whether ticks come too late for what is shown to be the present.
pub(super) fn is_tick_late(shared: &Shared) -> bool {
    let done_at_ms = shared.ticks.read().done_at_ms;
    done_at_ms > 0 && since(done_at_ms) > late_after(shared)
}

pub(super) fn late_after(shared: &Shared) -> Span {
    Span::from_secs_saturating(shared.settings.step.span().secs() * 2 + 10)
}

/// The tick loop: how long ago its last tick was done.
pub(super) fn ticks(shared: &Shared) -> Component {
    let view = *shared.ticks.read();
    let step = shared.settings.step.span();
    let dead_after = Span::from_secs_saturating(step.secs() * DEAD_AFTER_STEPS).max(DEAD_AFTER);
    let tell = |status, detail| component("ticks", status, detail);
    if shared.epoch().is_none() {
        return tell(Health::Ok, "This replica does not lead; the leader ticks.".to_owned());
    }
    if view.done_at_ms == 0 {
        let status = if since(shared.started_at_ms) > START { Health::Down } else { Health::Degraded };
        return tell(status, "The first tick is not done yet.".to_owned());
    }
    let age = since(view.done_at_ms);
    let status = match age {
        age if age > dead_after => Health::Down,
        age if age > late_after(shared) => Health::Degraded,
        _ => Health::Ok,
    };
    let detail = format!(
        "The last tick was done {age} ago and took {:.3}s; one is due every {step}. {} were skipped.",
        view.seconds, view.skipped
    );
    tell(status, detail)
}

/// Asks the writer's connection, behind whatever it is doing.
pub(super) async fn store(shared: &Shared) -> Component {
    let began = Instant::now();
    let answer = tokio::time::timeout(PING, shared.store.ping()).await;
    let (mut status, mut detail) = match answer {
        Ok(Ok(())) => (Health::Ok, format!("{} answers.", shared.store.name())),
        Ok(Err(error)) => (severity(&shared.store, &error), error.to_string()),
        // It waits behind other work, which waits for a lock or a disk: no restart mends that.
        Err(_) => {
            let detail = format!("{} did not answer for {PING:?}.", shared.store.name());
            (Health::Degraded, detail)
        }
    };
    if let Some(error) = shared.troubles.read().get("store")
        && status != Health::Down
    {
        (status, detail) = (Health::Degraded, error.clone());
    }
    let latency = Some(began.elapsed().as_secs_f64());
    Component { latency_seconds: latency, ..component("store", status, detail) }
}

/// An embedded store that cannot be reached has died with its writer; a server may come back.
fn severity(store: &Store, error: &StoreError) -> Health {
    match error {
        StoreError::Unreachable { .. } | StoreError::Timeout { .. } if is_embedded(store) => Health::Down,
        _ => Health::Degraded,
    }
}

fn is_embedded(store: &Store) -> bool {
    matches!(store, Store::Sqlite(_))
}

/// What is wrong with definitions; the rest of them is in force.
pub(super) fn definitions(shared: &Shared) -> Component {
    let view = shared.definitions.read();
    let errors: Vec<_> = view.problems.iter().filter(|problem| problem.error).collect();
    let trouble = shared.troubles.read().get("definitions").cloned();
    let (status, detail) = match (errors.first(), trouble) {
        (Some(first), _) => {
            let place = format!("{}:{}:{}", first.file, first.line, first.column);
            let more = match errors.len() {
                1 => String::new(),
                n => format!(" ({} more in /api/v1/status)", n - 1),
            };
            (Health::Degraded, format!("{place}: {}{more}. The last good version stays.", first.what))
        }
        (None, Some(error)) => (Health::Degraded, error),
        (None, None) if !view.waiting_for_accept.is_empty() => {
            let waiting = view.waiting_for_accept.len();
            let detail = format!(
                "A reload that removes {waiting} SLOs or policies waits for `damper reload --accept`."
            );
            (Health::Degraded, detail)
        }
        (None, None) => (Health::Ok, format!("{} SLOs, revision {}.", view.slos, view.revision)),
    };
    component("definitions", status, detail)
}

/// One source: whether it answers, its clock, its failures.
pub(super) fn source_health(shared: &Shared, source: &Prometheus) -> Component {
    let blind = shared.world.read().observed.is_blind(source.name());
    let skew = source.skew();
    let breaker = source.breaker();
    let mut detail = match breaker {
        BreakerState::Closed if blind => "It does not answer.".to_owned(),
        BreakerState::Closed => "It is asked.".to_owned(),
        BreakerState::Open => "It failed repeatedly and is not asked for the moment.".to_owned(),
        BreakerState::HalfOpen => {
            "It failed repeatedly; it is being found out whether it answers.".to_owned()
        }
    };
    if let Some(skew) = skew {
        detail.push_str(&format!(" Its clock is {skew}."));
    }
    let failed = source.stats().queries.into_iter().filter(|(outcome, n)| *outcome != "ok" && *n > 0);
    let failed: Vec<String> = failed.map(|(outcome, n)| format!("{n} {outcome}")).collect();
    if !failed.is_empty() {
        detail.push_str(&format!(" Failed since the start: {}.", failed.join(", ")));
    }
    let well = breaker == BreakerState::Closed && !blind && !skew.is_some_and(|skew| skew.is_too_far());
    let status = if well { Health::Ok } else { Health::Degraded };
    component(format!("source {}", source.name()), status, detail)
}

/// Receivers that something waits for, or was given up for.
pub(super) async fn receivers(shared: &Shared) -> Vec<Component> {
    match tokio::time::timeout(PING, shared.store.backlog()).await {
        Ok(Ok(backlog)) => backlog.iter().map(receiver).collect(),
        // The store's own component says why.
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

fn receiver(backlog: &Backlog) -> Component {
    let oldest = backlog.oldest_pending.map(since);
    let late = oldest.is_some_and(|age| age > OLD);
    let status = if late { Health::Degraded } else { Health::Ok };
    let waits = match oldest {
        Some(age) => format!("{} messages wait, the oldest for {age}", backlog.pending),
        None => "Nothing waits".to_owned(),
    };
    let mut detail = format!("{waits}; {} were given up (/api/v1/deliveries?status=dead).", backlog.dead);
    if backlog.shed > 0 {
        detail.push_str(&format!(" {} tickets were dropped to make room.", backlog.shed));
    }
    component(format!("receiver {}", backlog.receiver), status, detail)
}

/// A component that is known without asking.
pub(super) fn component(name: impl Into<String>, status: Health, detail: String) -> Component {
    Component { name: name.into(), status, detail, latency_seconds: None }
}

pub(super) fn since(ms: i64) -> Span {
    Span::from_secs_saturating(clock::now_ms().saturating_sub(ms) / 1000)
}
