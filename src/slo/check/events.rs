//! `sli.events`: bad or good, and total.

use super::field::{Field, Section};
use super::linear;
use super::queries;
use crate::slo::model::Sli;
use crate::slo::problem::{At, Report};
use crate::slo::promql::{self, EventsQuery};
use crate::slo::query::Linear;

const TOTAL_HINT: &str = "the query of all events, such as http_requests_total{job=\"checkout\"}";

/// Which side is written beside `total`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Bad,
    Good,
}

/// Reads the mapping under `events`.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Option<Sli> {
    let section = field.section(&["bad", "good", "total", "counter"], report)?;
    let counter = section.field("counter").map(|f| f.choice(&[("aggregated", ())], report));
    let side = match section.one_of(&["bad", "good"], report) {
        Some("good") => Some(Side::Good),
        Some(_) => Some(Side::Bad),
        None => None,
    };
    let part = side.and_then(|side| part(&section, side, counter.is_some(), report));
    let total_field = section.require("total", TOTAL_HINT, report);
    let total = total_field.as_ref().and_then(|f| queries::events(f, counter.is_some(), report));
    let (side, (part_field, part), total_field, total) = (side?, part?, total_field?, total?);
    let at = part_field.at();
    if let (Some(one), Some(other)) = (queries::form(&part_field), queries::form(&total_field))
        && !one.agrees_with(other)
    {
        let what = format!(
            "`{}` and `{}`: one is per second, the other per window",
            part_field.path, total_field.path
        );
        let hint = "Damper counts events either way; write both alike, or plain selectors".to_owned();
        report.notice(at, what, Some(hint));
    }
    match (part, total) {
        (EventsQuery::Additive(part), EventsQuery::Additive(total)) => counted(side, part, total, at, report),
        (EventsQuery::Direct { why, .. }, _) | (_, EventsQuery::Direct { why, .. }) => {
            let notice =
                "not a sum of counters, so it is asked per window and weighted by time, not by events";
            report.notice(
                at,
                format!("`{}` and `{}`: {notice}: {why}", part_field.path, total_field.path),
                None,
            );
            direct(side, &part_field, &total_field, report)
        }
    }
}

fn part<'n>(
    section: &Section<'n>,
    side: Side,
    aggregated: bool,
    report: &mut Report,
) -> Option<(Field<'n>, EventsQuery)> {
    let (key, hint) = match side {
        Side::Bad => {
            ("bad", "the query of bad events, such as http_requests_total{job=\"checkout\",code=~\"5..\"}")
        }
        Side::Good => {
            ("good", "the query of good events, such as http_requests_total{job=\"checkout\",code!~\"5..\"}")
        }
    };
    let field = section.require(key, hint, report)?;
    let query = queries::events(&field, aggregated, report)?;
    Some((field, query))
}

fn counted(side: Side, part: Linear, total: Linear, at: At, report: &mut Report) -> Option<Sli> {
    let whole = "select a part of the events, such as code=~\"5..\"";
    if part == total {
        let (what, hint) = match side {
            Side::Bad => ("`bad` and `total` are the same query: every event would be bad", whole),
            Side::Good => ("`good` and `total` are the same query: no event could ever be bad", whole),
        };
        report.error(at, what, Some(hint.into()));
        return None;
    }
    if selects_all(&part, &total) {
        let what = "this selects events that `total` does not: the same metric with fewer label matchers";
        report.notice(at, what, Some(format!("repeat the matchers of `total`, and {whole}")));
    }
    let bad = match side {
        Side::Bad => Some(part),
        Side::Good => linear::minus(&total, &part),
    }?;
    Some(Sli::Counted { bad, total })
}

/// Whether `part` is one selector of `total`'s metric with a real subset of its matchers.
fn selects_all(part: &Linear, total: &Linear) -> bool {
    let ([part], [total]) = (part.terms.as_slice(), total.terms.as_slice()) else { return false };
    let (part, total) = (&part.atom.selector, &total.atom.selector);
    part.metric == total.metric && part.matchers.iter().all(|m| total.matchers.contains(m))
}

/// Both queries as one ratio. Each must name its window, or a sum over one range would be divided by one over another.
fn direct(side: Side, part: &Field<'_>, total: &Field<'_>, report: &mut Report) -> Option<Sli> {
    let (part_text, total_text) = (queries::template(part, report), queries::template(total, report));
    let (part_text, total_text) = (enclosed(&part_text?), enclosed(&total_text?));
    let ratio = match side {
        Side::Bad => format!("{part_text} / {total_text}"),
        Side::Good => format!("1 - {part_text} / {total_text}"),
    };
    match promql::read_template(&ratio) {
        Ok(error_ratio) => Some(Sli::Direct { error_ratio }),
        Err(error) => {
            report.error(part.at(), format!("as a ratio `{ratio}`: {}", error.message), error.hint);
            None
        }
    }
}

/// In parentheses, the closing one beyond the reach of a comment.
fn enclosed(text: &str) -> String {
    if text.contains('#') { format!("({text}\n)") } else { format!("({text})") }
}
