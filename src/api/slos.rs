//! `GET /api/v1/slos` and below.

use std::sync::Arc;

use axum::extract::{Path, State};

use super::group::{group_of, known_group};
use super::look::{aside, with_slo};
use super::page::{Answer, Page};
use super::params::Params;
use super::problem::Problem;
use crate::engine::plan::Planned;
use crate::engine::status::Standing;
use crate::engine::view::{Look, SeriesView, SloView, series, slo_view, standing_of};
use crate::service::shared::Shared;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};

/// What `state` filters by.
#[derive(Clone, Copy)]
enum Wanted {
    Is(Standing),
    Firing,
}

const STATES: [(&str, Wanted); 8] = [
    ("ok", Wanted::Is(Standing::Ok)),
    ("idle", Wanted::Is(Standing::Idle)),
    ("noErrors", Wanted::Is(Standing::NoErrors)),
    ("unproven", Wanted::Is(Standing::Unproven)),
    ("absent", Wanted::Is(Standing::Absent)),
    ("unknown", Wanted::Is(Standing::Unknown)),
    ("badNotPartOfTotal", Wanted::Is(Standing::BadNotPartOfTotal)),
    ("firing", Wanted::Firing),
];

/// All SLOs by id, with their groups, windows and budgets.
#[utoipa::path(
    get, path = "/api/v1/slos", tag = "slos",
    params(
        ("service" = Option<String>, Query, description = "Only SLOs of this service."),
        ("state" = Option<String>, Query, description = "Only SLOs in this state (ok, idle, noErrors, unproven, absent, unknown, badNotPartOfTotal), or with an alert that fires (firing)."),
        ("limit" = Option<usize>, Query, description = "SLOs per page, 1 to 1000; 100 by default."),
        ("next" = Option<String>, Query, description = "`next` of the page before."),
    ),
    responses(
        (status = 200, body = Answer<Page<SloView>>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    params: Params,
) -> Result<Answer<Page<SloView>>, Problem> {
    let params = params.only(&["service", "state", "limit", "next"])?;
    let state = params.word("state", &STATES)?;
    let limit = params.limit()?;
    let service = params.text("service").map(str::to_owned);
    let after = params.text("next").map(str::to_owned);
    let page = aside(&shared, move |shared| page(shared, service.as_deref(), state, after, limit)).await?;
    Ok(Answer::of_all(&shared, page))
}

/// One SLO.
#[utoipa::path(
    get, path = "/api/v1/slos/{service}/{name}", tag = "slos",
    params(("service" = String, Path), ("name" = String, Path)),
    responses(
        (status = 200, body = Answer<SloView>),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path((service, name)): Path<(String, String)>,
    params: Params,
) -> Result<Answer<SloView>, Problem> {
    params.only(&[])?;
    let id = format!("{service}/{name}");
    let (sources, view) = aside(&shared, move |shared| {
        with_slo(shared, &id, None, |planned, look| (sources_of(planned), slo_view(planned, look)))
    })
    .await??;
    Ok(Answer::of_sources(&shared, &sources, view))
}

/// One SLO over time: at most 1,000 points.
#[utoipa::path(
    get, path = "/api/v1/slos/{service}/{name}/series", tag = "slos",
    params(
        ("service" = String, Path), ("name" = String, Path),
        ("from" = Option<String>, Query, description = "Seconds since the epoch or RFC 3339; a day before `to` by default."),
        ("to" = Option<String>, Query, description = "As `from`; the newest judged slice by default."),
        ("step" = Option<String>, Query, description = "Such as `5m`; lengthened where that many points are too many, or where so fine a grid is not kept any more."),
        ("group.LABEL" = Option<String>, Query, description = "For a grouped SLO the value of each of its group labels: `group.route=/pay`."),
    ),
    responses(
        (status = 200, body = Answer<SeriesView>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn over_time(
    State(shared): State<Arc<Shared>>,
    Path((service, name)): Path<(String, String)>,
    params: Params,
) -> Result<Answer<SeriesView>, Problem> {
    let params = params.only(&["from", "to", "step", "group."])?;
    let (from, to, step) = (params.time("from")?, params.time("to")?, params.span("step")?);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Problem::parameter("from", "must be before `to`"));
    }
    let group = group_of(&params);
    let id = format!("{service}/{name}");
    let (sources, view) = aside(&shared, move |shared| {
        with_slo(shared, &id, None, |planned, look| {
            let series = series_of(planned, look, &group, (from, to), step.unwrap_or(Span::ZERO));
            series.map(|series| (sources_of(planned), series))
        })
    })
    .await???;
    Ok(Answer::of_sources(&shared, &sources, view))
}

fn sources_of(planned: &Planned) -> Vec<String> {
    planned.sources().into_iter().map(str::to_owned).collect()
}

fn series_of(
    planned: &Planned,
    look: &Look<'_>,
    group: &Labels,
    (from, to): (Option<Ts>, Option<Ts>),
    step: Span,
) -> Result<SeriesView, Problem> {
    known_group(planned, look, group)?;
    let to = to.unwrap_or(look.at);
    let from = from.unwrap_or_else(|| to.minus(Span::from_days(1)));
    series(planned, look.ledger, group, (from, to), step, look.at)
        .ok_or_else(|| Problem::unavailable("The definitions are just being changed; ask again."))
}

fn page(
    shared: &Shared,
    service: Option<&str>,
    state: Option<Wanted>,
    after: Option<String>,
    limit: usize,
) -> Page<SloView> {
    let mut items: Vec<SloView> = Vec::new();
    for (id, place) in ids(shared, service, after) {
        if items.len() == limit {
            return Page { next: items.last().map(|last| last.id.clone()), items };
        }
        let view = with_slo(shared, &id, Some(place), |planned, look| {
            is_in(planned, look, state).then(|| slo_view(planned, look))
        });
        // One that was just removed is left out.
        items.extend(view.ok().flatten());
    }
    Page { items, next: None }
}

/// Ids after `after` with their places in the plan, sorted.
fn ids(shared: &Shared, service: Option<&str>, after: Option<String>) -> Vec<(String, usize)> {
    let plan = Arc::clone(&shared.world.read().plan);
    let mut ids: Vec<(String, usize)> = plan
        .slos
        .iter()
        .enumerate()
        .filter(|(_, planned)| service.is_none_or(|service| planned.slo.id.service == service))
        .filter(|(_, planned)| after.as_ref().is_none_or(|after| planned.id > *after))
        .map(|(place, planned)| (planned.id.clone(), place))
        .collect();
    ids.sort();
    ids
}

fn is_in(planned: &Planned, look: &Look<'_>, state: Option<Wanted>) -> bool {
    match state {
        None => true,
        Some(Wanted::Is(standing)) => standing_of(planned, look) == standing,
        Some(Wanted::Firing) => {
            let mut alerts = look.control.of_slo(&planned.id).into_iter().flatten();
            alerts.any(|(_, alert)| alert.firing.is_some())
        }
    }
}
