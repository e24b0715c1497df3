//! `spec`: its parts, each read whatever became of the others, and how they fit together.

use super::alerting::{self, Block};
use super::field::{Field, Section, short};
use super::rules::{self, Subject};
use super::sli::{self, Measured, Variant};
use super::{composite, group, names, window};
use crate::slo::load::Context;
use crate::slo::model::{Absent, GroupBy, Rule, Sli};
use crate::slo::nearest;
use crate::slo::period::Period;
use crate::slo::problem::Report;
use crate::slo::query::Selector;
use crate::slo::unit::Objective;

const FIELDS: [&str; 8] =
    ["service", "description", "source", "objective", "window", "sli", "groupBy", "alerting"];
const MAX_DESCRIPTION: usize = 16 * 1024;

/// A good `spec`.
pub(super) struct Spec {
    pub(super) service: String,
    pub(super) description: String,
    pub(super) source: Option<String>,
    pub(super) period: Period,
    pub(super) alive: Option<Selector>,
    pub(super) absent: Absent,
    pub(super) group_by: Option<GroupBy>,
    pub(super) block: Block,
    /// One per SLO.
    pub(super) parts: Vec<Part>,
}

/// What is an SLO's own.
pub(super) struct Part {
    pub(super) suffix: Option<String>,
    pub(super) objective: Objective,
    pub(super) sli: Sli,
    pub(super) rules: Vec<Rule>,
}

/// Reads the mapping under `spec`.
pub(super) fn read(field: &Field<'_>, context: &Context, report: &mut Report) -> Option<Spec> {
    let spec = field.section(&FIELDS, report)?;
    let service = spec.require("service", "the service it is for, such as checkout", report);
    let service = service.and_then(|f| names::name(&f, report));
    let description = spec.field("description").map_or(Some(String::new()), |f| description(&f, report));
    let source = spec.field("source").map(|f| source(&f, context, report));
    let period = spec.field("window").map_or(Some(window::DEFAULT), |f| window::period(&f, report));
    let sli = spec.require("sli", "what is measured: events, latency, timeslice, ratio or composite", report);
    if composite::is_written(sli.as_ref()) {
        composite::refuse_in_spec(&spec, report);
    }
    let objective = objective(&spec, sli.as_ref(), report);
    let measured = sli.and_then(|f| sli::read(&f, context.step, report));
    let group_by = match spec.field("groupBy") {
        Some(field) => group::read(&field, report).map(Some),
        None => Some(None),
    };
    let block = match spec.field("alerting") {
        Some(field) => alerting::read(&field, period.as_ref(), context.step, report),
        None => Block::default_at(spec.at()),
    };
    let (period, objective) = (period?, objective?);
    let fit = Fit {
        context,
        objective,
        period: &period,
        groups: group_by.as_ref().and_then(Option::as_ref),
        block: &block,
    };
    let Some(Measured { variants, alive, absent }) = measured else {
        fit.rules(None, objective, report);
        return None;
    };
    let parts: Vec<Part> = variants.into_iter().filter_map(|variant| fit.part(variant, report)).collect();
    let (service, description, group_by) = (service?, description?, group_by?);
    let source = source.map_or(Some(None), |s| s.map(Some))?;
    Some(Spec { service, description, source, period, alive, absent, group_by, block, parts })
}

/// What the rules of every SLO of a definition have in common.
struct Fit<'a> {
    context: &'a Context,
    /// `spec.objective`, where it is written there.
    objective: Option<Objective>,
    period: &'a Period,
    groups: Option<&'a GroupBy>,
    block: &'a Block,
}

impl Fit<'_> {
    fn part(&self, variant: Variant, report: &mut Report) -> Option<Part> {
        let objective = variant.objective.or(self.objective)?;
        let rules = self.rules(Some(&variant.sli), Some(objective), report);
        Some(Part { suffix: variant.suffix, objective, sli: variant.sli, rules })
    }

    fn rules(&self, sli: Option<&Sli>, objective: Option<Objective>, report: &mut Report) -> Vec<Rule> {
        let Some(objective) = objective else { return Vec::new() };
        let others = self.groups.iter().flat_map(|g| g.objectives.iter().map(|o| o.objective)).collect();
        let subject = Subject { objective, others, period: self.period, step: self.context.step, sli };
        rules::build(self.block, &subject, report)
    }
}

/// `spec.objective`, where the SLI does not hold objectives of its own.
#[expect(clippy::option_option, reason = "outer: readable; inner: written here")]
fn objective(spec: &Section<'_>, sli: Option<&Field<'_>>, report: &mut Report) -> Option<Option<Objective>> {
    if sli.is_some_and(sli::holds_objectives) {
        if let Some(field) = spec.field("objective") {
            let hint = "remove it: the objectives are in spec.sli.latency.objectives".to_owned();
            report.error(field.at(), "`spec.objective` cannot stand beside latency objectives", Some(hint));
        }
        return Some(None);
    }
    let field = spec.require("objective", "percent of good events, such as objective: 99.9", report)?;
    window::objective(&field, report).map(Some)
}

fn description(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    if text.len() > MAX_DESCRIPTION {
        report.error(field.at(), format!("`{}` is longer than {MAX_DESCRIPTION} bytes", field.path), None);
    }
    Some(text.to_owned())
}

fn source(field: &Field<'_>, context: &Context, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    if !context.sources.is_empty() && !context.sources.iter().any(|s| s == text) {
        let known: Vec<&str> = context.sources.iter().map(String::as_str).collect();
        let what = format!("`{}: {}` is not a configured source", field.path, short(text));
        report.error(field.at(), what, Some(nearest::hint(text, &known)));
    }
    Some(text.to_owned())
}
