//! From the alerting block to the rules that run: the default set or the written ones, each able to fire.

use super::alerting::Block;
use super::written::Written;
use crate::slo::model::{Labels, Rule, Severity, Sli};
use crate::slo::period::Period;
use crate::slo::problem::Report;
use crate::slo::rules::{DefaultRule, default_rules};
use crate::slo::time::{Span, Step};
use crate::slo::unit::{Events, Objective};

/// What rules are made for.
pub(super) struct Subject<'a> {
    pub(super) objective: Objective,
    /// Objectives of single groups.
    pub(super) others: Vec<Objective>,
    pub(super) period: &'a Period,
    pub(super) step: Step,
    /// `None` where it could not be read; its rules are still checked.
    pub(super) sli: Option<&'a Sli>,
}

/// All rules that run, fastest first.
pub(super) fn build(block: &Block, subject: &Subject<'_>, report: &mut Report) -> Vec<Rule> {
    let mut rules = match &block.rules {
        Some(written) => written.iter().filter_map(|w| from_written(w, block, subject, report)).collect(),
        None => from_default(block, subject, report),
    };
    rules.sort_by_key(|r: &Rule| (r.long, r.severity, std::cmp::Reverse(r.burn_rate)));
    rules
}

fn from_written(
    written: &Written,
    block: &Block,
    subject: &Subject<'_>,
    report: &mut Report,
) -> Option<Rule> {
    if block.options(written.severity).disable {
        let what = format!("this rule does not run: {} is disabled", written.severity);
        report.notice(written.at, what, None);
        return None;
    }
    let rule = Rule {
        severity: written.severity,
        burn_rate: written.burn_rate,
        long: written.long,
        short: written.short,
        hold_for: written.hold_for,
        keep_firing_for: written.keep_firing_for,
        min_bad_events: min_bad_events(written.min_bad_events, written.severity, block, subject),
        labels: written.labels.clone(),
    };
    if let Some((why, hint)) = never(&rule, subject) {
        report.error(written.at, format!("this rule can never fire: {why}"), Some(hint));
        return None;
    }
    if subject.others.iter().any(|o| !rule.burn_rate.reachable(*o)) {
        report.notice(
            written.at,
            "this rule can never fire for some groups: their objective is too low",
            None,
        );
    }
    Some(rule)
}

fn from_default(block: &Block, subject: &Subject<'_>, report: &mut Report) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for default in default_rules(subject.period.nominal(), subject.step) {
        if block.options(default.severity).disable {
            continue;
        }
        let rule = of_default(default, block, subject);
        match never(&rule, subject) {
            None => rules.push(rule),
            Some((why, _)) => {
                report.notice(block.at, format!("default rule `{}` is left out: {why}", rule.name()), None)
            }
        }
    }
    if !block.page.disable && !rules.iter().any(|r| r.severity == Severity::Page) {
        let what = format!("no default page rule can fire with objective {}", subject.objective);
        let hint = "write alerting.rules of your own, or alerting.page.disable: true".to_owned();
        report.error(block.at, what, Some(hint));
    }
    rules
}

fn of_default(default: DefaultRule, block: &Block, subject: &Subject<'_>) -> Rule {
    // A window shorter than a time slice would often hold none.
    let whole = |window: Span| match subject.sli {
        Some(Sli::Timeslice(timeslice)) => window.max(timeslice.slice),
        _ => window,
    };
    Rule {
        severity: default.severity,
        burn_rate: default.burn_rate,
        long: whole(default.long),
        short: default.short.map(whole).filter(|short| *short < whole(default.long)),
        hold_for: Span::ZERO,
        keep_firing_for: Span::ZERO,
        min_bad_events: min_bad_events(None, default.severity, block, subject),
        labels: Labels::new(),
    }
}

/// The nearest setting: the rule's, the severity's, the block's; else 3 for pages, 1 for tickets
/// and 1 where a bad event is a whole time slice. Of a composite it is asked of each part that counts
/// events.
fn min_bad_events(own: Option<u32>, severity: Severity, block: &Block, subject: &Subject<'_>) -> Events {
    let default = match (severity, subject.sli) {
        (Severity::Page, Some(Sli::Counted { .. } | Sli::Composite(_))) => 3,
        _ => 1,
    };
    let least = own.or(block.options(severity).min_bad_events).or(block.min_bad_events).unwrap_or(default);
    Events::whole(i64::from(least))
}

/// Why a rule can never fire, and what to do.
fn never(rule: &Rule, subject: &Subject<'_>) -> Option<(String, String)> {
    if !rule.burn_rate.reachable(subject.objective) {
        let why = format!(
            "with objective {} the budget cannot burn {} times as fast, not even when all is bad",
            subject.objective, rule.burn_rate
        );
        let highest = 1.0 / subject.objective.budget();
        return Some((why, format!("burnRate must be below {highest:.3}")));
    }
    let Some(Sli::Timeslice(timeslice)) = subject.sli else { return None };
    let slices = rule.long.secs() / timeslice.slice.secs().max(1);
    if rule.short.unwrap_or(rule.long) < timeslice.slice {
        let hint = format!("windows of at least {}", timeslice.slice);
        return Some((format!("a window is shorter than one time slice of {}", timeslice.slice), hint));
    }
    (rule.min_bad_events > Events::whole(slices)).then(|| {
        let hint = "lower minBadEvents or lengthen the window".to_owned();
        (format!("{} holds only {slices} time slices of {}", rule.long, timeslice.slice), hint)
    })
}
