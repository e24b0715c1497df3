//! Several steps at once: after blindness or a crash the missed slices are stepped through in
//! order, but only the net state is told.

use std::collections::{BTreeMap, BTreeSet};

use super::Control;
use super::delta::{Delta, Transition};
use crate::engine::alert::{AlertKey, Firing};
use crate::engine::notice::{Alert, Event};

/// Folds the deltas of consecutive steps, made from `before` on, into one.
///
/// An alert that began and still fires is told once; one that ended is told resolved; one that
/// opened and closed in between is history and told as missed, not as a page, and if it did so
/// several times, once for all of them; one that ended and began again goes on as the incident people know. Who was told of what still fires is told of
/// its end, and nobody is told the end of what they were not told of.
pub fn net(before: &Control, steps: Vec<Delta>) -> Delta {
    let mut changes = BTreeMap::new();
    let mut by_alert: BTreeMap<AlertKey, Vec<Transition>> = BTreeMap::new();
    for step in steps {
        changes.extend(step.changes);
        for transition in step.transitions {
            by_alert.entry(transition.key.clone()).or_default().push(transition);
        }
    }
    let mut net = Delta { changes, transitions: Vec::new() };
    for (key, transitions) in by_alert {
        fold(before, &key, transitions, &mut net);
    }
    net.transitions.sort_by_key(|transition| transition.at);
    net
}

fn fold(before: &Control, key: &AlertKey, mut transitions: Vec<Transition>, net: &mut Delta) {
    let known = before.get(key).and_then(|state| state.firing.clone());
    let fires =
        net.changes.get(key).and_then(|state| state.as_ref()).is_some_and(|state| state.firing.is_some());
    let Some(last) = transitions.pop() else { return };
    match (known, fires) {
        (Some(known), true) if known.labels == last.alert.labels => {
            go_on(known, last, net);
        }
        (Some(known), true) => {
            net.transitions.extend(end_of(&known, transitions));
            begin(last, net);
        }
        (Some(known), false) => {
            transitions.push(last);
            net.transitions.extend(end_of(&known, transitions));
        }
        (None, true) => begin(last, net),
        (None, false) => net.transitions.push(missed(&transitions, last)),
    }
}

/// The end of the incident people know. Whoever was added after it was told has not heard of it.
fn end_of(known: &Firing, transitions: Vec<Transition>) -> Option<Transition> {
    let is_end = |t: &Transition| t.event == Event::Resolved && t.incident == known.incident;
    let end = transitions.into_iter().find(is_end)?;
    Some(Transition { told: known.told.clone(), ..end })
}

/// What came and went. Of several incidents the last is told, since the first began, with how many
/// there were.
fn missed(earlier: &[Transition], mut last: Transition) -> Transition {
    let all = || earlier.iter().chain([&last]);
    let times = all().map(|one| one.incident.as_str()).collect::<BTreeSet<_>>().len();
    let since = all().map(|one| one.alert.starts_at).min();
    if let Some(since) = since.filter(|_| times > 1) {
        let until = last.alert.ends_at.unwrap_or(last.at);
        let text =
            format!("It fired {times} times between {since} and {until}; the numbers are of the last.");
        last.alert.starts_at = since;
        last.alert.annotations.insert("times".to_owned(), text);
    }
    Transition { event: Event::Missed, ..last }
}

/// An incident that nobody knows yet: all who will be told of its end, also those whom an earlier
/// step told of it.
fn begin(last: Transition, net: &mut Delta) {
    let state = net.changes.get(&last.key).and_then(Option::as_ref);
    let told = state.and_then(|state| state.firing.as_ref()).map_or_else(Vec::new, |now| now.told.clone());
    net.transitions.push(Transition { told, ..last });
}

/// The incident people know goes on; who was added meanwhile is told of it.
fn go_on(known: Firing, last: Transition, net: &mut Delta) {
    let Some(Some(state)) = net.changes.get_mut(&last.key) else { return };
    let Some(now) = state.firing.take() else { return };
    let added: Vec<_> = now.told.iter().filter(|name| !known.told.contains(name)).cloned().collect();
    let told = known.told.iter().chain(&added).cloned().collect();
    let incident = known.incident.clone();
    let alert = Alert { starts_at: known.at, ..last.alert };
    state.firing = Some(Firing { told, rules: now.rules, ..known });
    if !added.is_empty() && last.event == Event::Firing {
        net.transitions.push(Transition { incident, told: added, alert, ..last });
    }
}
