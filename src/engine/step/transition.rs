//! From timers to transitions: begins, ends, and takes new labels.

use super::Inputs;
use super::delta::{Delta, Transition};
use crate::engine::alert::{AlertKey, AlertState, Firing, Naming, Phase, RuleInput, alert_labels};
use crate::engine::notice::{Alert, Event};
use crate::engine::reason::Evidence;
use crate::engine::recipient::Recipient;
use crate::slo::model::{AlertMode, Labels, Slo};
use crate::slo::time::Ts;

/// One alert to move, and what its messages are made from.
pub(super) struct Subjected<'a, E: Fn() -> Telling> {
    pub key: AlertKey,
    pub slo: Option<&'a Slo>,
    pub rules: &'a [RuleInput<'a>],
    /// How many targets are up, where known.
    pub targets: Option<u64>,
    /// Asked only when somebody is told.
    pub tell: E,
}

/// What an alert says.
pub(super) struct Telling {
    pub annotations: Labels,
    pub evidence: Option<Evidence>,
}

/// Moves one alert and records what changed.
pub(super) fn advance<E: Fn() -> Telling>(
    subjected: &Subjected<'_, E>,
    before: Option<&AlertState>,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) {
    if before.is_none()
        && !subjected.rules.iter().any(|r| r.begins == crate::engine::condition::Verdict::Holds)
    {
        return;
    }
    let mut state = before.cloned().unwrap_or_default();
    let phase = state.advance(subjected.rules, inputs.at, inputs.step);
    match (phase, state.firing.take()) {
        (Phase::Firing, None) => state.firing = Some(fire(subjected, &state, inputs, delta)),
        (Phase::Firing, Some(firing)) => {
            state.firing = Some(go_on(subjected, firing, &state, inputs, delta));
        }
        (_, Some(firing)) => resolve(&subjected.key, &firing, (subjected.tell)(), inputs.at, delta),
        (_, None) => {}
    }
    let after = (phase != Phase::Inactive).then_some(state);
    if after.as_ref() != before {
        delta.changes.insert(subjected.key.clone(), after);
    }
}

/// Ends an alert: everybody who was told "firing" is told "resolved".
pub(super) fn resolve(key: &AlertKey, firing: &Firing, telling: Telling, at: Ts, delta: &mut Delta) {
    let mut annotations = firing.annotations.clone();
    annotations.extend(telling.annotations);
    // A clock that went back must not end an alert before it began.
    let at = at.max(firing.at);
    delta.transitions.push(Transition {
        key: key.clone(),
        event: Event::Resolved,
        at,
        incident: firing.incident.clone(),
        told: firing.told.clone(),
        alert: Alert {
            labels: firing.labels.clone(),
            annotations,
            severity: key.severity,
            starts_at: firing.at,
            ends_at: Some(at),
            evidence: telling.evidence,
        },
    });
}

fn fire<E: Fn() -> Telling>(
    subjected: &Subjected<'_, E>,
    state: &AlertState,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) -> Firing {
    let rules = firing_rules(state);
    let labels = labels_for(subjected, &rules, inputs);
    let mut firing = Firing {
        incident: subjected.key.incident(&labels, inputs.at),
        at: inputs.at,
        labels,
        annotations: Labels::new(),
        told: recipients_of(subjected, inputs),
        targets: subjected.targets,
        rules,
    };
    announce(subjected, &mut firing, None, inputs, delta);
    firing
}

/// An edited label sends the resolve of the old label set and the firing of the new one together; of the
/// new one only who is told in the mode that holds now, so that shadow mode begins no page.
/// Who is to be told only now, because a route was added or shadow mode ended, is told of the same
/// incident.
fn go_on<E: Fn() -> Telling>(
    subjected: &Subjected<'_, E>,
    mut firing: Firing,
    state: &AlertState,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) -> Firing {
    // One that began at a moment that was missed: how many were up then was not read.
    firing.targets = firing.targets.or(subjected.targets);
    let is_given = |name: &String| subjected.rules.iter().any(|rule| rule.name == name);
    if !firing.rules.iter().all(is_given) {
        firing.rules = firing_rules(state);
    }
    let mut missing = recipients_of(subjected, inputs);
    missing.retain(|one| !firing.told.contains(one));
    let labels = labels_for(subjected, &firing.rules, inputs);
    if labels == firing.labels {
        if !missing.is_empty() {
            firing.told.extend(missing.iter().cloned());
            announce(subjected, &mut firing, Some(missing), inputs, delta);
        }
        return firing;
    }
    resolve(&subjected.key, &firing, (subjected.tell)(), inputs.at, delta);
    let is_live = !is_shadow(subjected, inputs);
    firing.told.retain(|one| one.is_live() == is_live);
    firing.told.extend(missing);
    firing.incident = subjected.key.incident(&labels, inputs.at);
    firing.labels = labels;
    announce(subjected, &mut firing, None, inputs, delta);
    firing
}

fn firing_rules(state: &AlertState) -> Vec<String> {
    state.timers.iter().filter(|(_, timer)| timer.firing).map(|(name, _)| name.clone()).collect()
}

fn recipients_of<E: Fn() -> Telling>(subjected: &Subjected<'_, E>, inputs: &Inputs<'_>) -> Vec<Recipient> {
    if is_shadow(subjected, inputs) {
        inputs.shadow.receiver.map(|name| Recipient::Shadow { shadow: name.to_owned() }).into_iter().collect()
    } else {
        inputs.receivers.iter().cloned().map(Recipient::Live).collect()
    }
}

fn is_shadow<E: Fn() -> Telling>(subjected: &Subjected<'_, E>, inputs: &Inputs<'_>) -> bool {
    inputs.shadow.all || subjected.slo.is_some_and(|slo| slo.alerting.mode == AlertMode::Shadow)
}

/// Tells that it fires: `only` some of its receivers, or all.
fn announce<E: Fn() -> Telling>(
    subjected: &Subjected<'_, E>,
    firing: &mut Firing,
    only: Option<Vec<Recipient>>,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) {
    let telling = (subjected.tell)();
    firing.annotations.clone_from(&telling.annotations);
    delta.transitions.push(Transition {
        key: subjected.key.clone(),
        event: Event::Firing,
        at: inputs.at,
        incident: firing.incident.clone(),
        told: only.unwrap_or_else(|| firing.told.clone()),
        alert: Alert {
            labels: firing.labels.clone(),
            annotations: telling.annotations,
            severity: subjected.key.severity,
            starts_at: firing.at,
            ends_at: None,
            evidence: telling.evidence,
        },
    });
}

fn labels_for<E: Fn() -> Telling>(
    subjected: &Subjected<'_, E>,
    rules: &[String],
    inputs: &Inputs<'_>,
) -> Labels {
    let rule_labels = subjected
        .slo
        .into_iter()
        .flat_map(|slo| &slo.alerting.rules)
        .filter(|rule| rule.severity == subjected.key.severity && !rule.labels.is_empty())
        .filter(|rule| rules.contains(&rule.name()))
        .map(|rule| &rule.labels)
        .collect();
    alert_labels(&Naming { key: &subjected.key, slo: subjected.slo, rule_labels, external: inputs.external })
}
