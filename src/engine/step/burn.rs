//! One SLO at one moment: what becomes of its alerts.

use super::Inputs;
use super::control::{Alerts, Control};
use super::delta::Delta;
use super::evidence::{NO_LABELS, evidence, groups};
use super::judge::{JudgedGroup, JudgedRule, judge_group, targets_of};
use super::observed::Observed;
use super::transition::{Subjected, Telling, advance};
use crate::engine::alert::{AlertKey, RuleInput, Subject};
use crate::engine::condition::Verdict;
use crate::engine::ledger::Ledger;
use crate::engine::plan::Planned;
use crate::engine::status::Standing;
use crate::engine::window::Book;
use crate::engine::words;
use crate::slo::model::{Labels, Severity};
use crate::slo::time::Ts;

/// Moves the burn alerts of one SLO; gives back how its groups stand, `None` when a series of it
/// is not of this ledger.
pub(super) fn step_slo(
    planned: &Planned,
    ledger: &Ledger,
    control: &Control,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) -> Option<Vec<Standing>> {
    let mut standings = Vec::new();
    let alerts = control.of_slo(&planned.id);
    let groups = groups(planned, ledger);
    for group in &groups {
        let book = Book::open(ledger, &planned.bad, &planned.total, group)?;
        let judged = judge_group(planned, group, &book, inputs.observed, inputs.at);
        step_group(planned, group, &book, &judged, alerts, inputs, delta);
        standings.push(judged.standing);
    }
    if groups.is_empty()
        && let Some(book) = Book::open(ledger, &planned.bad, &planned.total, &NO_LABELS)
    {
        let targets = targets_of(planned, inputs.observed, inputs.at);
        standings.push(Standing::of(&book, targets, planned.slo.absent.means, inputs.at));
    }
    step_gone(planned, &groups, &standings, alerts, inputs, delta);
    Some(standings)
}

fn step_group(
    planned: &Planned,
    group: &Labels,
    book: &Book<'_>,
    judged: &JudgedGroup,
    alerts: Option<&Alerts>,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) {
    for severity in [Severity::Page, Severity::Ticket] {
        let own = |rule: &JudgedRule| rule.begins() == Verdict::Holds;
        let any = planned
            .slo
            .alerting
            .rules
            .iter()
            .zip(&judged.rules)
            .any(|(r, j)| r.severity == severity && own(j));
        if !any && alerts.is_none() {
            continue;
        }
        let subject = Subject::Burn { slo: planned.id.clone(), group: group.clone() };
        let key = AlertKey { subject, severity };
        let before = alerts.and_then(|alerts| alerts.get(&key));
        let targets = targets_of(planned, inputs.observed, inputs.at);
        let targets_at_fire = before.and_then(|s| s.firing.as_ref()).and_then(|f| f.targets);
        let hold = half_of_targets_gone(planned, inputs.observed, targets_at_fire, inputs.at);
        let rules = rule_inputs(planned, judged, severity, hold);
        let tell = || {
            let evidence = evidence(planned, group, book, &judged.rules, severity, inputs.at);
            let mut annotations = planned.slo.annotations.clone();
            annotations.insert("summary".to_owned(), words::summary(&evidence, severity));
            annotations.insert("description".to_owned(), words::description(&evidence));
            annotations.extend(planned.slo.alerting.options(severity).annotations.clone());
            Telling { annotations, evidence: Some(evidence) }
        };
        let slo = Some(&*planned.slo);
        let subjected = Subjected { key, slo, rules: &rules, targets: targets.map(|t| t.up), tell };
        advance(&subjected, before, inputs, delta);
    }
}

/// Alerts of groups that the ledger has forgotten end once the SLO itself is known.
fn step_gone(
    planned: &Planned,
    groups: &[&Labels],
    standings: &[Standing],
    alerts: Option<&Alerts>,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) {
    let known = standings.iter().any(|s| s.is_known(planned.slo.absent.means));
    for (key, state) in alerts.into_iter().flatten() {
        let Subject::Burn { group, .. } = &key.subject else { continue };
        if groups.contains(&group) || !known {
            continue;
        }
        if let Some(firing) = &state.firing {
            let gone = "The group has no series any more.".to_owned();
            let annotations = Labels::from([("resolvedBecause".to_owned(), gone)]);
            let telling = Telling { annotations, evidence: None };
            super::transition::resolve(key, firing, telling, inputs.at, delta);
        }
        delta.changes.insert(key.clone(), None);
    }
}

fn rule_inputs<'a>(
    planned: &'a Planned,
    judged: &JudgedGroup,
    severity: Severity,
    hold: bool,
) -> Vec<RuleInput<'a>> {
    planned
        .slo
        .alerting
        .rules
        .iter()
        .zip(&planned.rule_names)
        .zip(&judged.rules)
        .filter(|((rule, _), _)| rule.severity == severity)
        .map(|((rule, name), judged)| RuleInput {
            name,
            hold_for: rule.hold_for,
            keep_firing_for: rule.keep_firing_for,
            begins: judged.begins(),
            goes_on: if hold && judged.goes_on() == Verdict::Clear {
                Verdict::Unknown
            } else {
                judged.goes_on()
            },
        })
        .collect()
}

/// Nothing is resolved with fewer than half of the targets that were up when the alert fired.
fn half_of_targets_gone(planned: &Planned, observed: &Observed, at_fire: Option<u64>, at: Ts) -> bool {
    match (planned.alive, at_fire) {
        (None, _) | (_, None | Some(0)) => false,
        (Some(ix), Some(fired)) => observed.alive.get(&ix).is_none_or(|targets| targets.half_gone(fired, at)),
    }
}
