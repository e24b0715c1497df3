//! `spec.alerting`: names, what alerts carry, and rules of the definition's own.

use super::field::{Field, Section, short};
use super::names::{self, IDENTITY};
use super::rules::{self, Written};
use super::sli::SEVERITIES;
use crate::slo::model::{AlertMode, Labels, Severity, SeverityOptions};
use crate::slo::period::Period;
use crate::slo::problem::{At, Report};
use crate::slo::time::{Span, Step};

const FIELDS: [&str; 6] = ["name", "mode", "minBadEvents", "page", "ticket", "rules"];
const OPTIONS: [&str; 4] = ["labels", "annotations", "disable", "minBadEvents"];
const RULE: [&str; 8] =
    ["severity", "burnRate", "long", "short", "for", "keepFiringFor", "labels", "minBadEvents"];
const MAX_RULES: usize = 20;
/// Bad events a rule may ask for.
const BAD_EVENTS: std::ops::RangeInclusive<u32> = 0..=1_000_000_000;
const RULE_RESERVED: [&str; 4] = ["alertname", "service", "slo", "severity"];

/// What is written under `alerting`, apart from the objective it will meet.
#[derive(Debug)]
pub(super) struct Block {
    /// Where messages about the set as a whole point.
    pub(super) at: At,
    pub(super) name: String,
    pub(super) mode: AlertMode,
    pub(super) min_bad_events: Option<u32>,
    pub(super) page: Options,
    pub(super) ticket: Options,
    /// `None` for the default set.
    pub(super) rules: Option<Vec<Written>>,
}

/// The options of one severity.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) carry: SeverityOptions,
    pub(super) disable: bool,
    pub(super) min_bad_events: Option<u32>,
}

impl Block {
    /// Without an `alerting` block; messages point at `at`.
    pub(super) fn default_at(at: At) -> Self {
        Self {
            at,
            name: "ErrorBudgetBurn".into(),
            mode: AlertMode::Live,
            min_bad_events: None,
            page: Options::default(),
            ticket: Options::default(),
            rules: None,
        }
    }

    pub(super) fn options(&self, severity: Severity) -> &Options {
        match severity {
            Severity::Page => &self.page,
            Severity::Ticket => &self.ticket,
        }
    }
}

/// Reads the mapping under `alerting`.
pub(super) fn read(
    field: &Field<'_>,
    period: Option<&Period>,
    step: Step,
    report: &mut Report,
) -> Option<Block> {
    let section = field.section(&FIELDS, report)?;
    let default = Block::default_at(section.at());
    let name = section.field("name").map_or(Some(default.name), |f| alert_name(&f, report));
    let modes = [("live", AlertMode::Live), ("shadow", AlertMode::Shadow)];
    let mode = section.field("mode").map_or(Some(default.mode), |f| f.choice(&modes, report));
    let min_bad_events = min_bad_events(&section, report);
    let page = section.field("page").map_or(Some(Options::default()), |f| options(&f, report));
    let ticket = section.field("ticket").map_or(Some(Options::default()), |f| options(&f, report));
    let rules = section.field("rules").map(|f| written(&f, period, step, report));
    let rules = match rules {
        Some(rules) => Some(rules?),
        None => None,
    };
    Some(Block {
        at: default.at,
        name: name?,
        mode: mode?,
        min_bad_events,
        page: page?,
        ticket: ticket?,
        rules,
    })
}

fn alert_name(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    let good = !text.trim().is_empty() && text.len() <= 253 && !text.chars().any(char::is_control);
    if !good {
        let hint = "one line of at most 253 bytes, such as CheckoutBurn".to_owned();
        report.error(
            field.at(),
            format!("`{}: {}` is not an alert name", field.path, short(text)),
            Some(hint),
        );
    }
    good.then(|| text.to_owned())
}

fn min_bad_events(section: &Section<'_>, report: &mut Report) -> Option<u32> {
    section.field("minBadEvents").and_then(|f| f.whole(BAD_EVENTS, report))
}

fn options(field: &Field<'_>, report: &mut Report) -> Option<Options> {
    let section = field.section(&OPTIONS, report)?;
    let labels = names::labels(section.field("labels"), &IDENTITY, report);
    let annotations = names::annotations(section.field("annotations"), report);
    let disable = section.field("disable").map_or(Some(false), |f| f.flag(report));
    let min_bad_events = min_bad_events(&section, report);
    Some(Options { carry: SeverityOptions { labels, annotations }, disable: disable?, min_bad_events })
}

fn written(
    field: &Field<'_>,
    period: Option<&Period>,
    step: Step,
    report: &mut Report,
) -> Option<Vec<Written>> {
    let items = field.items(report)?;
    if items.is_empty() || items.len() > MAX_RULES {
        let hint = "remove it for the default set; to have no alerts, disable page and ticket".to_owned();
        report.error(field.at(), format!("`{}` needs 1 to {MAX_RULES} rules", field.path), Some(hint));
        return None;
    }
    let mut read: Vec<Option<Written>> = Vec::new();
    for item in items {
        let rule = rule(&item, period, step, report);
        if let Some(rule) = &rule
            && read.iter().flatten().any(|other| other.same_condition(rule))
        {
            let hint = "keep one of them; severity, burnRate, long and short tell rules apart".to_owned();
            report.error(item.at(), format!("`{}` repeats an earlier rule", item.path), Some(hint));
        }
        read.push(rule);
    }
    read.into_iter().collect()
}

fn rule(item: &Field<'_>, period: Option<&Period>, step: Step, report: &mut Report) -> Option<Written> {
    let section = item.section(&RULE, report)?;
    let severity =
        section.require("severity", "page or ticket", report).and_then(|f| f.choice(&SEVERITIES, report));
    let burn_rate = section.require("burnRate", "how many times the budget's pace, such as 14.4", report);
    let burn_rate = burn_rate
        .and_then(|f| f.parse("a plain number above zero, at most six decimals, such as 14.4", report));
    let long = section.require("long", "the window, such as 1h", report);
    let long = long.and_then(|f| rules::window(&f, period, step, report));
    let short_field = section.field("short");
    let short = short_field.as_ref().map(|f| rules::window(f, period, step, report));
    if let (Some(long), Some(Some(short)), Some(field)) = (long, short, &short_field)
        && short >= long
    {
        let hint = "the short window ends an alert quickly; a twelfth of the long one is usual".to_owned();
        report.error(
            field.at(),
            format!("`{}: {short}` is not shorter than long: {long}", field.path),
            Some(hint),
        );
    }
    let timer = |key: &str, longest, report: &mut Report| {
        section.field(key).map_or(Some(Span::ZERO), |f| f.span(Span::ZERO..=longest, report))
    };
    let hold_for = timer("for", Span::from_days(1), report);
    let keep_firing_for = timer("keepFiringFor", Span::from_days(7), report);
    let labels: Labels = names::labels(section.field("labels"), &RULE_RESERVED, report);
    let min_bad_events = min_bad_events(&section, report);
    Some(Written {
        at: item.at(),
        severity: severity?,
        burn_rate: burn_rate?,
        long: long?,
        short: match short {
            Some(short) => Some(short?),
            None => None,
        },
        hold_for: hold_for?,
        keep_firing_for: keep_firing_for?,
        min_bad_events,
        labels,
    })
}
