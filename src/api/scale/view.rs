//! What is told of a policy, and where it comes from. `damper scale status` and `damper explain` read
//! the same types.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rule::{RuleView, rule};
use crate::engine::scale::{Decision, Overridden, Reason, State, Verdict};
use crate::service::scaling::{Last, Seen, id};
use crate::service::shared::Shared;
use crate::slo::policy::{ScaleMode, ScalePolicy};
use crate::slo::time::Ts;

/// One policy as it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// `auto`, or `dryRun`: it decides and writes nothing.
    pub mode: String,
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
    /// What it goes by.
    pub rule: RuleView,
    /// What is under way, and what holds it or will.
    pub holds: HoldsView,
    /// What it decided before, newest first; only with one policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<LineView>,
}

/// A decision, for people and programs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
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

/// What is under way, and what holds a policy or will. Times in seconds since the epoch.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldsView {
    /// A write that is not seen yet.
    pub in_flight: Option<MoveView>,
    /// Whose count is respected.
    pub overridden: Option<MoveView>,
    /// Who keeps putting it back.
    pub fight: Option<MoveView>,
    /// Adding did not help: nothing is added until then.
    pub useless_until: Option<i64>,
    /// Since when every window is below the rate for giving back.
    pub calm_since: Option<i64>,
    /// Since when the windows ask for more.
    pub burning_since: Option<i64>,
    /// Since when all replicas are ready.
    pub ready_since: Option<i64>,
    /// Writes within the last hour.
    pub writes: u32,
}

/// A lever that was brought somewhere.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MoveView {
    /// By whom, where that is known.
    pub by: Option<String>,
    /// Where.
    pub to: u32,
    /// Until when it counts.
    pub until: i64,
}

/// A policy as it stands, without its history.
pub(super) fn view(shared: &Shared, policy: &ScalePolicy) -> PolicyView {
    let kept = shared.scaling.read().policies.get(&id(policy)).cloned();
    let last = kept.as_ref().and_then(|kept| kept.last.as_ref());
    let state = kept.as_ref().map(|kept| &kept.state);
    let mode = match policy.mode {
        ScaleMode::Auto => "auto",
        ScaleMode::DryRun => "dryRun",
    };
    PolicyView {
        name: policy.name.clone(),
        mode: mode.to_owned(),
        target: policy.target.to_string(),
        slos: policy.slos.iter().map(|watched| watched.slo.to_string()).collect(),
        min: policy.replicas.min(),
        max: policy.replicas.max(),
        base: state.and_then(|state| state.base),
        cooldown_until: state.and_then(|state| state.cooldown_until).map(|until| until.0),
        paused: state.is_some_and(|state| state.paused),
        decision: last.map(|last: &Last| decision(&last.decision)),
        seen: last.map(|last| last.seen.clone()),
        rule: rule(policy),
        holds: state.map(holds).unwrap_or_default(),
        history: Vec::new(),
    }
}

fn holds(state: &State) -> HoldsView {
    let other = |other: &Overridden| MoveView { by: other.by.clone(), to: other.to, until: other.until.0 };
    let secs = |at: Option<Ts>| at.map(|at| at.0);
    HoldsView {
        in_flight: state.intent.map(|intent| MoveView { by: None, to: intent.to, until: intent.until.0 }),
        overridden: state.overridden.as_ref().map(other),
        fight: state.fight.as_ref().map(other),
        useless_until: secs(state.useless.and_then(|useless| useless.hold_until)),
        calm_since: secs(state.calm_since),
        burning_since: secs(state.burning_since),
        ready_since: secs(state.ready_since),
        writes: u32::try_from(state.writes.len()).unwrap_or(u32::MAX),
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
