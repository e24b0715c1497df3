//! `spec.slos`: whose burning moves replicas.

use crate::slo::check::field::{Field, Section, short};
use crate::slo::check::names;
use crate::slo::model::{Labels, SloId};
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

fn id(field: &Field<'_>, report: &mut Report) -> Option<SloId> {
    let text = field.text(report)?;
    let parts =
        text.split_once('/').filter(|(service, name)| names::is_name(service) && names::is_name(name));
    if parts.is_none() {
        let hint = "write service/name, such as checkout/availability".to_owned();
        report.error(field.at(), format!("`{}: {}` is not an SLO", field.path, short(text)), Some(hint));
    }
    let (service, name) = parts?;
    Some(SloId { service: service.to_owned(), name: name.to_owned() })
}

fn group(field: Field<'_>, report: &mut Report) -> Option<Labels> {
    let (at, path, before) = (field.at(), field.path.clone(), report.errors());
    let labels = names::labels(Some(field), &[], report);
    if report.errors() > before {
        return None;
    }
    if labels.is_empty() {
        let hint = "name a value for each label of the SLO's groupBy; without `group` all groups count";
        report.error(at, format!("`{path}` names no label"), Some(hint.to_owned()));
        return None;
    }
    Some(labels)
}
