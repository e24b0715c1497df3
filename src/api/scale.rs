//! `/api/v1/scale`: policies, what they decided and why, and what people ask of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Answer, Page};
use super::params::Params;
use super::problem::Problem;
use crate::engine::scale::{Decision, Reason, Verdict};
use crate::service::clock;
use crate::service::scaling::{COMMAND, Command, Last, Seen, Word, id};
use crate::service::shared::Shared;
use crate::slo::policy::{ScaleMode, ScalePolicy};

/// Lines of history with one policy.
const HISTORY: i64 = 50;

/// One policy as it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// `auto`, or `dryRun`: it decides and writes nothing.
    pub mode: &'static str,
    /// What it moves.
    pub target: String,
    /// The SLOs it guards.
    pub slos: Vec<String>,
    /// The lowest and highest count that it sets.
    pub min: u32,
    /// The highest.
    pub max: u32,
    /// Where replicas are given back to; null before the first decision.
    pub base: Option<u32>,
    /// No write before, in seconds since the epoch.
    pub cooldown_until: Option<i64>,
    /// Whether it was paused by command.
    pub paused: bool,
    /// The newest decision; null before the first.
    pub decision: Option<DecisionView>,
    /// The numbers that it read.
    pub seen: Option<Seen>,
    /// What it decided before, newest first; only with one policy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<LineView>,
}

/// A decision, for people and programs.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionView {
    /// When, in seconds since the epoch.
    pub at: i64,
    /// Where the lever stood and goes, where it moves.
    pub from: Option<u32>,
    /// Where it goes.
    pub to: Option<u32>,
    /// Why.
    pub reason: ReasonView,
    /// What would have decided without it, where something would.
    pub runner_up: Option<ReasonView>,
}

/// A reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReasonView {
    /// One word for programs.
    pub code: String,
    /// In words.
    pub why: String,
    /// What would change it.
    pub would_change: String,
    /// The numbers in it.
    #[schema(value_type = Object)]
    pub numbers: serde_json::Value,
}

/// One line of history.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineView {
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// `scale`, `scaleDryRun`, `scaleWrite`, `scaleCommand`, or what became of an alert.
    pub kind: String,
    /// What was decided or done.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
}

/// Asked, and carried out with the next decision.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AskedView {
    /// What was asked.
    pub word: Word,
    /// Of which policy; null of all.
    pub policy: Option<String>,
}

/// All policies with their newest decisions.
#[utoipa::path(
    get, path = "/api/v1/scale", tag = "scale",
    responses((status = 200, body = Answer<Page<PolicyView>>)),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    params: Params,
) -> Result<Answer<Page<PolicyView>>, Problem> {
    params.only(&[])?;
    let plan = Arc::clone(&shared.world.read().plan);
    let items = plan.policies.iter().map(|policy| view(&shared, policy)).collect();
    Ok(Answer::of_all(&shared, Page { items, next: None }))
}

/// One policy with its history.
#[utoipa::path(
    get, path = "/api/v1/scale/{policy}", tag = "scale",
    params(("policy" = String, Path, description = "Its name.")),
    responses(
        (status = 200, body = Answer<PolicyView>),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Answer<PolicyView>, Problem> {
    params.only(&[])?;
    let policy = find(&shared, &name)?;
    let rows = shared.store.history(Some(&name), None, HISTORY).await;
    let rows = rows.map_err(|error| Problem::unavailable(error.to_string()))?;
    let line = |row: crate::store::HistoryRow| LineView {
        at_ms: row.at,
        kind: row.kind,
        body: serde_json::from_str(&row.body).unwrap_or_default(),
    };
    let history = rows.items.into_iter().map(line).collect();
    let view = PolicyView { history, ..view(&shared, &policy) };
    Ok(Answer::of_all(&shared, view))
}

/// Asks something of one policy: `pause`, `resume`, `release`.
#[utoipa::path(
    post, path = "/api/v1/scale/{policy}/{word}", tag = "scale",
    params(
        ("policy" = String, Path, description = "Its name."),
        ("word" = String, Path, description = "`pause`, `resume` or `release`."),
    ),
    responses(
        (status = 202, body = AskedView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ask_one(
    State(shared): State<Arc<Shared>>,
    Path((name, word)): Path<(String, String)>,
) -> Result<(StatusCode, Json<AskedView>), Problem> {
    let word = match word.as_str() {
        "pause" => Word::Pause,
        "resume" => Word::Resume,
        "release" => Word::Release,
        _ => return Err(Problem::not_found(format!("{word} is none of pause, resume, release"))),
    };
    find(&shared, &name)?;
    ask(&shared, word, Some(name)).await
}

/// Stops all scaling, or starts it again: `stop`, `start`.
#[utoipa::path(
    post, path = "/api/v1/scaling/{word}", tag = "scale",
    params(("word" = String, Path, description = "`stop` or `start`.")),
    responses(
        (status = 202, body = AskedView),
        (status = 404, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ask_all(
    State(shared): State<Arc<Shared>>,
    Path(word): Path<String>,
) -> Result<(StatusCode, Json<AskedView>), Problem> {
    let word = match word.as_str() {
        "stop" => Word::Stop,
        "start" => Word::Start,
        _ => return Err(Problem::not_found(format!("{word} is none of stop, start"))),
    };
    ask(&shared, word, None).await
}

async fn ask(
    shared: &Shared,
    word: Word,
    policy: Option<String>,
) -> Result<(StatusCode, Json<AskedView>), Problem> {
    let command = Command { word, policy: policy.clone() };
    let body = serde_json::to_string(&command).map_err(|_| Problem::internal())?;
    let put = shared.store.put_command(COMMAND, &body, clock::now_ms()).await;
    put.map_err(|error| Problem::unavailable(error.to_string()))?;
    Ok((StatusCode::ACCEPTED, Json(AskedView { word, policy })))
}

fn find(shared: &Shared, name: &str) -> Result<Arc<ScalePolicy>, Problem> {
    let plan = Arc::clone(&shared.world.read().plan);
    let found = plan.policies.iter().find(|policy| policy.name == name).cloned();
    found.ok_or_else(|| Problem::not_found(format!("there is no policy {name}")))
}

fn view(shared: &Shared, policy: &ScalePolicy) -> PolicyView {
    let kept = shared.scaling.read().policies.get(&id(policy)).cloned();
    let last = kept.as_ref().and_then(|kept| kept.last.as_ref());
    let state = kept.as_ref().map(|kept| &kept.state);
    PolicyView {
        name: policy.name.clone(),
        mode: match policy.mode {
            ScaleMode::Auto => "auto",
            ScaleMode::DryRun => "dryRun",
        },
        target: policy.target.to_string(),
        slos: policy.slos.iter().map(|watched| watched.slo.to_string()).collect(),
        min: policy.replicas.min(),
        max: policy.replicas.max(),
        base: state.and_then(|state| state.base),
        cooldown_until: state.and_then(|state| state.cooldown_until).map(|until| until.0),
        paused: state.is_some_and(|state| state.paused),
        decision: last.map(|last: &Last| decision(&last.decision)),
        seen: last.map(|last| last.seen.clone()),
        history: Vec::new(),
    }
}

fn decision(decision: &Decision) -> DecisionView {
    let (from, to) = match decision.verdict {
        Verdict::Hold => (None, None),
        Verdict::Scale { from, to } => (Some(from), Some(to)),
    };
    DecisionView {
        at: decision.at.0,
        from,
        to,
        reason: reason(&decision.reason),
        runner_up: decision.runner_up().map(reason),
    }
}

fn reason(reason: &Reason) -> ReasonView {
    let mut numbers = serde_json::to_value(reason).unwrap_or_default();
    let code = numbers.as_object_mut().and_then(|fields| fields.remove("code"));
    let code = code.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    ReasonView { code, why: reason.say(), would_change: reason.changes(), numbers }
}
