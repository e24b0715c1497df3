//! `spec.groupBy`: a list of labels, or a mapping with a limit and objectives of single groups.

use super::field::{Field, Section, short};
use super::names;
use super::window;
use crate::slo::model::{GroupBy, GroupObjective, Overflow};
use crate::slo::problem::Report;
use crate::slo::time::Span;
use crate::slo::yaml::Value;

const FIELDS: [&str; 5] = ["labels", "limit", "onOverflow", "expireAfter", "objectives"];
const MAX_LABELS: usize = 10;
const MAX_OBJECTIVES: usize = 1000;
const LIMITS: std::ops::RangeInclusive<u32> = 1..=10_000;
const DEFAULT_LIMIT: u32 = 500;
const EXPIRE_AFTER: Span = Span::from_hours(24);

/// Reads `groupBy`.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Option<GroupBy> {
    if matches!(field.node.value, Value::List(_)) {
        return Some(GroupBy {
            labels: labels(field, report)?,
            limit: as_usize(DEFAULT_LIMIT),
            on_overflow: Overflow::Other,
            expire_after: EXPIRE_AFTER,
            objectives: Vec::new(),
        });
    }
    let section = field.section(&FIELDS, report)?;
    let labels =
        section.require("labels", "such as labels: [route]", report).and_then(|f| labels(&f, report));
    let limit = section.field("limit").map_or(Some(DEFAULT_LIMIT), |f| f.whole(LIMITS, report));
    let words = [("other", Overflow::Other), ("drop", Overflow::Drop)];
    let on_overflow = section.field("onOverflow").map_or(Some(Overflow::Other), |f| f.choice(&words, report));
    let bounds = Span::from_mins(10)..=Span::from_days(400);
    let expire_after = section.field("expireAfter").map_or(Some(EXPIRE_AFTER), |f| f.span(bounds, report));
    let objectives = objectives(&section, labels.as_deref(), report);
    Some(GroupBy {
        labels: labels?,
        limit: as_usize(limit?),
        on_overflow: on_overflow?,
        expire_after: expire_after?,
        objectives: objectives?,
    })
}

fn as_usize(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn labels(field: &Field<'_>, report: &mut Report) -> Option<Vec<String>> {
    let items = field.items(report)?;
    if items.is_empty() || items.len() > MAX_LABELS {
        report.error(field.at(), format!("`{}` needs 1 to {MAX_LABELS} labels", field.path), None);
        return None;
    }
    let before = report.errors();
    let mut read: Vec<String> = Vec::new();
    for item in items {
        let Some(text) = item.text(report) else { continue };
        if text == "le" {
            let hint = "the buckets of one histogram belong together; see sli.latency".to_owned();
            report.error(item.at(), "`le` cannot be a group", Some(hint));
        } else if !names::is_label(text) {
            report.error(item.at(), format!("`{}: {}` is not a label name", item.path, short(text)), None);
        } else if read.iter().any(|l| l == text) {
            report.error(item.at(), format!("`{text}` is written twice in {}", field.path), None);
        } else {
            read.push(text.to_owned());
        }
    }
    read.sort();
    (report.errors() == before).then_some(read)
}

fn objectives(
    section: &Section<'_>,
    labels: Option<&[String]>,
    report: &mut Report,
) -> Option<Vec<GroupObjective>> {
    let Some(field) = section.field("objectives") else { return Some(Vec::new()) };
    let items = field.items(report)?;
    if items.len() > MAX_OBJECTIVES {
        report.error(field.at(), format!("`{}` holds more than {MAX_OBJECTIVES} entries", field.path), None);
        return None;
    }
    let read: Vec<_> = items.iter().map(|item| objective(item, labels, report)).collect();
    read.into_iter().collect()
}

fn objective(item: &Field<'_>, labels: Option<&[String]>, report: &mut Report) -> Option<GroupObjective> {
    let section = item.section(&["match", "objective"], report)?;
    let wanted = section.require("match", "labels of the groups, such as match: {route: /pay}", report);
    let percent = section.require("objective", "percent of good events, such as 99.5", report);
    let percent = percent.and_then(|f| window::objective(&f, report));
    let wanted = wanted?;
    let before = report.errors();
    let matches = names::labels(Some(wanted.clone()), &[], report);
    if matches.is_empty() && report.errors() == before {
        let hint = Some("for all groups write spec.objective".to_owned());
        report.error(wanted.at(), format!("`{}` names no label", wanted.path), hint);
    }
    for name in matches.keys() {
        if labels.is_some_and(|labels| !labels.contains(name)) {
            let hint = format!("add `{name}` to {}, or match another label", "groupBy.labels");
            report.error(wanted.at(), format!("`{name}` is not one of the group's labels"), Some(hint));
        }
    }
    (report.errors() == before).then_some(())?;
    Some(GroupObjective { matches, objective: percent? })
}
