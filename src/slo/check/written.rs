//! `alerting.rules`: rules of the definition's own, as written.

use super::alerting::min_bad_events;
use super::field::{Field, Section};
use super::names;
use super::sli::SEVERITIES;
use super::window;
use crate::slo::model::{Labels, Severity};
use crate::slo::period::Period;
use crate::slo::problem::{At, Report};
use crate::slo::time::{Span, Step};
use crate::slo::unit::BurnRate;

const FIELDS: [&str; 8] =
    ["severity", "burnRate", "long", "short", "for", "keepFiringFor", "labels", "minBadEvents"];
const RESERVED: [&str; 4] = ["alertname", "service", "slo", "severity"];
const MAX_RULES: usize = 20;

/// A rule as written, its windows checked.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) at: At,
    pub(super) severity: Severity,
    pub(super) burn_rate: BurnRate,
    pub(super) long: Span,
    pub(super) short: Option<Span>,
    pub(super) hold_for: Span,
    pub(super) keep_firing_for: Span,
    pub(super) min_bad_events: Option<u32>,
    pub(super) labels: Labels,
}

impl Written {
    /// Whether two rules have the same name, which keeps their timers apart.
    pub(super) fn same_condition(&self, other: &Self) -> bool {
        (self.severity, self.burn_rate, self.long, self.short)
            == (other.severity, other.burn_rate, other.long, other.short)
    }
}

/// Reads the list of rules: those that can be read, each checked on its own.
pub(super) fn read(
    field: &Field<'_>,
    period: Option<&Period>,
    step: Step,
    report: &mut Report,
) -> Vec<Written> {
    let Some(items) = field.items(report) else { return Vec::new() };
    if items.is_empty() || items.len() > MAX_RULES {
        let hint = "remove it for the default set; to have no alerts, disable page and ticket".to_owned();
        report.error(field.at(), format!("`{}` needs 1 to {MAX_RULES} rules", field.path), Some(hint));
        return Vec::new();
    }
    let mut read: Vec<Written> = Vec::new();
    for item in items {
        let Some(rule) = rule(&item, period, step, report) else { continue };
        if read.iter().any(|other| other.same_condition(&rule)) {
            let hint = "keep one of them; severity, burnRate, long and short tell rules apart".to_owned();
            report.error(item.at(), format!("`{}` repeats an earlier rule", item.path), Some(hint));
        }
        read.push(rule);
    }
    read
}

fn rule(item: &Field<'_>, period: Option<&Period>, step: Step, report: &mut Report) -> Option<Written> {
    let section = item.section(&FIELDS, report)?;
    let severity = section.require("severity", "page or ticket", report);
    let severity = severity.and_then(|f| f.choice(&SEVERITIES, report));
    let burn_rate = section.require("burnRate", "how many times the budget's pace, such as 14.4", report);
    let decimal = "a plain number above zero, at most six decimals, such as 14.4";
    let burn_rate = burn_rate.and_then(|f| f.parse(decimal, report));
    // No longer than the period.
    let longest = period.map_or(Span::from_days(400), Period::nominal);
    let long = section.require("long", "the window, such as 1h", report);
    let long = long.and_then(|f| window::of_steps(&f, longest, step, report));
    let short = section.field("short").and_then(|f| short(&f, long, longest, step, report));
    let hold_for = timer(&section, "for", Span::from_days(1), report);
    let keep_firing_for = timer(&section, "keepFiringFor", Span::from_days(7), report);
    let labels = names::labels(section.field("labels"), &RESERVED, report);
    let min_bad_events = min_bad_events(&section, report);
    Some(Written {
        at: item.at(),
        severity: severity?,
        burn_rate: burn_rate?,
        long: long?,
        short,
        hold_for,
        keep_firing_for,
        min_bad_events,
        labels,
    })
}

fn short(
    field: &Field<'_>,
    long: Option<Span>,
    longest: Span,
    step: Step,
    report: &mut Report,
) -> Option<Span> {
    let short = window::of_steps(field, longest, step, report)?;
    if let Some(long) = long.filter(|long| short >= *long) {
        let hint = "the short window ends an alert quickly; a twelfth of the long one is usual".to_owned();
        let what = format!("`{}: {short}` is not shorter than long: {long}", field.path);
        report.error(field.at(), what, Some(hint));
    }
    Some(short)
}

fn timer(section: &Section<'_>, key: &str, longest: Span, report: &mut Report) -> Span {
    section.field(key).and_then(|f| f.span(Span::ZERO..=longest, report)).unwrap_or_default()
}
