//! `GET /api/v1/status` and `POST /api/v1/reload`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Answer;
use super::params::Params;
use super::problem::Problem;
use crate::prometheus::{BreakerState, Prometheus};
use crate::service::shared::Shared;
use crate::service::state::{BackfillView, DefinitionsView, TickView};
use crate::service::{asked, clock, scaling};

/// Damper as it runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// Version of Damper.
    pub version: &'static str,
    /// When the process started, in milliseconds since the epoch.
    pub started_at_ms: i64,
    /// Whether this process leads.
    pub leader: bool,
    /// The lease's epoch; null while this process does not lead.
    pub epoch: Option<i64>,
    /// Length of a slice, in seconds.
    pub step_seconds: i64,
    /// The store: its file, or its server without the password.
    pub store: String,
    /// Nobody is told of any alert, whatever its definition says: `alerting.mode` of the settings is `shadow`.
    pub shadow: bool,
    /// Who or what stopped all scaling, in words; null while nothing does.
    pub scaling_stopped: Option<String>,
    /// Sources in the order of their names.
    pub sources: Vec<SourceView>,
    /// The revision in force, and what is wrong with the rest.
    pub definitions: DefinitionsView,
    /// The tick loop.
    pub ticks: TickView,
    /// How backfill goes.
    pub backfill: BackfillView,
    /// The last error of each component that is in trouble.
    pub troubles: BTreeMap<String, String>,
}

/// One source.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceView {
    /// What definitions call it.
    pub name: String,
    /// `prometheus`, `thanos`, `victoriametrics` or `mimir`, as configured.
    pub kind: String,
    /// The version it says it is; null where it did not say yet.
    pub version: Option<String>,
    /// `closed` (it is asked), `open` (it is not) or `halfOpen`.
    pub breaker: &'static str,
    /// Whether nothing is known of it at present.
    pub blind: bool,
    /// Seconds its clock is ahead of ours, negative behind; null before its first answer.
    pub skew_seconds: Option<i64>,
    /// What it said of late about expressions that it answered: `PromQL warning: …`. They are no
    /// failures, and nothing is concluded from them.
    pub notes: Vec<String>,
    /// Queries since the start by outcome: `ok`, or why they failed.
    pub queries: BTreeMap<String, u64>,
    /// Queries since the start that failed.
    pub failures: u64,
    /// Time spent asking, in seconds.
    pub asking_seconds: f64,
    /// Bytes of answers.
    pub bytes: u64,
}

/// Versions, sources, definitions, ticks, backfill.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "service",
    responses((status = 200, body = Answer<StatusView>)),
)]
pub(super) async fn status(
    State(shared): State<Arc<Shared>>,
    params: Params,
) -> Result<Answer<StatusView>, Problem> {
    params.only(&[])?;
    let view = StatusView {
        version: env!("CARGO_PKG_VERSION"),
        started_at_ms: shared.started_at_ms,
        leader: shared.epoch().is_some(),
        epoch: shared.epoch(),
        step_seconds: shared.settings.step.span().secs(),
        store: shared.store.name().to_owned(),
        shadow: shared.settings.alerting.shadow().all,
        scaling_stopped: scaling::stopped(&shared),
        sources: shared.sources.values().map(|source| source_view(&shared, source)).collect(),
        definitions: shared.definitions.read().clone(),
        ticks: *shared.ticks.read(),
        backfill: shared.backfill.read().clone(),
        troubles: shared.troubles.read().iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
    };
    Ok(Answer::of_all(&shared, view))
}

fn source_view(shared: &Shared, source: &Prometheus) -> SourceView {
    let stats = source.stats();
    SourceView {
        name: source.name().to_owned(),
        kind: serde_json::to_value(source.kind())
            .ok()
            .and_then(|kind| kind.as_str().map(str::to_owned))
            .unwrap_or_default(),
        version: shared.versions.read().get(source.name()).cloned(),
        breaker: match source.breaker() {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "halfOpen",
        },
        blind: shared.world.read().observed.is_blind(source.name()),
        skew_seconds: source.skew().map(|skew| skew.ahead),
        notes: source.notes(),
        failures: stats.queries.iter().filter(|(outcome, _)| *outcome != "ok").map(|(_, n)| n).sum(),
        queries: stats.queries.iter().map(|(outcome, n)| ((*outcome).to_owned(), *n)).collect(),
        asking_seconds: stats.asking.as_secs_f64(),
        bytes: stats.bytes,
    }
}

/// What to do with SLOs that a reload would remove.
#[derive(Clone, Copy, Default, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReloadRequest {
    /// Carry a reload out that waits because it removes many SLOs, or one that is firing.
    #[serde(default)]
    pub accept: bool,
}

/// The reload was asked for; how it went is in `definitions` of the status.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, ToSchema)]
pub struct Reloading {
    /// As asked.
    pub accept: bool,
}

/// Reads the definitions again.
#[utoipa::path(
    post, path = "/api/v1/reload", tag = "service", request_body = ReloadRequest,
    responses(
        (status = 202, body = Reloading),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn reload(
    State(shared): State<Arc<Shared>>,
    params: Params,
    body: Bytes,
) -> Result<(StatusCode, Json<Reloading>), Problem> {
    params.only(&[])?;
    let request: ReloadRequest = if body.is_empty() {
        ReloadRequest::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| {
            let detail = format!("The body must be JSON such as {{\"accept\": true}}: {error}.");
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })?
    };
    // Acceptance is consumed with the reload; and where another replica leads, the store tells it.
    let command = if request.accept { asked::ACCEPT } else { asked::READ };
    if request.accept || shared.epoch().is_none() {
        shared.store.put_command(command, "{}", clock::now_ms()).await?;
    }
    shared.reload_wake.notify_one();
    Ok((StatusCode::ACCEPTED, Json(Reloading { accept: request.accept })))
}
