//! `GET /api/v1/alerts/history`: what alerts did, in shadow mode too.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Answer;
use super::params::Params;
use super::problem::Problem;
use crate::engine::notice::Alert;
use crate::engine::recipient::Recipient;
use crate::service::shared::Shared;
use crate::slo::model::{Labels, Severity};
use crate::slo::time::Ts;
use crate::store::HistoryRow;

/// What alerts did, newest first.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertHistoryView {
    /// Since when this Damper and those before it on the same store have watched, in seconds since the
    /// epoch; null before the first definition was accepted.
    pub since: Option<i64>,
    /// What happened.
    pub items: Vec<AlertEventView>,
    /// To be given as `next` for the following page; null on the last one.
    pub next: Option<String>,
}

/// One alert that began or ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertEventView {
    /// When, in seconds since the epoch.
    pub at: i64,
    /// `firing`, `resolved`, or `missed` for one that began and ended while Damper could not look.
    pub event: String,
    /// `service/name`; null where it is about a source or a policy.
    pub slo: Option<String>,
    /// How urgent.
    pub severity: Severity,
    /// The same in its firing and its resolve.
    pub incident: String,
    /// Labels of the alert.
    pub labels: Labels,
    /// The alert in one line.
    pub summary: Option<String>,
    /// When it began to fire, in seconds since the epoch.
    pub fired_at: i64,
    /// When it ended; null while it fires.
    pub ended_at: Option<i64>,
    /// Receivers that were told.
    pub told: Vec<String>,
    /// Receivers that were shown, marked, what shadow mode tells nobody.
    pub shown: Vec<String>,
}

/// What history keeps of a transition.
#[derive(Deserialize)]
struct Body {
    alert: Alert,
    incident: String,
    told: Vec<Recipient>,
}

/// What alerts did in a span, newest first: also of SLOs in shadow mode, and of those that are gone.
#[utoipa::path(
    get, path = "/api/v1/alerts/history", tag = "alerts",
    params(
        ("from" = Option<String>, Query, description = "The oldest, in seconds since the epoch or RFC 3339; all that is kept by default."),
        ("to" = Option<String>, Query, description = "The newest, likewise."),
        ("slo" = Option<String>, Query, description = "Only of this SLO: `service/name`."),
        ("limit" = Option<usize>, Query, description = "Events per page, 1 to 1000; 100 by default."),
        ("next" = Option<String>, Query, description = "`next` of the page before."),
    ),
    responses(
        (status = 200, body = Answer<AlertHistoryView>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    params: Params,
) -> Result<Answer<AlertHistoryView>, Problem> {
    let params = params.only(&["from", "to", "slo", "limit", "next"])?;
    let ms = |at: Ts| at.0.saturating_mul(1000);
    let from = params.time("from")?.map_or(i64::MIN, ms);
    let to = params.time("to")?.map_or(i64::MAX, |to| ms(to).saturating_add(999));
    let limit = i64::try_from(params.limit()?).unwrap_or(i64::MAX);
    let store = &shared.store;
    let rows = store.alert_history(params.text("slo"), (from, to), params.number("next")?, limit).await?;
    let view = AlertHistoryView {
        since: store.watched_since().await?.map(|ms| ms.div_euclid(1000)),
        items: rows.items.into_iter().filter_map(event).collect(),
        next: rows.next.map(|next| next.to_string()),
    };
    Ok(Answer::of_all(&shared, view))
}

/// A row that cannot be read is left out: it says nothing.
fn event(row: HistoryRow) -> Option<AlertEventView> {
    let Body { alert, incident, told } = serde_json::from_str(&row.body).ok()?;
    let (mut live, mut shown) = (Vec::new(), Vec::new());
    for one in told {
        match one {
            Recipient::Live(name) => live.push(name),
            Recipient::Shadow { shadow } => shown.push(shadow),
        }
    }
    Some(AlertEventView {
        at: row.at.div_euclid(1000),
        event: row.kind,
        // Sources and policies have no such names.
        slo: Some(row.subject).filter(|subject| subject.contains('/')),
        severity: alert.severity,
        incident,
        summary: alert.annotations.get("summary").cloned(),
        labels: alert.labels,
        fired_at: alert.starts_at.0,
        ended_at: alert.ends_at.map(|at| at.0),
        told: live,
        shown,
    })
}
