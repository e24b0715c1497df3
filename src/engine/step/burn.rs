//! One SLO at one moment: how it stands, what its rules say, what becomes of its alerts.

use super::Inputs;
use super::delta::Delta;
use super::evidence::{NO_LABELS, evidence, groups, window_evidence};
use super::observed::Observed;
use super::transition::{Subjected, Telling, advance};
use crate::engine::alert::{AlertKey, RuleInput, Subject};
use crate::engine::condition::{Judged, Terms, Verdict, judge};
use crate::engine::ledger::Ledger;
use crate::engine::plan::{AliveReading, DirectReading, Planned};
use crate::engine::reason::WindowEvidence;
use crate::engine::status::Standing;
use crate::engine::step::control::{Alerts, Control};
use crate::engine::window::{Book, Counts};
use crate::engine::words;
use crate::slo::model::{Labels, Severity, Slo};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Objective;

/// One rule as judged, by event counts or by a ratio asked directly.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum JudgedRule {
    /// From the ledger.
    Counted(Judged),
    /// From direct answers: burn rates of the long and the short window.
    Direct {
        /// Whether it holds.
        verdict: Verdict,
        /// Burn rate of the long window.
        long: Option<f64>,
        /// Burn rate of the short window.
        short: Option<f64>,
        /// When.
        at: Ts,
    },
}

/// One SLO and group as judged.
pub struct JudgedGroup {
    /// How it stands.
    pub standing: Standing,
    /// One entry per rule of the SLO.
    pub rules: Vec<JudgedRule>,
}

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

/// Judges every rule of one SLO and group.
pub fn judge_group(
    planned: &Planned,
    group: &Labels,
    book: &Book<'_>,
    observed: &Observed,
    at: Ts,
) -> JudgedGroup {
    let slo = &*planned.slo;
    let means = slo.absent.means;
    let standing = Standing::of(book, targets_of(planned, observed, at), means, at);
    let terms = Terms {
        objective: objective_of(slo, group),
        absent: standing.reads_absence_as(means),
        begun: book.begun().unwrap_or(Ts(i64::MAX)),
    };
    let known = standing.is_known(means);
    let mut windows = Windows { book, at, seen: Vec::with_capacity(8) };
    let rules = slo
        .alerting
        .rules
        .iter()
        .map(|rule| {
            if !planned.direct.is_empty() {
                return judge_direct(planned, group, rule, observed, terms.objective, at);
            }
            let short = rule.short.map(|short| windows.get(short));
            let mut judged = judge(rule, windows.get(rule.long), short, &terms);
            if !known {
                judged.begins = Verdict::Unknown;
                judged.goes_on = Verdict::Unknown;
            }
            JudgedRule::Counted(judged)
        })
        .collect();
    JudgedGroup { standing, rules }
}

/// The objective of a group: the first match of `groupBy.objectives`, or the SLO's own.
pub fn objective_of(slo: &Slo, group: &Labels) -> Objective {
    slo.group_by
        .iter()
        .flat_map(|by| &by.objectives)
        .find(|own| own.matches.iter().all(|(name, value)| group.get(name) == Some(value)))
        .map_or(slo.objective, |own| own.objective)
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

fn targets_of(planned: &Planned, observed: &Observed, at: Ts) -> Option<AliveReading> {
    observed.alive.get(&planned.alive?)?.at(at)
}

fn judge_direct(
    planned: &Planned,
    group: &Labels,
    rule: &crate::slo::model::Rule,
    observed: &Observed,
    objective: Objective,
    at: Ts,
) -> JudgedRule {
    let burn_of = |window: Span| {
        let (_, ix) = planned.direct.iter().find(|(w, _)| *w == window)?;
        let DirectReading::Known(ratios) = observed.direct.get(ix)?.reading_at(at)? else { return None };
        Some(ratios.get(group)?.get() / objective.budget())
    };
    let (long, short) = (burn_of(rule.long), rule.short.and_then(burn_of));
    let reaches = |burn: Option<f64>| burn.map(|burn| burn >= rule.burn_rate.value());
    let needed =
        if rule.short.is_some() { [reaches(long), reaches(short)] } else { [reaches(long), Some(true)] };
    let verdict = match needed {
        [Some(true), Some(true)] => Verdict::Holds,
        [None, _] | [_, None] => Verdict::Unknown,
        _ => Verdict::Clear,
    };
    JudgedRule::Direct { verdict, long, short, at }
}

impl JudgedRule {
    /// May it begin?
    pub fn begins(&self) -> Verdict {
        match self {
            Self::Counted(judged) => judged.begins,
            Self::Direct { verdict, .. } => *verdict,
        }
    }

    /// Does it go on?
    pub fn goes_on(&self) -> Verdict {
        match self {
            Self::Counted(judged) => judged.goes_on,
            Self::Direct { verdict, .. } => *verdict,
        }
    }

    /// Whether it holds, for people.
    pub fn holds(&self) -> bool {
        self.goes_on() == Verdict::Holds
    }

    pub(super) fn long(&self, window: Span, objective: Objective) -> WindowEvidence {
        match self {
            Self::Counted(judged) => window_evidence(window, &judged.long, objective),
            Self::Direct { long, at, .. } => ratio_evidence(window, *long, *at),
        }
    }

    pub(super) fn short(&self, window: Span, objective: Objective) -> WindowEvidence {
        match self {
            Self::Counted(judged) => window_evidence(window, &judged.short.unwrap_or(judged.long), objective),
            Self::Direct { short, at, .. } => ratio_evidence(window, *short, *at),
        }
    }
}

fn ratio_evidence(window: Span, burn: Option<f64>, at: Ts) -> WindowEvidence {
    let coverage = if burn.is_some() { 1.0 } else { 0.0 };
    WindowEvidence { window, from: at.minus(window), to: at, bad: 0.0, total: 0.0, burn, coverage }
}

/// Windows summed once per group and moment, however many rules share them.
struct Windows<'a, 'b> {
    book: &'a Book<'b>,
    at: Ts,
    seen: Vec<(Span, Counts)>,
}

impl Windows<'_, '_> {
    fn get(&mut self, window: Span) -> Counts {
        if let Some((_, counts)) = self.seen.iter().find(|(w, _)| *w == window) {
            return *counts;
        }
        let counts = self.book.window(window, self.at);
        self.seen.push((window, counts));
        counts
    }
}
