//! Alerts while the store takes nothing: what people are told at once, what waits, and what is to be
//! written once it can be. Pure.
//!
//! People are told of pages that begin, and of nothing else. What was told counts as told: an alert
//! that ends and fires again meanwhile goes on as the incident people know, as it does after blindness
//! ([`net`]), and its end is owed to them once the store is back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::engine::alert::{AlertKey, AlertState};
use crate::engine::notice::Event;
use crate::engine::step::{Control, Delta, Transition, net};
use crate::slo::model::Severity;
use crate::slo::time::Ts;

/// Transitions that wait at most; beyond it, what came and went unseen is not told afterwards.
const MOST_HELD: usize = 50_000;

/// A page that began to fire and was told from memory.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// What its receivers are told.
    pub transition: Transition,
    /// The alert since then.
    pub state: AlertState,
    /// When it was decided, in milliseconds since the epoch.
    pub at: i64,
}

/// What is decided and not written.
#[derive(Clone, Default, Debug)]
pub(super) struct Memory {
    /// Alerts as people know them: as the store has them, and what they were told since.
    known: Control,
    /// Alerts that are not as the store has them.
    touched: BTreeSet<AlertKey>,
    told: Vec<Told>,
    /// What waits for the store, by incident: ends, tickets, what came and went.
    held: BTreeMap<String, Vec<Transition>>,
}

impl Memory {
    /// Begins with the alerts as they were last known to be stored.
    pub(super) fn of(stored: Control) -> Self {
        Self { known: stored, ..Self::default() }
    }

    /// Takes up a decision whose commit had no answer. It may have been written, and whoever is told
    /// of an end by the store takes it to be over: what fires again then is another incident. Written
    /// once more under the same ids it changes nothing.
    pub(super) fn doubt(&mut self, delta: &Delta, now: i64) -> Vec<Told> {
        self.known.apply(delta);
        self.note(delta, now)
    }

    /// Takes a decision: gives back how it moves the alerts, and whom to tell now.
    pub(super) fn decide(&mut self, delta: Delta, now: i64) -> (Delta, Vec<Told>) {
        let delta = net(&self.known, vec![delta]);
        for state in delta.changes.values().flatten() {
            let Some(firing) = &state.firing else { continue };
            // What people know goes on, or began again: it has not ended.
            self.drop_held(&firing.incident, Event::Resolved);
        }
        let told = self.note(&delta, now);
        for one in &told {
            self.known.put(one.transition.key.clone(), one.state.clone());
        }
        (delta, told)
    }

    /// Takes up a page that another process told. `stored` is how the store has the alert.
    pub(super) fn resume(&mut self, told: Told, stored: Option<&AlertState>, now: Ts) {
        let firing = stored.and_then(|state| state.firing.as_ref());
        if firing.is_some_and(|firing| firing.incident != told.transition.incident) {
            // The store has an incident of its own, which goes on; this one is over.
            self.hold(&ended_by_another(&told.transition, now));
        } else {
            let is_before = |one: &&Told| one.transition.key == told.transition.key;
            let before =
                self.told.iter().rfind(is_before).filter(|_| self.touched.contains(&told.transition.key));
            if let Some(end) = before.map(|before| ended_by_another(&before.transition, now)) {
                self.hold(&end);
            }
            self.known.put(told.transition.key.clone(), told.state.clone());
            self.touched.insert(told.transition.key.clone());
        }
        self.told.push(told);
    }

    /// Alerts as people know them.
    pub(super) fn known(&self) -> &Control {
        &self.known
    }

    /// How an alert stands that is not as the store has it.
    pub(super) fn moved(&self, key: &AlertKey) -> Option<AlertState> {
        self.known.get(key).filter(|_| self.touched.contains(key)).cloned()
    }

    /// Pages that were told, in order.
    pub(super) fn told(&self) -> &[Told] {
        &self.told
    }

    /// Whether the beginning of an incident was told.
    pub(super) fn has_told(&self, incident: &str) -> bool {
        self.told.iter().any(|told| told.transition.incident == incident)
    }

    /// Whether people know an incident that nobody told the end of.
    pub(super) fn knows(&self, incident: &str) -> bool {
        let mut firing = self.known.iter().filter_map(|(_, state)| state.firing.as_ref());
        firing.any(|firing| firing.incident == incident)
    }

    /// Whether the end of an incident waits to be told.
    pub(super) fn is_over(&self, incident: &str) -> bool {
        let held = self.held.get(incident).into_iter().flatten();
        held.into_iter().any(|transition| transition.event == Event::Resolved)
    }

    /// What the store is owed besides the pages: every alert that moved, as it is `now`, and what
    /// waited, in the order in which it happened.
    pub(super) fn owed(&self, now: &Control) -> Delta {
        let changes = self.touched.iter().map(|key| (key.clone(), now.get(key).cloned())).collect();
        let mut transitions: Vec<Transition> = self.held.values().flatten().cloned().collect();
        transitions.sort_by_key(|transition| transition.at);
        Delta { changes, transitions }
    }

    fn note(&mut self, delta: &Delta, now: i64) -> Vec<Told> {
        self.touched.extend(delta.changes.keys().cloned());
        let mut told = Vec::new();
        for transition in &delta.transitions {
            let state = delta.changes.get(&transition.key).and_then(Option::as_ref);
            match (transition.event, transition.key.severity, state) {
                (Event::Firing, Severity::Page, Some(state)) => {
                    let (transition, state) = (transition.clone(), state.clone());
                    told.push(Told { transition, state, at: now });
                }
                _ => self.hold(transition),
            }
        }
        self.told.extend(told.iter().cloned());
        told
    }

    fn hold(&mut self, transition: &Transition) {
        if transition.event == Event::Missed {
            // It began while nobody could be told of it: that it came and went says both.
            self.drop_held(&transition.incident, Event::Firing);
            if self.held.len() >= MOST_HELD {
                return;
            }
        }
        self.held.entry(transition.incident.clone()).or_default().push(transition.clone());
    }

    fn drop_held(&mut self, incident: &str, event: Event) {
        if let Some(held) = self.held.get_mut(incident) {
            held.retain(|transition| transition.event != event);
            if held.is_empty() {
                self.held.remove(incident);
            }
        }
    }
}

/// The end of an incident whose alert goes on as another one.
fn ended_by_another(begun: &Transition, now: Ts) -> Transition {
    let mut end = Transition { event: Event::Resolved, at: now.max(begun.at), ..begun.clone() };
    end.alert.ends_at = Some(end.at);
    let why = "The alert goes on as another incident.";
    end.alert.annotations.insert("resolvedBecause".to_owned(), why.to_owned());
    end
}

#[cfg(test)]
mod tests;
