//! What is known of policies between rounds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::engine::scale::{Decision, Fleet, State};
use crate::slo::policy::Target;
use crate::slo::time::Ts;

/// What is known of all policies.
#[derive(Clone, Default, Debug)]
pub struct Scaling {
    /// By target and policy, see [`id`](super::id).
    pub policies: BTreeMap<String, Kept>,
    /// What they added lately.
    pub fleet: Fleet,
    /// Who stopped all scaling by command.
    pub stopped: Option<String>,
    /// Whether the last commit may have been written without our knowing.
    pub in_doubt: bool,
}

/// One policy.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What is remembered; durable.
    pub state: State,
    /// What it moves; durable, so that a floor can be put back after the policy is gone.
    pub target: Target,
    /// What was seen and decided last.
    pub last: Option<Last>,
    /// When its workload was seen last, by this process and the wall clock.
    pub looked: Option<Ts>,
    /// When a raised floor was last said to be still meant.
    pub renewed: Option<Instant>,
}

impl Kept {
    /// As the store has it.
    pub(super) fn of(state: State, target: Target) -> Self {
        Self { state, target, last: None, looked: None, renewed: None }
    }
}

/// What was seen and decided last.
#[derive(Clone, PartialEq, Debug)]
pub struct Last {
    /// The numbers.
    pub seen: Seen,
    /// The decision.
    pub decision: Decision,
}

/// The numbers that a decision read, for people.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// End of the newest slice judged.
    #[schema(value_type = i64)]
    pub at: Ts,
    /// How its SLOs burn.
    pub burns: Vec<SeenBurn>,
    /// The workload; null while its API does not answer.
    pub workload: Option<SeenWorkload>,
    /// How full it is; null where nothing was asked or answered.
    pub saturation: Option<f64>,
    /// What the queries that may forbid adding said, in the policy's order.
    pub vetoes: Vec<Option<f64>>,
    /// What has no answer, and why.
    pub missing: Vec<String>,
}

/// How one SLO burns.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenBurn {
    /// `service/name`.
    pub slo: String,
    /// Burn rate of the short window; null while nothing can be said.
    pub short: Option<f64>,
    /// Burn rate of the long window; null while nothing can be said.
    pub long: Option<f64>,
    /// Bad events in the long window; null while nothing can be said.
    pub bad: Option<f64>,
    /// Budget left of the period, 1 = untouched; null where not known.
    pub budget_left: Option<f64>,
    /// Whether a page of it fires.
    pub pages: bool,
}

/// A workload.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenWorkload {
    /// Replicas it is asked to have.
    pub wanted: u32,
    /// Replicas that serve.
    pub ready: u32,
    /// Where the lever stands: the count, or the floor of its owner.
    pub position: u32,
    /// The autoscaler whose floor is moved; null where the count itself is.
    pub owner: Option<String>,
    /// The autoscaler's own maximum; null where the count itself is moved.
    pub most: Option<u32>,
    /// The newest version, where known.
    pub version: Option<String>,
    /// When that began to be rolled out, in seconds since the epoch.
    #[schema(value_type = Option<i64>)]
    pub since: Option<Ts>,
    /// Who set the lever last, where the API tells.
    pub writer: Option<String>,
}
