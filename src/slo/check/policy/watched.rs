//! `spec.slos`: whose burning moves replicas.

use crate::slo::check::field::{Field, Section};
use crate::slo::check::named::{group, id};
use crate::slo::policy::Watched;
use crate::slo::problem::{At, Report};
use crate::slo::yaml::Value;

const MAX_SLOS: usize = 20;

/// The SLOs that can be read, each with its place.
pub(super) fn read(spec: &Section<'_>, report: &mut Report) -> Vec<(Watched, At)> {
    let hint = "the SLOs it guards, such as slos: [checkout/availability]";
    let items = spec.require("slos", hint, report).and_then(|field| some(&field, report));
    let mut read: Vec<(Watched, At)> = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(watched) = one(&item, report) else { continue };
        if read.iter().any(|(other, _)| *other == watched) {
            report.error(item.at(), format!("`{}` is written twice in spec.slos", watched.slo), None);
        }
        read.push((watched, item.at()));
    }
    read
}

fn some<'n>(field: &Field<'n>, report: &mut Report) -> Option<Vec<Field<'n>>> {
    let items = field.items(report)?;
    if items.is_empty() || items.len() > MAX_SLOS {
        report.error(field.at(), format!("`{}` needs 1 to {MAX_SLOS} SLOs", field.path), None);
        return None;
    }
    Some(items)
}

/// `service/name`, or a mapping that names one group of it.
fn one(item: &Field<'_>, report: &mut Report) -> Option<Watched> {
    if !matches!(item.node.value, Value::Map(_)) {
        return Some(Watched { slo: id(item, report)?, group: None });
    }
    let section = item.section(&["slo", "group"], report)?;
    let slo = section.require("slo", "service/name of the SLO, such as checkout/availability", report);
    let slo = slo.and_then(|field| id(&field, report));
    let group = section.field("group").map(|field| group(field, report));
    Some(Watched { slo: slo?, group: group.map_or(Some(None), |group| group.map(Some))? })
}
