//! `spec.saturation` and `spec.unless`: queries that say whether replicas would help.

use crate::slo::check::field::{Field, Section, short};
use crate::slo::check::queries;
use crate::slo::policy::{Saturation, ScaleMode, Veto};
use crate::slo::problem::Report;
use crate::slo::unit::Finite;

const SCALE_ABOVE: f64 = 0.7;
const SHRINK_BELOW: f64 = 0.65;
const MAX_VETOES: usize = 10;
const QUERY: &str = "any PromQL that gives one number, such as max(rate(cpu_seconds_total[1m]) / cpu_limit)";

/// `spec.saturation`: a mapping, or `none`, which a policy that acts has to say.
pub(super) fn saturation(spec: &Section<'_>, mode: ScaleMode, report: &mut Report) -> Option<Saturation> {
    let Some(field) = spec.field("saturation") else {
        if mode == ScaleMode::Auto {
            let at = spec.field("mode").map_or(spec.at(), |field| field.at());
            let hint = "write saturation: {query: …}, which tells load from other faults; where nothing does, \
                        saturation: none";
            report.error(at, "`spec.mode: auto` needs `spec.saturation`", Some(hint.to_owned()));
        }
        return None;
    };
    if let Some(text) = field.node.as_text() {
        if text != "none" {
            let hint = "a mapping, saturation: {query: …}, or the word none".to_owned();
            report.error(field.at(), format!("`{}` cannot be `{}`", field.path, short(text)), Some(hint));
        }
        return None;
    }
    let section = field.section(&["query", "scaleAbove", "shrinkBelow"], report)?;
    let query = section.require("query", QUERY, report).and_then(|f| queries::any(&f, report));
    let above = section.field("scaleAbove").map_or(Finite::new(SCALE_ABOVE), |f| positive(&f, report));
    let below = section.field("shrinkBelow").map_or(Finite::new(SHRINK_BELOW), |f| positive(&f, report));
    let (scale_above, shrink_below) = (above?, below?);
    if shrink_below >= scale_above {
        let written = section.field("shrinkBelow").or_else(|| section.field("scaleAbove"));
        let at = written.map_or(field.at(), |field| field.at());
        let (above, below) = (scale_above.get(), shrink_below.get());
        let what = format!("`{}.shrinkBelow: {below}` is not below scaleAbove: {above}", field.path);
        let hint = "leave room between the two, or replicas come and go; without it shrinkBelow is 0.65";
        report.error(at, what, Some(hint.to_owned()));
        return None;
    }
    Some(Saturation { query: query?, scale_above, shrink_below })
}

/// `spec.unless`: those that can be read.
pub(super) fn unless(spec: &Section<'_>, report: &mut Report) -> Vec<Veto> {
    let Some(field) = spec.field("unless") else { return Vec::new() };
    let items = field.items(report).unwrap_or_default();
    if items.len() > MAX_VETOES {
        report.error(field.at(), format!("`{}` holds more than {MAX_VETOES} queries", field.path), None);
        return Vec::new();
    }
    items.iter().filter_map(|item| veto(item, report)).collect()
}

fn veto(item: &Field<'_>, report: &mut Report) -> Option<Veto> {
    let section = item.section(&["query", "above"], report)?;
    let query = section.require("query", QUERY, report).and_then(|f| queries::any(&f, report));
    let above = section.require("above", "nothing is added while the query is above it, such as 0.9", report);
    let above = above.and_then(|f| number(&f, report));
    Some(Veto { query: query?, above: above? })
}

/// A share of what the workload can do: what is not above zero would mean always, or never.
fn positive(field: &Field<'_>, report: &mut Report) -> Option<Finite> {
    let number = number(field, report)?;
    if number.get() <= 0.0 {
        report.error(field.at(), format!("`{}` must be above zero", field.path), None);
        return None;
    }
    Some(number)
}

fn number(field: &Field<'_>, report: &mut Report) -> Option<Finite> {
    let text = field.text(report)?;
    let number = text.parse().ok().and_then(Finite::new);
    if number.is_none() {
        report.error(field.at(), format!("`{}: {}` is not a number", field.path, short(text)), None);
    }
    number
}
