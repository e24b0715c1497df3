//! `/api/v1/scale`: policies, what they decided and why, and what people ask of them.

mod rule;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::page::{Answer, Page};
use super::params::Params;
use super::problem::Problem;
use crate::service::clock;
use crate::service::scaling::{COMMAND, Command, Word, names};
use crate::service::shared::Shared;
use crate::slo::listed::listed;
use crate::slo::nearest;
use crate::slo::policy::ScalePolicy;
use view::view;

pub use rule::{RuleView, SaturationView, StepView, VetoView};
pub use view::{DecisionView, HoldsView, LineView, MoveView, PolicyView, ReasonView};

/// Lines of history with one policy.
const HISTORY: i64 = 50;
/// Policies named to whoever asks for one that is not there.
const LISTED: usize = 20;

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
    responses(
        (status = 200, body = Answer<Page<PolicyView>>),
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    params: Params,
) -> Result<Answer<Page<PolicyView>>, Problem> {
    params.only(&[])?;
    leads(&shared)?;
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
        (status = 503, body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Answer<PolicyView>, Problem> {
    params.only(&[])?;
    leads(&shared)?;
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
    is_known(&shared, &name).await?;
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
    let known = || plan.policies.iter().map(|policy| policy.name.as_str()).collect();
    found.ok_or_else(|| unknown(name, known()))
}

/// What is asked is a row that the leader reads, so any replica takes it; one that stands by knows
/// policies by what the store remembers of them.
async fn is_known(shared: &Shared, name: &str) -> Result<(), Problem> {
    if shared.epoch().is_some() {
        return find(shared, name).map(drop);
    }
    let known = names(&shared.store).await?;
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(unknown(name, known.iter().map(String::as_str).collect()))
}

fn unknown(name: &str, mut known: Vec<&str>) -> Problem {
    known.sort_unstable();
    let near = nearest::nearest(name, &known).map(|near| format!("; did you mean `{near}`?"));
    let all = match known.len() {
        0 => "no policy is in force".to_owned(),
        _ => format!("in force: {}", listed(&known, LISTED)),
    };
    let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    Problem::not_found(match near {
        Some(near) => format!("There is no policy `{name}`{near} ({all})"),
        None => format!("There is no policy `{name}`; {all}."),
    })
}

/// A replica that stands by decides nothing, and an empty list would be a lie.
fn leads(shared: &Shared) -> Result<(), Problem> {
    let why = "This replica does not lead: only the leader decides about replicas. Ask the leader; \
               what is asked of policies (pause, resume, release, stop, start) any replica takes.";
    shared.epoch().map(drop).ok_or_else(|| Problem::unavailable(why))
}
