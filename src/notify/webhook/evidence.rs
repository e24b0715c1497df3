//! Evidence on the wire: times as RFC 3339, durations as Prometheus writes them.
//! Fields are only ever added.

use serde::Serialize;

use crate::engine::reason::{CompositeEvidence, Evidence, PartEvidence, RuleEvidence, WindowEvidence};
use crate::slo::model::Labels;

/// [`Evidence`] for other systems.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct EvidenceJson<'a> {
    at: String,
    slo: &'a str,
    group: &'a Labels,
    objective: &'a str,
    rules: Vec<RuleJson<'a>>,
    budget_remaining: Option<f64>,
    exhausts_in: Option<String>,
    bad_query: &'a str,
    total_query: &'a str,
    time_weighted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    composite: Option<CompositeJson<'a>>,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct RuleJson<'a> {
    rule: &'a str,
    severity: &'static str,
    threshold: f64,
    holds: bool,
    long: WindowJson,
    short: Option<WindowJson>,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct WindowJson {
    window: String,
    from: String,
    to: String,
    bad: f64,
    total: f64,
    burn: Option<f64>,
    coverage: f64,
}

/// Its parts, first the one whose errors count most.
#[derive(Serialize, Debug)]
struct CompositeJson<'a> {
    r#as: &'a str,
    window: String,
    of: &'a [PartEvidence],
}

impl<'a> From<&'a CompositeEvidence> for CompositeJson<'a> {
    fn from(composite: &'a CompositeEvidence) -> Self {
        Self { r#as: &composite.how, window: composite.window.to_string(), of: &composite.of }
    }
}

impl<'a> From<&'a Evidence> for EvidenceJson<'a> {
    fn from(evidence: &'a Evidence) -> Self {
        Self {
            at: evidence.at.to_string(),
            slo: &evidence.slo,
            group: &evidence.group,
            objective: &evidence.objective,
            rules: evidence.rules.iter().map(RuleJson::from).collect(),
            budget_remaining: evidence.budget_remaining,
            exhausts_in: evidence.exhausts_in.map(|span| span.to_string()),
            bad_query: &evidence.bad_query,
            total_query: &evidence.total_query,
            time_weighted: evidence.time_weighted,
            composite: evidence.composite.as_ref().map(CompositeJson::from),
        }
    }
}

impl<'a> From<&'a RuleEvidence> for RuleJson<'a> {
    fn from(rule: &'a RuleEvidence) -> Self {
        Self {
            rule: &rule.rule,
            severity: rule.severity.as_str(),
            threshold: rule.threshold,
            holds: rule.holds,
            long: WindowJson::from(&rule.long),
            short: rule.short.as_ref().map(WindowJson::from),
        }
    }
}

impl From<&WindowEvidence> for WindowJson {
    fn from(seen: &WindowEvidence) -> Self {
        Self {
            window: seen.window.to_string(),
            from: seen.from.to_string(),
            to: seen.to.to_string(),
            bad: seen.bad,
            total: seen.total,
            burn: seen.burn,
            coverage: seen.coverage,
        }
    }
}
