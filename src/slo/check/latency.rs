//! `sli.latency`: how fast answers must be, one SLO per objective.

use super::bound::{Bound, Unit};
use super::field::Field;
use super::histogram;
use super::sli::Variant;
use super::window;
use crate::slo::problem::Report;
use crate::slo::unit::Objective;

const FIELDS: [&str; 7] = ["histogram", "selector", "unit", "objectives", "errorsAre", "errors", "native"];
const MAX_OBJECTIVES: usize = 20;

/// Reads the mapping under `latency`: one variant per objective.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Option<Vec<Variant>> {
    let section = field.section(&FIELDS, report)?;
    let histogram = histogram::read(&section, report);
    let units = [("s", Unit::Seconds), ("ms", Unit::Milliseconds)];
    let unit = section.field("unit").map_or(Some(Unit::Seconds), |f| f.choice(&units, report));
    let hint = "such as objectives: [{percent: 99, within: 300ms}]";
    let objectives = section.require("objectives", hint, report).and_then(|f| objectives(&f, report));
    let (histogram, unit, objectives) = (histogram?, unit?, objectives?);
    let several = objectives.len() > 1;
    let variant = |(text, bound, objective): (String, Bound, Objective)| {
        let sli = histogram.slower_than(&bound.in_unit(unit))?;
        Some(Variant { suffix: several.then_some(text), objective: Some(objective), sli })
    };
    objectives.into_iter().map(variant).collect()
}

fn objectives(field: &Field<'_>, report: &mut Report) -> Option<Vec<(String, Bound, Objective)>> {
    let items = field.items(report)?;
    if items.is_empty() || items.len() > MAX_OBJECTIVES {
        report.error(field.at(), format!("`{}` needs 1 to {MAX_OBJECTIVES} objectives", field.path), None);
        return None;
    }
    let mut read: Vec<Option<(String, Bound, Objective)>> = Vec::new();
    for item in items {
        let one = objective(&item, report);
        let again =
            one.as_ref().is_some_and(|(_, b, _)| read.iter().flatten().any(|(_, other, _)| other == b));
        if again {
            report.error(
                item.at(),
                format!("`{}` repeats a bound", item.path),
                Some("one objective per `within`".into()),
            );
        }
        read.push(one);
    }
    read.into_iter().collect()
}

fn objective(item: &Field<'_>, report: &mut Report) -> Option<(String, Bound, Objective)> {
    let section = item.section(&["percent", "within"], report)?;
    let percent = section.require("percent", "percent of answers, such as 99", report);
    let percent = percent.and_then(|f| window::objective(&f, report));
    let within = section.require("within", "a bound of the histogram, such as 300ms", report);
    let within = within.and_then(|f| {
        let bound = f.parse("the bound of one of the histogram's buckets, such as 300ms or 2.5s", report)?;
        Some((f.text(report)?.to_owned(), bound))
    });
    let (text, bound) = within?;
    Some((text, bound, percent?))
}
