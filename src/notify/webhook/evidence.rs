//! Evidence on the wire: times as RFC 3339, durations as Prometheus writes them.
//! Fields are only ever added.

use serde::Serialize;

use crate::engine::reason::{Evidence, RuleEvidence, WindowEvidence};
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
