//! Alerts that are at least pending, with the numbers behind them now.

use serde::Serialize;
use utoipa::ToSchema;

use super::Look;
use crate::engine::alert::{AlertKey, AlertState, Naming, Phase, Subject, alert_labels};
use crate::engine::composite::Whole;
use crate::engine::plan::Planned;
use crate::engine::reason::Evidence;
use crate::engine::step::{Control, composite_evidence, evidence, judge_composite, judge_group};
use crate::engine::window::Book;
use crate::slo::model::{Labels, Severity};

/// One alert.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertView {
    /// What it is about.
    pub kind: AlertKind,
    /// `service/name`; null where it is about a source.
    pub slo: Option<String>,
    /// As told; while pending as they would be told.
    pub labels: Labels,
    /// As told; empty while pending.
    pub annotations: Labels,
    /// How urgent.
    pub severity: Severity,
    /// Pending or firing.
    pub state: AlertPhase,
    /// When the oldest of its rules began to hold, in seconds since the epoch.
    pub active_at: Option<i64>,
    /// When it began to fire, in seconds since the epoch; null while pending.
    pub fired_at: Option<i64>,
    /// The same in its firing and its resolve; null while pending.
    pub incident: Option<String>,
    /// The numbers now; null for alerts that are not about a burn rate.
    pub evidence: Option<Evidence>,
}

/// An alert within its SLO or group.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupAlert {
    /// What it is about.
    pub kind: AlertKind,
    /// How urgent.
    pub severity: Severity,
    /// Pending or firing.
    pub state: AlertPhase,
    /// When the oldest of its rules began to hold, in seconds since the epoch.
    pub since: Option<i64>,
    /// When it began to fire, in seconds since the epoch; null while pending.
    pub fired_at: Option<i64>,
    /// The rules that hold or held until lately.
    pub rules: Vec<String>,
}

/// What an alert is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AlertKind {
    /// The error budget burns.
    Burn,
    /// No series of the total exists.
    Absent,
    /// Nothing is known about the SLO.
    Unknown,
    /// The source does not answer.
    Blind,
    /// What a scale policy does, or cannot do.
    Scaling,
}

/// Where an alert stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AlertPhase {
    /// A rule holds, not for long enough.
    Pending,
    /// It fires.
    Firing,
}

/// One alert; `planned` is its SLO where it is still defined. `None` when it is inactive.
pub fn alert_view(
    key: &AlertKey,
    state: &AlertState,
    planned: Option<&Planned>,
    look: &Look<'_>,
) -> Option<AlertView> {
    let phase = phase_of(state)?;
    let firing = state.firing.as_ref();
    Some(AlertView {
        kind: kind_of(&key.subject),
        slo: key.subject.slo().map(str::to_owned),
        labels: firing.map_or_else(|| labels_of(key, state, planned, look.external), |f| f.labels.clone()),
        annotations: firing.map(|f| f.annotations.clone()).unwrap_or_default(),
        severity: key.severity,
        state: phase,
        active_at: state.active_at().map(|at| at.0),
        fired_at: firing.map(|f| f.at.0),
        incident: firing.map(|f| f.incident.clone()),
        evidence: planned.and_then(|planned| evidence_of(key, planned, look)),
    })
}

/// Burn alerts of one group.
pub(super) fn group_alerts(planned: &Planned, group: &Labels, control: &Control) -> Vec<GroupAlert> {
    alerts_of(planned, control, |subject| matches!(subject, Subject::Burn { group: own, .. } if own == group))
}

/// Alerts about the SLO as a whole.
pub(super) fn own_alerts(planned: &Planned, control: &Control) -> Vec<GroupAlert> {
    alerts_of(planned, control, |subject| !matches!(subject, Subject::Burn { .. }))
}

fn alerts_of(planned: &Planned, control: &Control, wanted: impl Fn(&Subject) -> bool) -> Vec<GroupAlert> {
    let alerts = control.of_slo(&planned.id).into_iter().flatten();
    alerts
        .filter(|(key, _)| wanted(&key.subject))
        .filter_map(|(key, state)| group_alert(key, state))
        .collect()
}

fn group_alert(key: &AlertKey, state: &AlertState) -> Option<GroupAlert> {
    Some(GroupAlert {
        kind: kind_of(&key.subject),
        severity: key.severity,
        state: phase_of(state)?,
        since: state.active_at().map(|at| at.0),
        fired_at: state.firing.as_ref().map(|f| f.at.0),
        rules: state.timers.keys().cloned().collect(),
    })
}

/// What was told counts: an alert that was told "firing" fires until its resolve.
fn phase_of(state: &AlertState) -> Option<AlertPhase> {
    match (state.firing.is_some(), state.phase()) {
        (true, _) | (false, Phase::Firing) => Some(AlertPhase::Firing),
        (false, Phase::Pending) => Some(AlertPhase::Pending),
        (false, Phase::Inactive) => None,
    }
}

fn kind_of(subject: &Subject) -> AlertKind {
    match subject {
        Subject::Burn { .. } => AlertKind::Burn,
        Subject::Absent { .. } => AlertKind::Absent,
        Subject::Unknown { .. } => AlertKind::Unknown,
        Subject::Blind { .. } => AlertKind::Blind,
        Subject::Scaling { .. } => AlertKind::Scaling,
    }
}

fn labels_of(key: &AlertKey, state: &AlertState, planned: Option<&Planned>, external: &Labels) -> Labels {
    let rules = planned.into_iter().flat_map(|p| p.slo.alerting.rules.iter().zip(&p.rule_names));
    let rule_labels =
        rules.filter(|(_, name)| state.timers.contains_key(*name)).map(|(rule, _)| &rule.labels).collect();
    alert_labels(&Naming { key, slo: planned.map(|p| &*p.slo), rule_labels, external })
}

fn evidence_of(key: &AlertKey, planned: &Planned, look: &Look<'_>) -> Option<Evidence> {
    let Subject::Burn { group, .. } = &key.subject else { return None };
    if let Some(whole) = Whole::read(planned, look.ledger, look.observed, look.at) {
        let judged = judge_composite(planned, &whole);
        return composite_evidence(planned, &whole, &judged, key.severity);
    }
    let book = Book::of(look.ledger, planned, group)?;
    let judged = judge_group(planned, group, &book, look.observed, look.at);
    Some(evidence(planned, group, &book, &judged.rules, key.severity, look.at))
}
