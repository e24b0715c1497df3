//! One SLO at one moment: what becomes of its alerts.

use super::Inputs;
use super::composite::step_composite;
use super::control::{Alerts, Control};
use super::delta::Delta;
use super::evidence::{NO_LABELS, evidence, groups};
use super::judge::{JudgedGroup, JudgedRule, judge_group, moment_of, targets_of, targets_of_member};
use super::observed::Observed;
use super::transition::{Subjected, Telling, advance};
use crate::engine::alert::{AlertKey, AlertState, RuleInput, Subject};
use crate::engine::composite::Pools;
use crate::engine::condition::Verdict;
use crate::engine::ledger::Ledger;
use crate::engine::plan::Planned;
use crate::engine::reason::Evidence;
use crate::engine::status::Standing;
use crate::engine::window::{Book, Windows};
use crate::engine::words;
use crate::slo::model::{Labels, Severity};
use crate::slo::time::{Span, Ts};

/// How the groups of an SLO stand.
pub(super) struct Seen {
    pub standings: Vec<Standing>,
    /// Whether so much of a group was withheld without proof that rules of it cannot be judged.
    pub withheld: Verdict,
    /// Of which parts of a composite nothing is known, and why.
    pub why: Option<String>,
    /// Whether the source of what is not known does not answer.
    pub blind: bool,
}

impl Seen {
    pub(super) fn of(standings: Vec<Standing>, blind: bool) -> Self {
        Self { standings, withheld: Verdict::Clear, why: None, blind }
    }
}

/// Moves the burn alerts of one SLO; gives back how its groups stand, `None` when a series of it
/// is not of this ledger.
pub(super) fn step_slo<'a>(
    planned: &'a Planned,
    ledger: &'a Ledger,
    control: &Control,
    inputs: &Inputs<'_>,
    pools: &Pools<'a>,
    delta: &mut Delta,
) -> Option<Seen> {
    if planned.parts.is_some() {
        return step_composite(planned, ledger, control, inputs, pools, delta);
    }
    let mut seen = Seen::of(Vec::new(), inputs.observed.is_blind(&planned.source));
    let alerts = control.of_slo(&planned.id);
    let groups = groups(planned, ledger);
    for group in &groups {
        let book = Book::of(ledger, planned, group)?;
        let judged = judge_group(planned, group, &book, inputs.observed, inputs.at);
        let tell = |severity| Some(evidence(planned, group, &book, &judged.rules, severity, inputs.at));
        step_group(planned, group, &judged, alerts, &tell, inputs, delta);
        let is_partial = || book.is_partial(inputs.at);
        match withheld(planned, &judged, is_partial, |window| book.any_partial(window, inputs.at)) {
            Verdict::Clear => {}
            Verdict::Unknown if seen.withheld == Verdict::Holds => {}
            verdict => seen.withheld = verdict,
        }
        seen.standings.push(judged.standing);
    }
    if groups.is_empty()
        && let Some(book) = Book::of(ledger, planned, &NO_LABELS)
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
pub(super) fn withheld(
    planned: &Planned,
    judged: &JudgedGroup,
    is_partial: impl FnOnce() -> bool,
    any_partial: impl FnOnce(Span) -> bool,
) -> Verdict {
    if !judged.standing.is_known(planned.slo.absent.means) {
        return Verdict::Clear;
    }
    let rules = planned.slo.alerting.rules.iter().zip(&judged.rules);
    let unjudged = rules.filter(|(_, judged)| judged.begins() == Verdict::Unknown);
    match unjudged.map(|(rule, _)| rule.short.unwrap_or(rule.long)).min() {
        Some(_) if is_partial() => Verdict::Holds,
        Some(window) if any_partial(window) => Verdict::Unknown,
        _ => Verdict::Clear,
    }
}

/// Moves the alerts of one group; `evidence` is asked only when somebody is told.
pub(super) fn step_group(
    planned: &Planned,
    group: &Labels,
    judged: &JudgedGroup,
    alerts: Option<&Alerts>,
    evidence: &dyn Fn(Severity) -> Option<Evidence>,
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
        let is_news = |id: &String| before.is_none_or(|state| !state.unborn.contains(id));
        let hold = judged.never_were.iter().any(is_news)
            || before.is_some_and(|state| is_half_gone(planned, state, inputs.observed, inputs.at));
        let rules = rule_inputs(planned, judged, severity, hold);
        let tell = || {
            let evidence = evidence(severity);
            let mut annotations = planned.slo.annotations.clone();
            if let Some(evidence) = &evidence {
                annotations.insert("summary".to_owned(), words::summary(evidence, severity));
                annotations.insert("description".to_owned(), words::description(evidence));
            }
            annotations.extend(planned.slo.alerting.options(severity).annotations.clone());
            Telling { annotations, evidence }
        };
        let slo = Some(&*planned.slo);
        let subjected =
            Subjected { key: key.clone(), slo, rules: &rules, targets: targets.map(|t| t.up), tell };
        advance(&subjected, before, inputs, delta);
        if let (Some(_), Some(Some(state))) = (&planned.parts, delta.changes.get_mut(&key)) {
            note_targets(planned, state, inputs);
            note_unborn(state, before, &judged.never_were);
        }
    }
}

/// Alerts of groups that the ledger does not have end once the SLO itself is known, and its series
/// for so long that the group would have been seen: of series that are new, because the definition
/// was edited or what the store kept is lost, it cannot be said that a group is gone.
pub(super) fn step_gone(
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

/// Nothing is resolved with fewer than half of the targets that were up when the alert fired; of a
/// composite with fewer than half of any part's.
fn is_half_gone(planned: &Planned, state: &AlertState, observed: &Observed, at: Ts) -> bool {
    let Some(firing) = &state.firing else { return false };
    planned.members().any(|member| {
        let of_part = || state.targets.get(&member.id).copied();
        let at_fire = if planned.parts.is_some() { of_part() } else { firing.targets };
        half_of_targets_gone(member, observed, at_fire, moment_of(planned, member, observed, at))
    })
}

fn half_of_targets_gone(planned: &Planned, observed: &Observed, at_fire: Option<u64>, at: Ts) -> bool {
    match (planned.alive, at_fire) {
        (None, _) | (_, None | Some(0)) => false,
        (Some(ix), Some(fired)) => observed.alive.get(&ix).is_none_or(|targets| targets.half_gone(fired, at)),
    }
}

/// Remembers which parts of a composite had no series yet when it began to fire, until they have some.
fn note_unborn(state: &mut AlertState, before: Option<&AlertState>, never_were: &[String]) {
    let fired = before.filter(|before| before.firing.is_some());
    let is_so = |id: &&String| state.firing.is_some() && fired.is_none_or(|fired| fired.unborn.contains(*id));
    state.unborn = never_were.iter().filter(is_so).cloned().collect();
}

/// Remembers how many targets of each part are up while a composite begins to fire, or, where that was
/// not read then, as soon as it is.
fn note_targets(planned: &Planned, state: &mut AlertState, inputs: &Inputs<'_>) {
    if state.firing.is_none() {
        state.targets.clear();
        return;
    }
    for member in planned.members() {
        if let Some(targets) = targets_of_member(planned, member, inputs.observed, inputs.at) {
            state.targets.entry(member.id.clone()).or_insert(targets.up);
        }
    }
}
