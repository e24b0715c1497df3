//! `sli.composite`: the SLOs it is made of, and how they become one.

use super::field::{Field, Section};
use super::named::{group, id};
use crate::slo::composite::{Combine, Composite, Part};
use crate::slo::model::Sli;
use crate::slo::problem::{At, Report};
use crate::slo::unit::Weight;
use crate::slo::yaml::{Node, Value};

const MAX_PARTS: usize = 20;
const HINT: &str = "the SLOs it is made of, such as of: [{slo: checkout/availability}]";
/// What a composite has of its parts, or has not at all.
const FOREIGN: [(&str, &str); 2] = [
    ("source", "remove it: each part is counted at its own source"),
    ("groupBy", "remove it: a part is pooled over its groups, or names one with `group`"),
];

/// Whether a `spec` is about a composite.
pub(super) fn is_written(sli: Option<&Field<'_>>) -> bool {
    sli.is_some_and(|sli| sli.node.get("composite").is_some())
}

/// Reads the mapping under `composite`.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Option<Sli> {
    let section = field.section(&["of", "as"], report)?;
    let words = [("worst", Combine::Worst), ("weighted", Combine::Weighted)];
    let how = section.require("as", "worst, or weighted", report).and_then(|f| f.choice(&words, report));
    let before = report.errors();
    let of: Vec<Part> = parts(&section, how, report).into_iter().map(|(part, _)| part).collect();
    (report.errors() == before && !of.is_empty()).then_some(())?;
    Some(Sli::Composite(Composite { how: how?, of }))
}

/// Reports what a composite has no use for: nothing is asked for it.
pub(super) fn refuse_beside(sli: &Section<'_>, report: &mut Report) {
    for key in ["alive", "absent"] {
        if let Some(field) = sli.field(key) {
            let hint = "remove it: each part says so of itself".to_owned();
            report.error(field.at(), format!("`{}` cannot stand beside `composite`", field.path), Some(hint));
        }
    }
}

/// The same of what stands in `spec`.
pub(super) fn refuse_in_spec(spec: &Section<'_>, report: &mut Report) {
    for (key, hint) in FOREIGN {
        if let Some(field) = spec.field(key) {
            let what = format!("`{}` cannot stand beside `sli.composite`", field.path);
            report.error(field.at(), what, Some(hint.to_owned()));
        }
    }
}

/// The parts that can be read of a document, whatever else is wrong with it, each with its place.
pub(super) fn named(root: &Node) -> Vec<(Part, At)> {
    let node = root.get("spec").and_then(|spec| spec.get("sli")).and_then(|sli| sli.get("composite"));
    let mut unheard = Report::about("");
    let section = node.and_then(|node| Field::root(node).section(&["of", "as"], &mut unheard));
    section.map(|section| parts(&section, None, &mut unheard)).unwrap_or_default()
}

fn parts(section: &Section<'_>, how: Option<Combine>, report: &mut Report) -> Vec<(Part, At)> {
    let Some(field) = section.require("of", HINT, report) else { return Vec::new() };
    let items = field.items(report).unwrap_or_default();
    if matches!(field.node.value, Value::List(_)) && (items.is_empty() || items.len() > MAX_PARTS) {
        report.error(field.at(), format!("`{}` needs 1 to {MAX_PARTS} SLOs", field.path), None);
        return Vec::new();
    }
    let mut read: Vec<(Part, At)> = Vec::new();
    for item in items {
        let Some(part) = part(&item, how, report) else { continue };
        if read.iter().any(|(other, _)| other.slo == part.slo && other.group == part.group) {
            report.error(item.at(), format!("`{part}` is written twice in {}", field.path), None);
        }
        read.push((part, item.at()));
    }
    read
}

/// `service/name`, or a mapping with a group and a weight.
fn part(item: &Field<'_>, how: Option<Combine>, report: &mut Report) -> Option<Part> {
    if !matches!(item.node.value, Value::Map(_)) {
        return Some(Part { slo: id(item, report)?, group: None, weight: Weight::ONE });
    }
    let section = item.section(&["slo", "group", "weight"], report)?;
    let slo = section.require("slo", "service/name of the SLO, such as checkout/availability", report);
    let slo = slo.and_then(|field| id(&field, report));
    let group = section.field("group").map(|field| group(field, report));
    let weight = section.field("weight").map_or(Some(Weight::ONE), |field| weight(&field, how, report));
    Some(Part { slo: slo?, group: group.map_or(Some(None), |group| group.map(Some))?, weight: weight? })
}

fn weight(field: &Field<'_>, how: Option<Combine>, report: &mut Report) -> Option<Weight> {
    if how == Some(Combine::Worst) {
        let hint = "remove it, or write as: weighted".to_owned();
        report.error(
            field.at(),
            format!("`{}`: the worst is the worst whatever it weighs", field.path),
            Some(hint),
        );
    }
    field.parse("a plain number above zero, at most six decimals; only proportions count", report)
}
