//! One document: whose it is, what kind, its metadata, and the SLOs or the policy it gives.

use super::composite;
use super::field::{Field, short};
use super::names;
use super::policy::{self, Draft};
use super::spec::{self, Part};
use crate::slo::composite::Part as CompositePart;
use crate::slo::format::{API_VERSION, Format, POLICY_KIND, SLO_KIND};
use crate::slo::load::Context;
use crate::slo::model::{Alerting, Labels, Place, Slo, SloId};
use crate::slo::nearest;
use crate::slo::problem::{At, Report};
use crate::slo::yaml::Node;

/// Labels that alerts have by themselves.
const RESERVED: [&str; 4] = ["alertname", "service", "slo", "severity"];

/// What a document gives; it counts only when the report holds no error.
#[derive(Debug, Default)]
pub(in crate::slo) struct Content {
    pub(in crate::slo) slos: Vec<Slo>,
    pub(in crate::slo) draft: Option<Draft>,
    /// What a composite is made of, each with its place.
    pub(in crate::slo) parts: Vec<(CompositePart, At)>,
}

/// Checks one document by itself.
pub(in crate::slo) fn document(
    root: &Node,
    context: &Context,
    place: &Place,
    report: &mut Report,
) -> Content {
    match Format::of(root) {
        Format::Damper => {}
        Format::Unknown => {
            if !is_ours_mistyped(root, report) {
                return Content::default();
            }
        }
        // An importer for these belongs here.
        foreign @ (Format::Sloth | Format::Pyrra | Format::OpenSlo) => {
            let what =
                format!("this is a definition of {}; this version reads {API_VERSION} only", foreign.name());
            let hint = format!("rewrite it with apiVersion: {API_VERSION}, kind: ServiceLevelObjective");
            report.error(root.at, what, Some(hint));
            return Content::default();
        }
    }
    match kind(root, report) {
        Some(Kind::Slo) => {
            let slos = slos(root, context, place, report).unwrap_or_default();
            Content { slos, draft: None, parts: composite::named(root) }
        }
        Some(Kind::Policy) => {
            Content { draft: policy::read(root, context, place, report), ..Content::default() }
        }
        None => Content::default(),
    }
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

/// What a document defines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Slo,
    Policy,
}

/// What a document defines, or seems to where its kind is missing or mistyped, which is reported.
fn kind(root: &Node, report: &mut Report) -> Option<Kind> {
    const KINDS: [(&str, Kind); 2] = [(SLO_KIND, Kind::Slo), (POLICY_KIND, Kind::Policy)];
    let of = |word: &str| KINDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind);
    let Some(node) = root.get("kind") else {
        let hint = format!("write kind: {SLO_KIND}, or kind: {POLICY_KIND}");
        report.error(root.at, "`kind` is missing", Some(hint));
        let is_policy = |spec: &Node| spec.get("slos").is_some() || spec.get("target").is_some();
        return Some(if root.get("spec").is_some_and(is_policy) { Kind::Policy } else { Kind::Slo });
    };
    let word = node.as_text().unwrap_or("a list or mapping");
    of(word).or_else(|| {
        let known = KINDS.map(|(known, _)| known);
        let what = format!("`kind: {}` is not known", short(word));
        report.error(node.at, what, Some(nearest::hint(word, &known)));
        nearest::nearest(word, &known).and_then(of)
    })
}

/// What stands under `metadata`.
pub(super) struct Metadata {
    pub(super) name: Option<String>,
    pub(super) labels: Labels,
    pub(super) annotations: Labels,
}

fn slos(root: &Node, context: &Context, place: &Place, report: &mut Report) -> Option<Vec<Slo>> {
    let document = Field::root(root).section(&["apiVersion", "kind", "metadata", "spec"], report)?;
    let naming = "the SLO's name within its service, such as availability";
    let metadata = document.require("metadata", "metadata: {name: …}", report);
    let metadata = metadata.and_then(|f| self::metadata(&f, naming, &RESERVED, report));
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

/// Reads the mapping under `metadata`; `naming` says what the name is, `reserved` labels are Damper's.
pub(super) fn metadata(
    field: &Field<'_>,
    naming: &str,
    reserved: &[&str],
    report: &mut Report,
) -> Option<Metadata> {
    let section = field.section(&["name", "labels", "annotations"], report)?;
    let name = section.require("name", naming, report);
    Some(Metadata {
        name: name.and_then(|f| names::name(&f, report)),
        labels: names::labels(section.field("labels"), reserved, report),
        annotations: names::annotations(section.field("annotations"), report),
    })
}
