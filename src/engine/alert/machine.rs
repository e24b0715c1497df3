//! One alert and the timers of its rules. The alert fires while any of its rules does.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::timer::{Moment, RuleInput, Timer};
use crate::engine::recipient::Recipient;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};

/// An alert that is at least pending; kept in the store.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertState {
    /// Timers by rule name; a rule without one is inactive.
    pub timers: BTreeMap<String, Timer>,
    /// Present while it fires.
    pub firing: Option<Firing>,
    /// The moment it was last moved to.
    #[serde(default)]
    pub at: Option<Ts>,
    /// Of a composite that fires: how many targets of each part, by its SLO, were up then, where known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, u64>,
    /// Likewise the parts that never had a series, then or since: they are idle, and hold nothing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unborn: BTreeSet<String>,
}

/// What is remembered of a firing alert, so that its resolve reaches who was told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Firing {
    /// Id of the incident.
    pub incident: String,
    /// When it began to fire.
    pub at: Ts,
    /// The labels it was told with.
    pub labels: Labels,
    /// The annotations it was told with.
    pub annotations: Labels,
    /// Who is told.
    pub told: Vec<Recipient>,
    /// How many targets were up then, where known.
    pub targets: Option<u64>,
    /// The rules that held then; their labels stay with the incident.
    pub rules: Vec<String>,
}

/// Where an alert stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// No rule holds.
    Inactive,
    /// A rule holds, not for long enough.
    Pending,
    /// A rule fires.
    Firing,
}

impl AlertState {
    /// Moves every rule's timer to `at`; each verdict speaks for the `step` before it, and what lies
    /// between the moment before and that was not looked at.
    ///
    /// A rule that is not given any more was edited or removed. If it fired, the rules that are
    /// given take over: the alert goes on until they say that it does not.
    pub fn advance(&mut self, rules: &[RuleInput<'_>], at: Ts, step: Span) -> Phase {
        let passed = self.at.map_or(step, |last| at.since(last));
        let seen = passed.min(step);
        let unseen = Span::from_secs_saturating(passed.secs() - seen.secs());
        let moment = Moment { at, seen, unseen };
        self.at = Some(at);
        let is_given = |name: &str| rules.iter().any(|rule| rule.name == name);
        let edited = self.timers.iter().filter(|(name, timer)| timer.firing && !is_given(name));
        let taken_over = edited.map(|(_, timer)| *timer).reduce(Timer::joined);
        self.timers.retain(|name, _| is_given(name));
        for rule in rules {
            let own = self.timers.get(rule.name).copied();
            let timer = own.filter(|timer| timer.firing).or(taken_over).or(own);
            match Timer::advance(timer, rule, moment) {
                Some(timer) => self.timers.insert(rule.name.to_owned(), timer),
                None => self.timers.remove(rule.name),
            };
        }
        self.phase()
    }

    /// Where it stands by its timers.
    pub fn phase(&self) -> Phase {
        if self.timers.values().any(|timer| timer.firing) {
            Phase::Firing
        } else if self.timers.is_empty() {
            Phase::Inactive
        } else {
            Phase::Pending
        }
    }

    /// When the oldest of its timers began.
    pub fn active_at(&self) -> Option<Ts> {
        self.timers.values().map(|timer| timer.since).min()
    }
}
