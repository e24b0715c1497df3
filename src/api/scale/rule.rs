//! The rules of a policy as they are told: what its numbers are held to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::slo::policy::{ScalePolicy, UpStep, Veto};

/// What a policy goes by. Spans in seconds, rates in multiples of the budget's pace.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleView {
    /// The short window.
    pub short_seconds: i64,
    /// The long one.
    pub long_seconds: i64,
    /// Steps up, the steepest first.
    pub up: Vec<StepView>,
    /// Below this rate one is given back.
    pub down_burn_rate: f64,
    /// After so long a calm.
    pub calm_seconds: i64,
    /// And no write for so long after.
    pub down_cooldown_seconds: i64,
    /// Bad events that the long window needs before anything is added.
    pub min_bad_events: f64,
    /// How long after all replicas are ready it is judged again.
    pub settle_seconds: i64,
    /// Writes per hour at most.
    pub max_actions_per_hour: u32,
    /// How full the workload is; null where nothing tells.
    pub saturation: Option<SaturationView>,
    /// Any of them forbids adding.
    pub unless: Vec<VetoView>,
}

/// One step up.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepView {
    /// Both windows must reach it.
    pub burn_rate: f64,
    /// Replicas added.
    pub add: u32,
    /// No write for so long after.
    pub cooldown_seconds: i64,
}

/// The saturation query.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaturationView {
    /// PromQL.
    pub query: String,
    /// Nothing is added below.
    pub scale_above: f64,
    /// One is given back only where the others stay below.
    pub shrink_below: f64,
}

/// A query that may forbid adding.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VetoView {
    /// PromQL.
    pub query: String,
    /// It forbids above.
    pub above: f64,
}

/// What a policy goes by.
pub(super) fn rule(policy: &ScalePolicy) -> RuleView {
    let step = |step: &UpStep| StepView {
        burn_rate: step.burn_rate.value(),
        add: step.add,
        cooldown_seconds: step.cooldown.secs(),
    };
    let saturation = policy.saturation.as_ref().map(|saturation| SaturationView {
        query: saturation.query.clone(),
        scale_above: saturation.scale_above.get(),
        shrink_below: saturation.shrink_below.get(),
    });
    let veto = |veto: &Veto| VetoView { query: veto.query.clone(), above: veto.above.get() };
    RuleView {
        short_seconds: policy.windows.short.secs(),
        long_seconds: policy.windows.long.secs(),
        up: policy.up.iter().map(step).collect(),
        down_burn_rate: policy.down.burn_rate.value(),
        calm_seconds: policy.down.calm.secs(),
        down_cooldown_seconds: policy.down.cooldown.secs(),
        min_bad_events: policy.min_bad_events.as_f64(),
        settle_seconds: policy.settle.secs(),
        max_actions_per_hour: policy.max_actions_per_hour,
        saturation,
        unless: policy.unless.iter().map(veto).collect(),
    }
}
