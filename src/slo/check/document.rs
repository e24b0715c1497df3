//! One document: whose it is, what kind, and its parts put together.

use super::alerting::{self, Block};
use super::field::{Field, Section, short};
use super::names;
use super::rules::{self, Subject};
use super::sli::{self, Measured, Variant};
use super::{group, window};
use crate::slo::format::{API_VERSION, Format};
use crate::slo::load::Context;
use crate::slo::model::{Alerting, GroupBy, Labels, Place, Slo, SloId};
use crate::slo::nearest;
use crate::slo::period::Period;
use crate::slo::problem::Report;
use crate::slo::unit::Objective;
use crate::slo::yaml::Node;

const SPEC: [&str; 8] =
    ["service", "description", "source", "objective", "window", "sli", "groupBy", "alerting"];
const MAX_DESCRIPTION: usize = 16 * 1024;

/// Checks one document; the SLOs count only when the report holds no error.
pub(in crate::slo) fn document(
    root: &Node,
    context: &Context,
    place: &Place,
    report: &mut Report,
) -> Vec<Slo> {
    match Format::of(root) {
        Format::Damper => {}
        Format::Unknown => {
            if !is_ours_mistyped(root, report) {
                return Vec::new();
            }
        }
        // An importer for these belongs here.
        foreign @ (Format::Sloth | Format::Pyrra | Format::OpenSlo) => {
            let what =
                format!("this is a {} definition; this version reads {API_VERSION} only", foreign.name());
            let hint = format!("rewrite it with apiVersion: {API_VERSION}, kind: ServiceLevelObjective");
            report.error(root.at, what, Some(hint));
            return Vec::new();
        }
    }
    if !is_slo(root, report) {
        return Vec::new();
    }
    slos(root, context, place, report).unwrap_or_default()
}

/// Reports a version that is none of the known; true where checking the rest still makes sense.
fn is_ours_mistyped(root: &Node, report: &mut Report) -> bool {
    let hint = Some(format!("begin the document with apiVersion: {API_VERSION}"));
    let Some(node) = root.get("apiVersion") else {
        report.error(root.at, "`apiVersion` is missing", hint);
        return root.get("spec").is_some() || root.get("kind").is_some();
    };
    let text = node.as_text().unwrap_or("a list or mapping");
    report.error(node.at, format!("`apiVersion: {}` is not known", short(text)), hint);
    text.starts_with("damper") || nearest::nearest(text, &[API_VERSION]).is_some()
}

/// Reports a kind that is not an SLO; true where checking the rest makes sense.
fn is_slo(root: &Node, report: &mut Report) -> bool {
    const KIND: &str = "ServiceLevelObjective";
    let Some(node) = root.get("kind") else {
        report.error(root.at, "`kind` is missing", Some(format!("write kind: {KIND}")));
        return true;
    };
    match node.as_text().unwrap_or("a list or mapping") {
        KIND => return true,
        "ScalePolicy" => {
            let hint = Some("remove the document until then; nothing is scaled".to_owned());
            report.error(node.at, "`kind: ScalePolicy` is not supported by this version yet", hint);
        }
        other => {
            let known = [KIND, "ScalePolicy"];
            let what = format!("`kind: {}` is not known", short(other));
            report.error(node.at, what, Some(nearest::hint(other, &known)));
            return nearest::nearest(other, &known) == Some(KIND);
        }
    }
    false
}

struct Metadata {
    name: Option<String>,
    labels: Labels,
    annotations: Labels,
}

fn slos(root: &Node, context: &Context, place: &Place, report: &mut Report) -> Option<Vec<Slo>> {
    let document = Field::root(root).section(&["apiVersion", "kind", "metadata", "spec"], report)?;
    let metadata =
        document.require("metadata", "metadata: {name: …}", report).and_then(|f| metadata(&f, report));
    let hint = "service, objective and sli, and what else is known, belong below spec";
    let spec = document.require("spec", hint, report).and_then(|f| f.section(&SPEC, report));
    let parts = spec.and_then(|spec| spec_parts(&spec, context, report));
    let (metadata, parts) = (metadata?, parts?);
    let name = metadata.name?;
    let slo = |variant: Variant| {
        let objective = variant.objective.or(parts.objective)?;
        let name = match variant.suffix {
            Some(suffix) => format!("{name}.{suffix}"),
            None => name.clone(),
        };
        let others = parts.group_by.iter().flat_map(|g| g.objectives.iter().map(|o| o.objective)).collect();
        let subject =
            Subject { objective, others, period: &parts.period, step: context.step, sli: &variant.sli };
        let rules = rules::build(&parts.block, &subject, report);
        Some(Slo {
            id: SloId { service: parts.service.clone(), name },
            description: parts.description.clone(),
            labels: metadata.labels.clone(),
            annotations: metadata.annotations.clone(),
            source: parts.source.clone(),
            objective,
            period: parts.period.clone(),
            sli: variant.sli,
            alive: parts.alive.clone(),
            absent: parts.absent,
            group_by: parts.group_by.clone(),
            alerting: Alerting {
                name: parts.block.name.clone(),
                mode: parts.block.mode,
                page: parts.block.page.carry.clone(),
                ticket: parts.block.ticket.carry.clone(),
                rules,
            },
            place: place.clone(),
        })
    };
    parts.variants.into_iter().map(slo).collect()
}

fn metadata(field: &Field<'_>, report: &mut Report) -> Option<Metadata> {
    let section = field.section(&["name", "labels", "annotations"], report)?;
    let name = section.require("name", "the SLO's name within its service, such as availability", report);
    Some(Metadata {
        name: name.and_then(|f| names::name(&f, report)),
        labels: names::labels(section.field("labels"), &["alertname", "service", "slo", "severity"], report),
        annotations: names::annotations(section.field("annotations"), report),
    })
}

/// What stands under `spec`, each part good.
struct Parts {
    service: String,
    description: String,
    source: Option<String>,
    objective: Option<Objective>,
    period: Period,
    variants: Vec<Variant>,
    alive: Option<crate::slo::query::Selector>,
    absent: crate::slo::model::Absent,
    group_by: Option<GroupBy>,
    block: Block,
}

fn spec_parts(spec: &Section<'_>, context: &Context, report: &mut Report) -> Option<Parts> {
    let service = spec.require("service", "the service it is for, such as checkout", report);
    let service = service.and_then(|f| names::name(&f, report));
    let description = spec.field("description").map_or(Some(String::new()), |f| description(&f, report));
    let source = spec.field("source").map(|f| source(&f, context, report));
    let period = spec.field("window").map_or(Some(window::DEFAULT), |f| window::period(&f, report));
    let sli = spec.require("sli", "what is measured: events, latency, timeslice or ratio", report);
    let objective = objective(spec, sli.as_ref(), report);
    let measured = sli.and_then(|f| sli::read(&f, context.step, report));
    let group_by = spec.field("groupBy").map(|f| group::read(&f, report));
    let block = match spec.field("alerting") {
        Some(field) => alerting::read(&field, period.as_ref(), context.step, report),
        None => Some(Block::default_at(spec.at())),
    };
    let Measured { variants, alive, absent } = measured?;
    Some(Parts {
        service: service?,
        description: description?,
        source: source.map_or(Some(None), |s| s.map(Some))?,
        objective: objective?,
        period: period?,
        variants,
        alive,
        absent,
        group_by: group_by.map_or(Some(None), |g| g.map(Some))?,
        block: block?,
    })
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
