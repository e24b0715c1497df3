//! `GET /metrics`: Damper's own metrics, and the numbers of every SLO as they are now.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::look::{aside, at_slo, newest};
use super::problem::Problem;
use crate::engine::view::pooled;
use crate::service::shared::Shared;
use crate::service::{clock, scaling};
use crate::telemetry::{ScaleGauges, SloGauges, metrics};

/// Plans that may be swapped in during one scrape, before it leaves SLOs out.
const MOST_SWAPS: usize = 10;

/// Damper's own metrics, as OpenMetrics text. Of SLOs and policies what is not known has no series.
#[utoipa::path(
    get, path = "/metrics", tag = "service",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")),
)]
pub(super) async fn metrics_text(State(shared): State<Arc<Shared>>) -> Result<impl IntoResponse, Problem> {
    let text = aside(&shared, |shared| {
        shared.metrics.encode(|slos, policies| {
            add_slos(shared, slos);
            add_policies(shared, policies);
        })
    })
    .await?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}

/// Until no plan was swapped in between: positions are of one plan, and an SLO is told once.
fn add_slos(shared: &Shared, slos: &mut SloGauges) {
    for _ in 0..MOST_SWAPS {
        if add_slos_of_one_plan(shared, slos) {
            return;
        }
        *slos = SloGauges::default();
    }
}

fn add_slos_of_one_plan(shared: &Shared, slos: &mut SloGauges) -> bool {
    let plan = Arc::clone(&shared.world.read().plan);
    for planned in &plan.slos {
        let newest = newest(shared);
        let world = shared.world.read();
        if !Arc::ptr_eq(&plan, &world.plan) {
            return false;
        }
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
    true
}

fn add_policies(shared: &Shared, gauges: &mut ScaleGauges) {
    gauges.stopped(scaling::stopped(shared).is_some());
    let plan = Arc::clone(&shared.world.read().plan);
    let known = shared.scaling.read();
    for policy in &plan.policies {
        let Some(kept) = known.policies.get(&scaling::id(policy)) else { continue };
        let name = &policy.name;
        if let Some(last) = &kept.last {
            gauges.verdict(name, &last.decision.reason.code());
            let seen = last.seen.workload.iter();
            let counts =
                seen.flat_map(|w| [("wanted", w.wanted), ("ready", w.ready), ("position", w.position)]);
            counts.for_each(|(of, count)| gauges.replicas(name, of, count));
        }
        if let Some(base) = kept.state.base {
            gauges.replicas(name, "base", base);
        }
        if let Some(looked) = kept.looked {
            #[expect(clippy::cast_precision_loss, reason = "seconds")]
            gauges.look_age(name, clock::now().since(looked).secs() as f64);
        }
    }
}
