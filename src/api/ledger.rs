//! What of an SLO is booked, and time taken out of it by hand: `GET …/ledger`, `POST …/exclusions`,
//! `DELETE exclusions/{id}`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::group::{group_of, known_group};
use super::look::{aside, with_slo};
use super::page::Answer;
use super::params::{Params, time};
use super::problem::Problem;
use crate::engine::ledger::Wanted;
use crate::engine::view::{LedgerView, ledger_view, slots};
use crate::service::exclusions::{self, of_parts};
use crate::service::shared::Shared;
use crate::slo::time::{Span, Ts};

/// Whoever says nothing about who they are.
const NOBODY: &str = "the API";

/// What of one SLO is booked, taken out, and counts.
#[utoipa::path(
    get, path = "/api/v1/slos/{service}/{name}/ledger", tag = "slos",
    params(
        ("service" = String, Path), ("name" = String, Path),
        ("from" = Option<String>, Query, description = "Slot by slot from here: seconds since the epoch or RFC 3339; an hour before `to` by default."),
        ("to" = Option<String>, Query, description = "As `from`; the newest judged slice by default. Without either no slots are listed."),
        ("group.LABEL" = Option<String>, Query, description = "Only this group of a grouped SLO; needed for its slots."),
    ),
    responses(
        (status = 200, body = Answer<LedgerView>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Path((service, name)): Path<(String, String)>,
    params: Params,
) -> Result<Answer<LedgerView>, Problem> {
    let params = params.only(&["from", "to", "group."])?;
    let (from, to) = (params.time("from")?, params.time("to")?);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Problem::parameter("from", "must be before `to`"));
    }
    leads(&shared)?;
    let group = group_of(&params);
    let id = format!("{service}/{name}");
    let view = aside(&shared, move |shared| {
        with_slo(shared, &id, None, |planned, look| {
            if let Some(why) = of_parts(planned) {
                return Err(Problem::conflict(format!("{why}.")));
            }
            let changing = || Problem::unavailable("The definitions are just being changed; ask again.");
            let by_slots = from.is_some() || to.is_some();
            if by_slots || !group.is_empty() {
                known_group(planned, look, &group)?;
            }
            let only = (!group.is_empty()).then_some(&group);
            let mut view = ledger_view(planned, only, look).ok_or_else(changing)?;
            if by_slots {
                let to = to.unwrap_or(look.at);
                let from = from.unwrap_or_else(|| to.minus(Span::from_hours(1)));
                view.slots = slots(planned, &group, (from, to), look).ok_or_else(changing)?;
            }
            Ok::<LedgerView, Problem>(view)
        })
    })
    .await???;
    Ok(Answer::of_all(&shared, view))
}

/// Seconds since the epoch, or RFC 3339.
#[derive(Clone, PartialEq, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Moment {
    /// Seconds.
    Seconds(i64),
    /// Such as `2026-11-22T09:00:00Z`.
    Written(String),
}

/// Time that is not to count.
#[derive(Clone, PartialEq, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExclusionRequest {
    /// Where it begins.
    pub from: Moment,
    /// Where it ends; not in the future.
    pub to: Moment,
    /// Why, for whoever asks later.
    pub reason: String,
    /// Who says so.
    pub by: Option<String>,
}

/// Asked for, and in force within seconds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExclusionAsked {
    /// Its number.
    pub id: i64,
    /// Of which SLO.
    pub slo: String,
    /// Where it really begins, rounded outward to what the ledger can tell apart.
    pub from: i64,
    /// Where it really ends, rounded in the same way, but not into what is still to come.
    pub to: i64,
}

/// Takes time out of an SLO.
#[utoipa::path(
    post, path = "/api/v1/slos/{service}/{name}/exclusions", tag = "slos",
    params(("service" = String, Path), ("name" = String, Path)),
    request_body = ExclusionRequest,
    responses(
        (status = 202, body = ExclusionAsked),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn exclude(
    State(shared): State<Arc<Shared>>,
    Path((service, name)): Path<(String, String)>,
    params: Params,
    body: Bytes,
) -> Result<(StatusCode, Json<ExclusionAsked>), Problem> {
    params.only(&[])?;
    leads(&shared)?;
    let request: ExclusionRequest = serde_json::from_slice(&body).map_err(|error| {
        let detail = format!(
            "The body must be JSON such as {{\"from\": \"2026-11-22T09:00:00Z\", \"to\": \"2026-11-22T10:00:00Z\", \"reason\": \"load test\", \"by\": \"ann\"}}: {error}."
        );
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })?;
    let moment = |name: &str, moment: Moment| match moment {
        Moment::Seconds(seconds) => Ok(Ts(seconds)),
        Moment::Written(text) => time(name, &text),
    };
    let (from, to) = (moment("from", request.from)?, moment("to", request.to)?);
    let slo = format!("{service}/{name}");
    let by = request.by.unwrap_or_else(|| NOBODY.to_owned());
    let wanted = Wanted { from, to, reason: request.reason, by };
    let id = slo.clone();
    aside(&shared, move |shared| with_slo(shared, &id, None, |_, _| ())).await??;
    let made = exclusions::ask(&shared, &slo, wanted).await?;
    let made = made.map_err(|why| Problem::conflict(format!("Not taken out: {why}.")))?;
    let asked = ExclusionAsked { id: made.id, slo, from: made.from.0, to: made.to.0 };
    Ok((StatusCode::ACCEPTED, Json(asked)))
}

/// Lets time count again that was taken out.
#[utoipa::path(
    delete, path = "/api/v1/exclusions/{id}", tag = "slos",
    params(
        ("id" = i64, Path, description = "Its number."),
        ("by" = Option<String>, Query, description = "Who says so."),
    ),
    responses(
        (status = 202, body = ExclusionAsked),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn include(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<i64>,
    params: Params,
) -> Result<(StatusCode, Json<ExclusionAsked>), Problem> {
    let params = params.only(&["by"])?;
    leads(&shared)?;
    let found = {
        let world = shared.world.read();
        let all = world.ledger.all_excluded().iter();
        let of = |(slo, excluded): (&String, &crate::engine::ledger::Excluded)| {
            let found = excluded.list().iter().find(|exclusion| exclusion.id == id)?;
            Some(ExclusionAsked { id, slo: slo.clone(), from: found.from.0, to: found.to.0 })
        };
        all.filter_map(of).next()
    };
    let found = found.ok_or_else(|| {
        Problem::not_found(format!("Number {id} is not taken out; `damper ledger show SLO` lists what is."))
    })?;
    let by = params.text("by").unwrap_or(NOBODY).chars().take(100).collect();
    exclusions::ask_back(&shared, id, by).await?;
    Ok((StatusCode::ACCEPTED, Json(found)))
}

/// What is taken out is measured on the ledger, which a replica that stands by has not.
fn leads(shared: &Shared) -> Result<(), Problem> {
    let why = "This replica does not lead, and only the leader has the ledger. Ask the leader.";
    shared.epoch().map(drop).ok_or_else(|| Problem::unavailable(why))
}
