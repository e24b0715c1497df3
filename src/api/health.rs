//! `GET /healthz`: each component with its status and how long finding out took; and `GET /readyz`.
//!
//! 503 says "restart me" and nothing else: only for a tick loop or a store writer that is dead in
//! this process. Trouble outside of it (a source, a receiver, a full disk) is `degraded` with 200,
//! because no restart mends it, and a pager that is restarted in a loop pages nobody.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::prometheus::{BreakerState, Prometheus};
use crate::service::clock;
use crate::service::shared::Shared;
use crate::slo::time::Span;
use crate::store::{Backlog, Store, StoreError};

/// The store's answer is waited for this long.
const PING: Duration = Duration::from_secs(5);
/// The tick loop is dead after this many steps without a tick, and at least after a minute.
const DEAD_AFTER_STEPS: i64 = 5;
const DEAD_AFTER: Span = Span::from_mins(1);
/// Reading a large store at the start may take this long before the first tick.
const START: Span = Span::from_mins(10);
/// A message that waits longer is trouble.
const OLD: Span = Span::from_mins(10);

/// How a component is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Ok,
    /// Trouble that does not lie in this process, or that passes.
    Degraded,
    /// Dead: a restart is needed.
    Down,
}

/// Damper's health: the worst of its components.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct HealthView {
    /// The worst of the components.
    pub status: Health,
    /// Version of Damper.
    pub version: &'static str,
    /// All components.
    pub components: Vec<Component>,
}

/// One component.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// `ticks`, `store`, `definitions`, `heartbeat`, `source NAME`, `receiver NAME`.
    pub name: String,
    /// How it is.
    pub status: Health,
    /// In words: what was seen, and what is wrong.
    pub detail: String,
    /// How long finding out took, in seconds; null where it is known without asking.
    pub latency_seconds: Option<f64>,
}

/// How Damper and everything it depends on is.
#[utoipa::path(
    get, path = "/healthz", tag = "service",
    responses((status = 200, body = HealthView), (status = 503, body = HealthView)),
)]
pub(super) async fn healthz(State(shared): State<Arc<Shared>>) -> (StatusCode, Json<HealthView>) {
    let mut components = vec![ticks(&shared), store(&shared).await, definitions(&shared)];
    components.extend(shared.sources.values().map(|source| source_health(&shared, source)));
    components.extend(receivers(&shared).await);
    let troubles = shared.troubles.read();
    let told = troubles.iter().filter(|(name, _)| !["store", "definitions"].contains(name));
    components.extend(told.map(|(name, error)| component(*name, Health::Degraded, error.clone())));
    drop(troubles);
    let status = components.iter().map(|c| c.status).max().unwrap_or(Health::Ok);
    let code = if status == Health::Down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(HealthView { status, version: env!("CARGO_PKG_VERSION"), components }))
}

/// Whether Damper leads and has judged at least once; otherwise why not.
#[utoipa::path(
    get, path = "/readyz", tag = "service",
    responses(
        (status = 200, description = "It leads, and a tick is done."),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn readyz(State(shared): State<Arc<Shared>>) -> Result<&'static str, Problem> {
    if shared.shutdown.is_cancelled() {
        return Err(Problem::unavailable("Damper is shutting down."));
    }
    if shared.epoch().is_none() {
        return Err(Problem::unavailable("This replica does not lead; it takes over when the leader goes."));
    }
    if shared.ticks.read().completed == 0 {
        return Err(Problem::unavailable("The first tick is not done yet."));
    }
    Ok("ready\n")
}

/// Whether ticks come too late for what is shown to be the present.
pub(super) fn is_tick_late(shared: &Shared) -> bool {
    let done_at_ms = shared.ticks.read().done_at_ms;
    done_at_ms > 0 && since(done_at_ms) > late_after(shared)
}

fn late_after(shared: &Shared) -> Span {
    Span::from_secs_saturating(shared.settings.step.span().secs() * 2 + 10)
}

fn ticks(shared: &Shared) -> Component {
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
async fn store(shared: &Shared) -> Component {
    let began = Instant::now();
    let answer = tokio::time::timeout(PING, shared.store.commands(1)).await;
    let (mut status, mut detail) = match answer {
        Ok(Ok(_)) => (Health::Ok, format!("{} answers.", shared.store.name())),
        Ok(Err(error)) => (severity(&shared.store, &error), error.to_string()),
        Err(_) => {
            let detail = format!("{} did not answer for {PING:?}.", shared.store.name());
            (if is_embedded(&shared.store) { Health::Down } else { Health::Degraded }, detail)
        }
    };
    if let Some(error) = shared.troubles.read().get("store")
        && status == Health::Ok
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

fn definitions(shared: &Shared) -> Component {
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
            let detail = format!("A reload that removes {waiting} SLOs waits for `damper reload --accept`.");
            (Health::Degraded, detail)
        }
        (None, None) => (Health::Ok, format!("{} SLOs, revision {}.", view.slos, view.revision)),
    };
    component("definitions", status, detail)
}

fn source_health(shared: &Shared, source: &Prometheus) -> Component {
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

async fn receivers(shared: &Shared) -> Vec<Component> {
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
    let detail = format!("{waits}; {} were given up (/api/v1/deliveries?status=dead).", backlog.dead);
    component(format!("receiver {}", backlog.receiver), status, detail)
}

fn component(name: impl Into<String>, status: Health, detail: String) -> Component {
    Component { name: name.into(), status, detail, latency_seconds: None }
}

fn since(ms: i64) -> Span {
    Span::from_secs_saturating(clock::now_ms().saturating_sub(ms) / 1000)
}
