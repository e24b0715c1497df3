//! The numbers behind every decision, in the form people, the API and notifications read.
//!
//! Every float here came from checked quantities and is finite; what is not known is `None`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::slo::model::{Labels, Severity};
use crate::slo::time::{Span, Ts};

/// Why an alert is as it is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Evaluation time: the end of the newest slice judged.
    #[schema(value_type = i64)]
    pub at: Ts,
    /// `service/name`.
    pub slo: String,
    /// The group's labels; empty for an ungrouped SLO.
    pub group: Labels,
    /// Objective in percent, as text: `99.9`.
    pub objective: String,
    /// The rules of this alert, fastest first, with what they saw.
    pub rules: Vec<RuleEvidence>,
    /// Error budget left over the period, 1 = untouched, negative = overspent; `None` while unknown.
    pub budget_remaining: Option<f64>,
    /// At the burn of the last hour, how long until the budget is gone; `None` when it is not burning or already gone.
    #[schema(value_type = Option<i64>)]
    pub exhausts_in: Option<Span>,
    /// The PromQL behind bad events, to look at by hand.
    pub bad_query: String,
    /// The PromQL behind all events.
    pub total_query: String,
    /// The ratio is time-weighted: there are no event counts behind it.
    pub time_weighted: bool,
    /// What a composite is made of, and which part burns; there are no event counts behind its windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composite: Option<CompositeEvidence>,
}

/// Which part of a composite burns.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompositeEvidence {
    /// How error ratios become one: `worst` or `weighted`.
    #[serde(rename = "as")]
    pub how: String,
    /// The window that this is about: the long one of the first rule that holds.
    #[schema(value_type = i64)]
    pub window: Span,
    /// Its parts, first the one whose errors count most.
    pub of: Vec<PartEvidence>,
}

/// What one part of a composite does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartEvidence {
    /// `service/name`.
    pub slo: String,
    /// The one group that counts; empty where all of its groups do.
    pub group: Labels,
    /// Its share of all weights, 0 to 1; 1 for each part of `worst`.
    pub weight: f64,
    /// Its error ratio over the budget of the composite; `None` while unknown.
    pub burn: Option<f64>,
    /// The share of the composite's error ratio that is its, 0 to 1; `None` while unknown, and for `worst`.
    pub share: Option<f64>,
    /// Why nothing is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// What one rule saw.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleEvidence {
    /// The rule's name: `page 14.4 over 1h and 5m`.
    pub rule: String,
    /// Its severity.
    pub severity: Severity,
    /// The burn rate it needs.
    pub threshold: f64,
    /// Whether it holds.
    pub holds: bool,
    /// The long window.
    pub long: WindowEvidence,
    /// The short window, where the rule has one.
    pub short: Option<WindowEvidence>,
}

/// What one window held.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowEvidence {
    /// The nominal length.
    #[schema(value_type = i64)]
    pub window: Span,
    /// The real old edge, rounded outward to a slice boundary that is still kept.
    #[schema(value_type = i64)]
    pub from: Ts,
    /// The real new edge.
    #[schema(value_type = i64)]
    pub to: Ts,
    /// Bad events.
    pub bad: f64,
    /// All events.
    pub total: f64,
    /// Error ratio over budget; `None` without events or without data.
    pub burn: Option<f64>,
    /// Share of the window's slices that are known, 0 to 1; without what was taken out.
    pub coverage: f64,
    /// Seconds of the window that somebody took out by hand: nothing in them counts.
    #[serde(default, skip_serializing_if = "is_none_taken")]
    pub excluded: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_none_taken(seconds: &i64) -> bool {
    *seconds == 0
}
