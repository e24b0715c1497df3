//! What a step decided.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::control::Control;
use crate::engine::alert::{AlertKey, AlertState};
use crate::engine::notice::{Alert, Event, Notice};
use crate::engine::recipient::Recipient;
use crate::slo::time::Ts;

/// What a step decided: new alert states and the transitions that people are owed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Delta {
    /// Alerts that changed; `None` for those that are inactive now.
    pub changes: BTreeMap<AlertKey, Option<AlertState>>,
    /// What happened, in order.
    pub transitions: Vec<Transition>,
}

/// An alert that began or stopped firing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// Which alert.
    pub key: AlertKey,
    /// What happened.
    pub event: Event,
    /// When.
    pub at: Ts,
    /// Id of the incident.
    pub incident: String,
    /// Who is told; in shadow mode nobody, or who is shown what others would be told.
    pub told: Vec<Recipient>,
    /// The alert as it was then.
    pub alert: Alert,
}

impl Transition {
    /// One notice per receiver, each under an id that any repetition of the decision gives again.
    pub fn notices(&self) -> impl Iterator<Item = Notice> {
        let told = |to: &Recipient| to.notice(&self.incident, self.event, self.at, &self.alert);
        self.told.iter().map(told)
    }
}

impl Delta {
    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.transitions.is_empty()
    }

    /// Only the alerts that begin to fire.
    #[must_use]
    pub fn beginning(mut self, control: &Control) -> Self {
        let fires = |key: &AlertKey| control.get(key).is_some_and(|state| state.firing.is_some());
        self.transitions.retain(|transition| transition.event == Event::Firing && !fires(&transition.key));
        let begin: BTreeSet<&AlertKey> = self.transitions.iter().map(|transition| &transition.key).collect();
        self.changes.retain(|key, _| begin.contains(key));
        self
    }

    /// Adds what another step decided after this one.
    pub fn extend(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.transitions.extend(other.transitions);
    }
}
