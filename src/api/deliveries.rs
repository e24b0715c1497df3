//! `GET /api/v1/deliveries` and `POST /api/v1/deliveries/{id}/resend`: the outbox and its dead letters.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Answer, Page};
use super::params::{Params, cut};
use super::problem::Problem;
use crate::engine::notice::Notice;
use crate::service::clock;
use crate::service::shared::Shared;
use crate::slo::model::Labels;
use crate::store::{OutboxFilter, OutboxRow, Status};

const STATUSES: [(&str, Status); 4] = [
    ("pending", Status::Pending),
    ("delivered", Status::Delivered),
    ("dead", Status::Dead),
    ("superseded", Status::Superseded),
];

/// One message to one receiver. Times are milliseconds since the epoch.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// Idempotency key.
    pub id: String,
    /// The receiver's name.
    pub receiver: String,
    /// The same in the firing and the resolve of one alert.
    pub incident: String,
    /// `firing`, `resolved` or `missed`.
    pub event: String,
    /// `pending`, `delivered`, `dead` (given up; can be sent again) or `superseded`.
    pub status: String,
    /// Labels of the alert.
    pub labels: Labels,
    /// The alert in one line.
    pub summary: Option<String>,
    /// When it was decided.
    pub created_at_ms: i64,
    /// Attempts that failed so far.
    pub attempts: i64,
    /// When it is tried next; null when it is not pending.
    pub next_at_ms: Option<i64>,
    /// When it was delivered, given up or superseded.
    pub finished_at_ms: Option<i64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// The message this one stands in for.
    pub fallback_of: Option<String>,
    /// The message that replaced this one.
    pub superseded_by: Option<String>,
}

impl From<OutboxRow> for DeliveryView {
    fn from(row: OutboxRow) -> Self {
        let alert = serde_json::from_str::<Notice>(&row.payload).ok().map(|notice| notice.alert);
        let summary = alert.as_ref().and_then(|alert| alert.annotations.get("summary").cloned());
        Self {
            id: row.id,
            receiver: row.receiver,
            incident: row.incident,
            event: row.event,
            status: row.status.as_str().to_owned(),
            labels: alert.map(|alert| alert.labels).unwrap_or_default(),
            summary,
            created_at_ms: row.created_at,
            attempts: row.attempts,
            next_at_ms: (row.status == Status::Pending).then_some(row.next_at),
            finished_at_ms: row.finished_at,
            last_error: row.last_error,
            fallback_of: row.fallback_of,
            superseded_by: row.superseded_by,
        }
    }
}

/// Messages to receivers, newest first.
#[utoipa::path(
    get, path = "/api/v1/deliveries", tag = "deliveries",
    params(
        ("status" = Option<String>, Query, description = "Only pending, delivered, dead or superseded ones."),
        ("receiver" = Option<String>, Query, description = "Only those to this receiver."),
        ("limit" = Option<usize>, Query, description = "Messages per page, 1 to 1000; 100 by default."),
        ("next" = Option<String>, Query, description = "`next` of the page before."),
    ),
    responses(
        (status = 200, body = Answer<Page<DeliveryView>>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    params: Params,
) -> Result<Answer<Page<DeliveryView>>, Problem> {
    let params = params.only(&["status", "receiver", "limit", "next"])?;
    let filter = OutboxFilter {
        receiver: params.text("receiver").map(str::to_owned),
        status: params.word("status", &STATUSES)?,
        incident: None,
    };
    let limit = i64::try_from(params.limit()?).unwrap_or(i64::MAX);
    let rows = shared.store.outbox(&filter, params.number("next")?, limit).await?;
    let page = Page {
        items: rows.items.into_iter().map(DeliveryView::from).collect(),
        next: rows.next.map(|next| next.to_string()),
    };
    Ok(Answer::of_all(&shared, page))
}

/// What was asked for is queued.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Queued {
    /// The message that is sent again.
    pub id: String,
}

/// Sends a message again that was delivered, given up or superseded, under its own key.
#[utoipa::path(
    post, path = "/api/v1/deliveries/{id}/resend", tag = "deliveries",
    params(("id" = String, Path, description = "Idempotency key of the message.")),
    responses(
        (status = 202, body = Queued),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn resend(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    params: Params,
) -> Result<(StatusCode, Json<Queued>), Problem> {
    params.only(&[])?;
    let Some(epoch) = shared.epoch() else {
        return Err(Problem::unavailable("This replica does not lead; ask the one that does."));
    };
    if shared.store.resend(epoch, &id, clock::now_ms()).await? {
        shared.outbox_wake.notify_waiters();
        return Ok((StatusCode::ACCEPTED, Json(Queued { id })));
    }
    match shared.store.outbox_row(&id).await? {
        Some(_) => Err(Problem::conflict(format!("`{}` waits to be sent already.", cut(&id)))),
        None => Err(Problem::not_found(format!("There is no delivery `{}`.", cut(&id)))),
    }
}
