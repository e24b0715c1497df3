//! `GET /healthz`: each component with its status and how long finding out took; and `GET /readyz`.
//!
//! 503 says "restart me" and nothing else: only for a tick loop or a store writer that is dead in
//! this process. Trouble outside of it (a source, a receiver, a full disk) is `degraded` with 200,
//! because no restart mends it, and a pager that is restarted in a loop pages nobody.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::components::{component, definitions, receivers, source_health, store, ticks};
use super::problem::Problem;
use super::scaling_health::scaling;
use crate::service::shared::Shared;

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
    /// `ticks`, `store`, `definitions`, `scaling`, `spill file`, `heartbeat`, `audit`,
    /// `receivers` where there are none, `source NAME`, `receiver NAME`.
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
    components.extend(scaling(&shared));
    let unread = shared.degraded.unread();
    components.extend(unread.map(|words| component("spill file", Health::Degraded, words)));
    let troubles = shared.troubles.read();
    let told = troubles.iter().filter(|(name, _)| !["store", "definitions", "scaling"].contains(name));
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
