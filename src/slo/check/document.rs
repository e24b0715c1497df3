//! One document: whose it is, what kind, its metadata, and the SLOs it gives.

use super::field::{Field, short};
use super::names;
use super::spec::{self, Part};
use crate::slo::format::{API_VERSION, Format};
use crate::slo::load::Context;
use crate::slo::model::{Alerting, Labels, Place, Slo, SloId};
use crate::slo::nearest;
use crate::slo::problem::Report;
use crate::slo::yaml::Node;

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
                format!("this is a definition of {}; this version reads {API_VERSION} only", foreign.name());
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
    let hint = "service, objective, sli and what else is known belong below spec";
    let spec = document.require("spec", hint, report).and_then(|f| spec::read(&f, context, report));
    let (metadata, spec) = (metadata?, spec?);
    let name = metadata.name?;
    let slo = |part: Part| Slo {
        id: SloId {
            service: spec.service.clone(),
            name: part.suffix.map_or_else(|| name.clone(), |suffix| format!("{name}.{suffix}")),
        },
        description: spec.description.clone(),
        labels: metadata.labels.clone(),
        annotations: metadata.annotations.clone(),
        source: spec.source.clone(),
        objective: part.objective,
        period: spec.period.clone(),
        sli: part.sli,
        alive: spec.alive.clone(),
        absent: spec.absent,
        group_by: spec.group_by.clone(),
        alerting: Alerting {
            name: spec.block.name.clone(),
            mode: spec.block.mode,
            page: spec.block.page.carry.clone(),
            ticket: spec.block.ticket.carry.clone(),
            rules: part.rules,
        },
        place: place.clone(),
    };
    Some(spec.parts.into_iter().map(slo).collect())
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
