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
use crate::engine::window::{Book, Slice, Windows};
use crate::engine::words;
use crate::slo::model::{AbsentMeans, Labels, Severity};
use crate::slo::time::{Span, Ts};

/// How the groups of an SLO stand.
pub(super) struct Seen {
    pub standings: Vec<Standing>,
    /// Whether so much of a group was withheld without proof that rules of it cannot be judged.
    pub withheld: Verdict,
}

impl Seen {
    pub(super) fn of(standings: Vec<Standing>) -> Self {
        Self { standings, withheld: Verdict::Clear }
    }
}

/// Moves the burn alerts of one SLO; gives back how its groups stand, `None` when a series of it
/// is not of this ledger.
pub(super) fn step_slo(
    planned: &Planned,
    ledger: &Ledger,
    control: &Control,
    inputs: &Inputs<'_>,
    delta: &mut Delta,
) -> Option<Seen> {
    let mut seen = Seen::of(Vec::new());
    let alerts = control.of_slo(&planned.id);
    let groups = groups(planned, ledger);
    for group in &groups {
        let book = Book::open(ledger, &planned.bad, &planned.total, group)?;
        let judged = judge_group(planned, group, &book, inputs.observed, inputs.at);
        step_group(planned, group, &book, &judged, alerts, inputs, delta);
        match withheld(planned, &judged, &book, inputs.at) {
            Verdict::Clear => {}
            Verdict::Unknown if seen.withheld == Verdict::Holds => {}
            verdict => seen.withheld = verdict,
        }
        seen.standings.push(judged.standing);
    }
    if groups.is_empty()
        && let Some(book) = Book::open(ledger, &planned.bad, &planned.total, &NO_LABELS)
    {
        let targets = targets_of(planned, inputs.observed, inputs.at);
        let mut windows = Windows::new(&book, inputs.at);
        let means = inputs.observed.absence_of(planned, inputs.at);
        seen.standings.push(Standing::of(&mut windows, targets, means));
    }
    step_gone(planned, &groups, &seen.standings, ledger, inputs, alerts, delta);
    Some(seen)
}

/// Whether rules of a group cannot be judged for what was withheld. While it is only older slices of
/// their windows, it is not over, and is not told anew either: a deploy is soon forgotten.
fn withheld(planned: &Planned, judged: &JudgedGroup, book: &Book<'_>, at: Ts) -> Verdict {
    if !judged.standing.is_known(planned.slo.absent.means) {
        return Verdict::Clear;
    }
    let rules = planned.slo.alerting.rules.iter().zip(&judged.rules);
    let unjudged = rules.filter(|(_, judged)| judged.begins() == Verdict::Unknown);
    match unjudged.map(|(rule, _)| rule.short.unwrap_or(rule.long)).min() {
        Some(_) if book.is_partial(at) => Verdict::Holds,
        Some(window) if book.any_partial(window, at) => Verdict::Unknown,
        _ => Verdict::Clear,
    }
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
        let hold = half_of_targets_gone(planned, inputs.observed, targets_at_fire, inputs.at)
            || never_was(planned, book, inputs.at);
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

/// Alerts of groups that the ledger does not have end once the SLO itself is known, and its series
/// for so long that the group would have been seen: of series that are new, because the definition
/// was edited or what the store kept is lost, it cannot be said that a group is gone.
fn step_gone(
    planned: &Planned,
    groups: &[&Labels],
    standings: &[Standing],
    ledger: &Ledger,
    inputs: &Inputs<'_>,
    alerts: Option<&Alerts>,
    delta: &mut Delta,
) {
    let is_gone = |key: &AlertKey| match &key.subject {
        Subject::Burn { group, .. } => !groups.contains(&group),
        _ => false,
    };
    let gone: Vec<_> = alerts.into_iter().flatten().filter(|(key, _)| is_gone(key)).collect();
    let known = standings.iter().any(|s| s.is_known(planned.slo.absent.means));
    if gone.is_empty() || !known || !is_seen_for_long(planned, ledger, inputs.at) {
        return;
    }
    for (key, state) in gone {
        if let Some(firing) = &state.firing {
            let gone = "The group has no series any more.".to_owned();
            let annotations = Labels::from([("resolvedBecause".to_owned(), gone)]);
            let telling = Telling { annotations, evidence: None };
            super::transition::resolve(key, firing, telling, inputs.at, delta);
        }
        delta.changes.insert(key.clone(), None);
    }
}

/// Whether it is known of all of the time in which the group would have been seen, but for a few
/// gaps: of every rule's window, and of the time after which a group drops out.
fn is_seen_for_long(planned: &Planned, ledger: &Ledger, at: Ts) -> bool {
    let slo = &planned.slo;
    let longest = slo.alerting.rules.iter().map(|rule| rule.long).max().unwrap_or(Span::ZERO);
    // No more than the period is kept.
    let expiry = slo.group_by.as_ref().map_or(Span::ZERO, |by| by.expire_after.min(slo.period.nominal()));
    let span = longest.max(expiry);
    planned.total.iter().filter_map(|(_, ix)| ledger.series(*ix)).all(|series| {
        let at = at.floor_to(series.keep().key.grid());
        series.answered().overlap(at.minus(span), at) * 20 >= span.secs() * 19
    })
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

/// Series that never were end no alert, though the workload is up: there were some when it began, so
/// the definition was edited since, and what it asks for now may not exist at all.
fn never_was(planned: &Planned, book: &Book<'_>, at: Ts) -> bool {
    let means_nothing = planned.slo.absent.means == AbsentMeans::Unknown;
    means_nothing && book.slice(at) == Slice::Absent { born: false }
}

/// Nothing is resolved with fewer than half of the targets that were up when the alert fired.
fn half_of_targets_gone(planned: &Planned, observed: &Observed, at_fire: Option<u64>, at: Ts) -> bool {
    match (planned.alive, at_fire) {
        (None, _) | (_, None | Some(0)) => false,
        (Some(ix), Some(fired)) => observed.alive.get(&ix).is_none_or(|targets| targets.half_gone(fired, at)),
    }
}
