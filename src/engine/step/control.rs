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

    /// The alerts of these SLOs, and of nothing else.
    pub fn only<'a>(&self, slos: impl Iterator<Item = &'a str>) -> Self {
        let own = slos.filter_map(|slo| self.slos.get_key_value(slo));
        Self { slos: own.map(|(slo, alerts)| (slo.clone(), alerts.clone())).collect(), ..Self::default() }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::slo::model::Severity;

    #[test]
    fn the_alerts_of_some_slos_are_all_of_theirs_and_nobody_else_s() {
        let key = |subject| AlertKey { subject, severity: Severity::Page };
        let of = |slo: &str| {
            let slo = slo.to_owned();
            [key(Subject::Absent { slo: slo.clone() }), key(Subject::Unknown { slo })]
        };
        let mut control = Control::default();
        let all = ["shop/a", "shop/b", "shop/c"].map(of).concat();
        all.into_iter().for_each(|key| control.put(key, AlertState::default()));
        control.put(key(Subject::Blind { source: "local".into() }), AlertState::default());
        let some = control.only(["shop/a", "shop/c", "shop/none"].into_iter());
        let keys: BTreeSet<&AlertKey> = some.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [of("shop/a"), of("shop/c")].concat().iter().collect());
        assert_eq!(some.of_slo("shop/a"), control.of_slo("shop/a"));
    }
}
