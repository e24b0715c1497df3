//! `spec.alerting`: names, and what alerts of each severity carry.

use super::field::{Field, Section, short};
use super::names::{self, IDENTITY};
use super::written::{self, Written};
use crate::slo::model::{AlertMode, Severity, SeverityOptions};
use crate::slo::period::Period;
use crate::slo::problem::{At, Report};
use crate::slo::time::Step;

const FIELDS: [&str; 6] = ["name", "mode", "minBadEvents", "page", "ticket", "rules"];
const OPTIONS: [&str; 4] = ["labels", "annotations", "disable", "minBadEvents"];
/// Bad events a rule may ask for.
const BAD_EVENTS: std::ops::RangeInclusive<u32> = 0..=1_000_000_000;

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

/// Reads the mapping under `alerting`. What cannot be read has its default, so that the rest is
/// still checked; the report refuses the document.
pub(super) fn read(field: &Field<'_>, period: Option<&Period>, step: Step, report: &mut Report) -> Block {
    let mut block = Block::default_at(field.at());
    let Some(section) = field.section(&FIELDS, report) else { return block };
    if let Some(name) = section.field("name").and_then(|f| alert_name(&f, report)) {
        block.name = name;
    }
    let modes = [("live", AlertMode::Live), ("shadow", AlertMode::Shadow)];
    block.mode = section.field("mode").and_then(|f| f.choice(&modes, report)).unwrap_or_default();
    block.min_bad_events = min_bad_events(&section, report);
    block.page = section.field("page").and_then(|f| options(&f, report)).unwrap_or_default();
    block.ticket = section.field("ticket").and_then(|f| options(&f, report)).unwrap_or_default();
    block.rules = section.field("rules").map(|f| written::read(&f, period, step, report));
    block
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

/// Bad events the long window needs at least.
pub(super) fn min_bad_events(section: &Section<'_>, report: &mut Report) -> Option<u32> {
    section.field("minBadEvents").and_then(|f| f.whole(BAD_EVENTS, report))
}

fn options(field: &Field<'_>, report: &mut Report) -> Option<Options> {
    let section = field.section(&OPTIONS, report)?;
    let labels = names::labels(section.field("labels"), &IDENTITY, report);
    let annotations = names::annotations(section.field("annotations"), report);
    let disable = section.field("disable").and_then(|f| f.flag(report)).unwrap_or(false);
    let min_bad_events = min_bad_events(&section, report);
    Some(Options { carry: SeverityOptions { labels, annotations }, disable, min_bad_events })
}
