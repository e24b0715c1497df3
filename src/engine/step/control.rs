//! The present state of every alert that is at least pending.

use std::collections::{BTreeMap, HashMap};

use super::delta::Delta;
use crate::engine::alert::{AlertKey, AlertState, Subject};

/// The alerts of one SLO.
pub(super) type Alerts = BTreeMap<AlertKey, AlertState>;

/// Alerts that are at least pending, by SLO; a healthy SLO has none and costs nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Control {
    slos: HashMap<String, BTreeMap<AlertKey, AlertState>>,
    sources: BTreeMap<AlertKey, AlertState>,
}

impl Control {
    /// Takes over what was committed.
    pub fn apply(&mut self, delta: &Delta) {
        for (key, state) in &delta.changes {
            match state {
                Some(state) => self.put(key.clone(), state.clone()),
                None => self.remove(key),
            }
        }
    }

    /// Puts one alert, as the store kept it.
    pub fn put(&mut self, key: AlertKey, state: AlertState) {
        match key.subject.slo() {
            Some(slo) => self.slos.entry(slo.to_owned()).or_default().insert(key, state),
            None => self.sources.insert(key, state),
        };
    }

    /// The alerts of an SLO; `None` when it has none.
    pub fn of_slo(&self, slo: &str) -> Option<&BTreeMap<AlertKey, AlertState>> {
        self.slos.get(slo)
    }

    /// One alert.
    pub fn get(&self, key: &AlertKey) -> Option<&AlertState> {
        match key.subject.slo() {
            Some(slo) => self.slos.get(slo)?.get(key),
            None => self.sources.get(key),
        }
    }

    /// Takes over the alerts about scaling as another one has them.
    pub fn take_scaling(&mut self, other: &Self) {
        let is_scaling = |key: &AlertKey| matches!(key.subject, Subject::Scaling { .. });
        self.sources.retain(|key, _| !is_scaling(key));
        let theirs = other.sources.iter().filter(|(key, _)| is_scaling(key));
        self.sources.extend(theirs.map(|(key, state)| (key.clone(), state.clone())));
    }

    /// All alerts.
    pub fn iter(&self) -> impl Iterator<Item = (&AlertKey, &AlertState)> {
        self.slos.values().flatten().chain(&self.sources)
    }

    /// Alerts about sources.
    pub fn of_sources(&self) -> impl Iterator<Item = (&AlertKey, &AlertState)> {
        self.sources.iter()
    }

    /// Whether an SLO has an alert that fires.
    pub fn is_firing(&self, slo: &str) -> bool {
        self.slos.get(slo).is_some_and(|alerts| {
            alerts.iter().any(|(k, s)| s.firing.is_some() && matches!(k.subject, Subject::Burn { .. }))
        })
    }

    fn remove(&mut self, key: &AlertKey) {
        let Some(slo) = key.subject.slo() else {
            self.sources.remove(key);
            return;
        };
        if let Some(alerts) = self.slos.get_mut(slo) {
            alerts.remove(key);
            if alerts.is_empty() {
                self.slos.remove(slo);
            }
        }
    }
}
