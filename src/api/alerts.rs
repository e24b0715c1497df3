//! `GET /api/v1/alerts`: every alert that is at least pending.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;

use super::look::{aside, at_slo, newest};
use super::page::{Answer, Page};
use super::params::Params;
use super::problem::Problem;
use crate::engine::alert::AlertKey;
use crate::engine::view::{AlertView, alert_view};
use crate::service::shared::Shared;

/// Alerts that are pending or firing, by what they are about, with the numbers behind them now.
#[utoipa::path(
    get, path = "/api/v1/alerts", tag = "alerts",
    params(
        ("limit" = Option<usize>, Query, description = "Alerts per page, 1 to 1000; 100 by default."),
        ("next" = Option<String>, Query, description = "`next` of the page before."),
    ),
    responses(
        (status = 200, body = Answer<Page<AlertView>>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    params: Params,
) -> Result<Answer<Page<AlertView>>, Problem> {
    let params = params.only(&["limit", "next"])?;
    let limit = params.limit()?;
    let after = match params.text("next") {
        None => None,
        Some(text) => Some(
            AlertKey::from_text(text)
                .ok_or_else(|| Problem::parameter("next", "must be what the page before gave"))?,
        ),
    };
    let page = aside(&shared, move |shared| page(shared, after.as_ref(), limit)).await?;
    Ok(Answer::of_all(&shared, page))
}

fn page(shared: &Shared, after: Option<&AlertKey>, limit: usize) -> Page<AlertView> {
    let mut keys: Vec<AlertKey> = {
        let world = shared.world.read();
        let wanted = |key: &&AlertKey| after.is_none_or(|after| *key > after);
        world.control.iter().map(|(key, _)| key).filter(wanted).cloned().collect()
    };
    keys.sort();
    let more = keys.len() > limit;
    keys.truncate(limit);
    let next = if more { keys.last().map(AlertKey::to_text) } else { None };
    let plan = Arc::clone(&shared.world.read().plan);
    let places: HashMap<&str, usize> =
        plan.slos.iter().enumerate().map(|(place, planned)| (&*planned.id, place)).collect();
    // One that ended in between is left out.
    let items = keys.iter().filter_map(|key| one(shared, key, &places)).collect();
    Page { items, next }
}

fn one(shared: &Shared, key: &AlertKey, places: &HashMap<&str, usize>) -> Option<AlertView> {
    let newest = newest(shared);
    let world = shared.world.read();
    let id = key.subject.slo().unwrap_or_default();
    let planned = places.get(id).and_then(|place| world.plan.slos.get(*place)).filter(|p| p.id == id);
    alert_view(key, world.control.get(key)?, planned, &at_slo(shared, &world, id, newest))
}
