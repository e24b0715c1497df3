//! `spec.sli`: the union of what can be measured, and what its absence means.

use super::field::{Field, Section};
use super::{composite, events, latency, queries, timeslice};
use crate::slo::model::{Absent, AbsentMeans, Severity, Sli};
use crate::slo::problem::Report;
use crate::slo::query::{Linear, Matcher, Selector};
use crate::slo::time::{Span, Step};
use crate::slo::unit::Objective;

const KINDS: [&str; 5] = ["events", "latency", "timeslice", "ratio", "composite"];
const FIELDS: [&str; 7] = ["events", "latency", "timeslice", "ratio", "composite", "alive", "absent"];
const ABSENT: Absent =
    Absent { means: AbsentMeans::Unknown, after: Span::from_mins(10), severity: Severity::Ticket };

/// The severities by name.
pub(super) const SEVERITIES: [(&str, Severity); 2] = [("page", Severity::Page), ("ticket", Severity::Ticket)];

/// One SLO of a definition.
#[derive(Debug)]
pub(super) struct Variant {
    /// What is added to the SLO's name.
    pub(super) suffix: Option<String>,
    /// Its own objective, where the SLI holds it.
    pub(super) objective: Option<Objective>,
    pub(super) sli: Sli,
}

/// All that stands under `sli`.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) variants: Vec<Variant>,
    pub(super) alive: Option<Selector>,
    pub(super) absent: Absent,
}

/// Whether the SLI holds the objectives, as `latency` does.
pub(super) fn holds_objectives(sli: &Field<'_>) -> bool {
    sli.node.get("latency").is_some()
}

/// Reads the mapping under `sli`.
pub(super) fn read(field: &Field<'_>, step: Step, report: &mut Report) -> Option<Measured> {
    let section = field.section(&FIELDS, report)?;
    let variants = section.one_of(&KINDS, report).and_then(|kind| variants(&section, kind, step, report));
    let alive = section.field("alive").map(|f| queries::selector(&f, report));
    let absent = section.field("absent").map_or(Some(ABSENT), |f| absent(&f, report));
    let variants = variants?;
    let alive = match alive {
        Some(written) => Some(written?),
        None => variants.first().and_then(|v| up(&v.sli)),
    };
    Some(Measured { variants, alive, absent: absent? })
}

fn variants(section: &Section<'_>, kind: &str, step: Step, report: &mut Report) -> Option<Vec<Variant>> {
    let field = section.require(kind, "write what is measured below it", report)?;
    let one = |sli| vec![Variant { suffix: None, objective: None, sli }];
    match kind {
        "events" => events::read(&field, report).map(one),
        "latency" => latency::read(&field, report),
        "timeslice" => timeslice::read(&field, step, report).map(one),
        "composite" => {
            composite::refuse_beside(section, report);
            composite::read(&field, report).map(one)
        }
        _ => timeslice::ratio(&field, report).map(one),
    }
}

fn absent(field: &Field<'_>, report: &mut Report) -> Option<Absent> {
    let section = field.section(&["means", "after", "severity"], report)?;
    let words = [
        ("unknown", AbsentMeans::Unknown),
        ("good", AbsentMeans::Good),
        ("bad", AbsentMeans::Bad),
        ("idle", AbsentMeans::Idle),
    ];
    let means = section.field("means").map_or(Some(ABSENT.means), |f| f.choice(&words, report));
    let bounds = Span::from_mins(1)..=Span::from_days(7);
    let after = section.field("after").map_or(Some(ABSENT.after), |f| f.span(bounds, report));
    let severity = section.field("severity").map_or(Some(ABSENT.severity), |f| f.choice(&SEVERITIES, report));
    Some(Absent { means: means?, after: after?, severity: severity? })
}

/// `up` of the jobs that `total` is about: the `job` matchers of its first term that has any.
fn up(sli: &Sli) -> Option<Selector> {
    let Sli::Counted { total, .. } = sli else { return None };
    let matchers = job_matchers(total)?;
    Some(Selector { metric: "up".into(), matchers })
}

fn job_matchers(total: &Linear) -> Option<Vec<Matcher>> {
    use crate::slo::query::MatchOp::{Equal, Regex};
    let names_job = |m: &&Matcher| m.label == "job";
    let term = total
        .terms
        .iter()
        .find(|t| t.atom.selector.matchers.iter().filter(names_job).any(|m| matches!(m.op, Equal | Regex)))?;
    Some(term.atom.selector.matchers.iter().filter(names_job).cloned().collect())
}
