//! What receivers are told: one notice per transition, incident and receiver, committed with the
//! transition that caused it and delivered at least once under one key.

use serde::{Deserialize, Serialize};

use super::reason::Evidence;
use crate::slo::model::{Labels, Severity};
use crate::slo::time::Ts;

/// One thing one receiver is owed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Idempotency key: the same for every attempt, different for every transition and receiver.
    pub id: String,
    /// The same for the firing and the resolve of one alert.
    pub incident: String,
    /// The receiver's name in the settings.
    pub receiver: String,
    /// What happened.
    pub event: Event,
    /// When it happened: evaluation time of the transition.
    pub at: Ts,
    /// The alert as it was then.
    pub alert: Alert,
    /// Shadow mode: it is shown to somebody, and nobody is told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

impl Notice {
    /// The id of what a receiver is owed: any repetition of the decision gives it again.
    pub fn id_of(incident: &str, event: Event, receiver: &str) -> String {
        format!("{incident}-{}-{receiver}", event.as_str())
    }
}

/// What happened to the alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// It began to fire.
    Firing,
    /// It stopped firing.
    Resolved,
    /// It opened and closed while nobody could be told; for information.
    Missed,
}

impl Event {
    /// `firing`, `resolved` or `missed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Missed => "missed",
        }
    }
}

/// An alert as a receiver sees it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// `alertname, service, slo, severity`, then metadata, external and group labels.
    pub labels: Labels,
    /// `summary`, `description` and what the definition adds.
    pub annotations: Labels,
    /// Page or ticket, whatever the `severity` label says.
    pub severity: Severity,
    /// When it began to fire.
    pub starts_at: Ts,
    /// When it stopped; `None` while firing.
    pub ends_at: Option<Ts>,
    /// The numbers; `None` for alerts that are not about a burn rate (`SourceBlind`).
    pub evidence: Option<Evidence>,
}
