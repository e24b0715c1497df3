//! HTTP: health, metrics, and `/api/v1/` with its OpenAPI document.
//!
//! [`router`] is everything that is served; [`serve`] listens. Answers are views of
//! [`engine::view`](crate::engine::view); errors are problem documents (RFC 9457). Reads take the
//! world's lock for one SLO at a time; writes are a single call of the store.

mod alert_history;
mod alerts;
mod components;
mod deliveries;
mod group;
mod health;
mod layers;
mod ledger;
mod look;
mod metrics;
mod page;
mod params;
mod problem;
mod scale;
mod scaling_health;
mod server;
mod slos;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::{Extension, Router};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use alert_history::{AlertEventView, AlertHistoryView};
pub use deliveries::{DeliveryView, Queued};
pub use health::{Component, Health, HealthView};
pub use ledger::{ExclusionAsked, ExclusionRequest};
pub use page::{Answer, Page};
pub use problem::Problem;
pub use scale::{
    AskedView, DecisionView, HoldsView, LineView, MoveView, PolicyView, ReasonView, RuleView, SaturationView,
    StepView, VetoView,
};
pub use server::serve;
pub use status::{ReloadRequest, Reloading, SourceView, StatusView};

use crate::service::shared::Shared;

/// Bytes of a request's body at most.
const MAX_BODY: usize = 64 * 1024;

/// What the document says besides the paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Damper",
        description = "SLO burn rates, error budgets, alerts and deliveries. Times are seconds since the epoch unless their name ends in `Ms`; what is not known is null."
    ),
    tags(
        (name = "slos", description = "Objectives, burn rates, budgets"),
        (name = "alerts", description = "Alerts that are pending or firing, and what they did"),
        (name = "deliveries", description = "The outbox and its dead letters"),
        (name = "scale", description = "Scale policies and their decisions"),
        (name = "service", description = "Damper itself"),
    )
)]
struct Document;

/// Everything that is served.
pub fn router(shared: Arc<Shared>) -> Router {
    let api = OpenApiRouter::new()
        .routes(routes!(slos::list))
        .routes(routes!(slos::one))
        .routes(routes!(slos::over_time))
        .routes(routes!(ledger::show))
        .routes(routes!(ledger::exclude))
        .routes(routes!(ledger::include))
        .routes(routes!(alerts::list))
        .routes(routes!(alert_history::list))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::resend))
        .routes(routes!(scale::list))
        .routes(routes!(scale::one))
        .routes(routes!(scale::ask_one))
        .routes(routes!(scale::ask_all))
        .routes(routes!(status::status))
        .routes(routes!(status::reload));
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics_text))
        .routes(routes!(openapi))
        // Probes and metrics are answered even while the API is busy.
        .merge(layers::busy(api))
        .split_for_parts();
    let document: Arc<str> = document.to_json().unwrap_or_default().into();
    layers::around(router.layer(Extension(document))).with_state(shared)
}

/// This API as an OpenAPI document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "service",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")),
)]
async fn openapi(_: State<Arc<Shared>>, Extension(document): Extension<Arc<str>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document.to_string())
}
