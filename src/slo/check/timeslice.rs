//! `sli.timeslice` and `sli.ratio`: any PromQL, judged per time slice or asked per window.

use super::field::{Field, short};
use super::queries;
use crate::slo::model::{CompareOp, Comparison, Reduce, Sli, Timeslice};
use crate::slo::problem::Report;
use crate::slo::time::{Span, Step};

const LONGEST_SLICE: Span = Span::from_hours(1);

/// Reads the mapping under `timeslice`.
pub(super) fn read(field: &Field<'_>, step: Step, report: &mut Report) -> Option<Sli> {
    let section = field.section(&["query", "good", "slice", "reduce"], report)?;
    let query = section.require("query", "any PromQL, such as max(queue_length)", report);
    let query = query.and_then(|f| queries::any(&f, report));
    let good = section.require("good", "when a time slice is good, such as good: \"< 10000\"", report);
    let good = good.and_then(|f| comparison(&f, report));
    let slice = section.field("slice").map_or(Some(Span::from_mins(1)), |f| slice(&f, step, report));
    let words = [("last", Reduce::Last), ("avg", Reduce::Avg), ("max", Reduce::Max), ("min", Reduce::Min)];
    let reduce = section.field("reduce").map_or(Some(Reduce::Last), |f| f.choice(&words, report));
    Some(Sli::Timeslice(Timeslice { query: query?, good: good?, slice: slice?, reduce: reduce? }))
}

/// Reads the mapping under `ratio`.
pub(super) fn ratio(field: &Field<'_>, report: &mut Report) -> Option<Sli> {
    let section = field.section(&["query"], report)?;
    let hint =
        "an error ratio with {{.window}}, such as sum(rate(e[{{.window}}])) / sum(rate(t[{{.window}}]))";
    let query = section.require("query", hint, report)?;
    Some(Sli::Direct { error_ratio: queries::template(&query, report)? })
}

fn slice(field: &Field<'_>, step: Step, report: &mut Report) -> Option<Span> {
    let slice = field.span(step.span()..=LONGEST_SLICE, report)?;
    // A slot of five minutes must be whole slices, or a slice whole slots.
    let fits = 300 % slice.secs() == 0 || (slice.secs() % 300 == 0 && 3600 % slice.secs() == 0);
    if slice.secs() % step.secs() != 0 || !fits {
        let hint = "1m, 5m, 10m, 15m, 30m and 1h always fit".to_owned();
        let what = format!(
            "`{}: {slice}` must be a multiple of the step {}, and divide or be divided by 5m",
            field.path,
            step.span()
        );
        report.error(field.at(), what, Some(hint));
        return None;
    }
    Some(slice)
}

fn comparison(field: &Field<'_>, report: &mut Report) -> Option<Comparison> {
    const OPS: [CompareOp; 6] = [
        CompareOp::LessOrEqual,
        CompareOp::GreaterOrEqual,
        CompareOp::Equal,
        CompareOp::NotEqual,
        CompareOp::Less,
        CompareOp::Greater,
    ];
    let text = field.text(report)?.trim();
    let parsed = OPS.into_iter().find_map(|op| {
        let value: f64 = text.strip_prefix(op.as_str())?.trim().parse().ok()?;
        value.is_finite().then_some(Comparison { op, value })
    });
    if parsed.is_none() {
        let hint = "one of < <= > >= == != and a number, in quotes: \"< 10000\"".to_owned();
        report.error(
            field.at(),
            format!("`{}: {}` is not a comparison", field.path, short(text)),
            Some(hint),
        );
    }
    parsed
}
