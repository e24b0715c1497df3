//! `GET /metrics`: Damper's own metrics, and the numbers of every SLO as they are now.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::look::{aside, at_slo, newest};
use super::problem::Problem;
use crate::engine::view::pooled;
use crate::service::shared::Shared;
use crate::telemetry::{SloGauges, metrics};

/// Damper's own metrics, as OpenMetrics text. Per SLO what is not known has no series.
#[utoipa::path(
    get, path = "/metrics", tag = "service",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")),
)]
pub(super) async fn metrics_text(State(shared): State<Arc<Shared>>) -> Result<impl IntoResponse, Problem> {
    let text = aside(&shared, |shared| shared.metrics.encode(|slos| add_slos(shared, slos))).await?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}

fn add_slos(shared: &Shared, slos: &mut SloGauges) {
    let plan = Arc::clone(&shared.world.read().plan);
    for place in 0..plan.slos.len() {
        let newest = newest(shared);
        let world = shared.world.read();
        // A reload in between: its SLOs are shown by the next scrape.
        let Some(planned) = world.plan.slos.get(place) else { return };
        let (service, name) = (&planned.slo.id.service, &planned.slo.id.name);
        let pooled = pooled(planned, &at_slo(shared, &world, &planned.id, newest));
        for (window, burn) in pooled.burn {
            if let Some(burn) = burn {
                slos.burn_rate(service, name, &window.to_string(), burn);
            }
        }
        if let Some(left) = pooled.budget_remaining {
            slos.budget_remaining(service, name, left);
        }
        slos.objective(service, name, planned.slo.objective.ratio());
    }
}
