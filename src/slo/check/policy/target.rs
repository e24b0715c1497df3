//! `spec.target`: what is scaled. Kinds are not checked against a list: whatever has a scale
//! subresource will do. Only names that no API server could hold are refused.

use crate::slo::check::field::{Field, Section, short};
use crate::slo::load::Context;
use crate::slo::nearest;
use crate::slo::policy::Target;
use crate::slo::problem::{At, Report};

const HINT: &str = "what is scaled, such as target: {apiVersion: apps/v1, kind: Deployment, namespace: shop, name: checkout}";
/// Fields of a resource that a workload behind an actuator does not have.
const KUBERNETES: [&str; 3] = ["apiVersion", "kind", "namespace"];
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;

/// The target and its place.
pub(super) fn read(spec: &Section<'_>, context: &Context, report: &mut Report) -> Option<(Target, At)> {
    let field = spec.require("target", HINT, report)?;
    let section = field.section(&["apiVersion", "kind", "namespace", "name", "actuator"], report)?;
    let target = match section.field("actuator") {
        Some(actuator) => webhook(&section, &actuator, context, report),
        None => kubernetes(&section, report),
    };
    Some((target?, field.at()))
}

fn kubernetes(section: &Section<'_>, report: &mut Report) -> Option<Target> {
    let api_version = Part {
        key: "apiVersion",
        hint: "group and version, such as apiVersion: apps/v1; for workloads outside of Kubernetes write `actuator`",
        fits: is_api_version,
    };
    let kind = Part { key: "kind", hint: "such as kind: Deployment", fits: is_kind };
    let label = "lowercase letters, digits and `-`, beginning and ending with a letter or digit, at most 63";
    let namespace = Part { key: "namespace", hint: label, fits: is_label };
    let subdomain = "lowercase letters, digits, `-` and `.`, at most 253";
    let name = Part { key: "name", hint: subdomain, fits: is_subdomain };
    let [api_version, kind, namespace, name] =
        [api_version, kind, namespace, name].map(|part| part.read(section, report));
    Some(Target::Kubernetes { api_version: api_version?, kind: kind?, namespace: namespace?, name: name? })
}

fn webhook(
    section: &Section<'_>,
    actuator: &Field<'_>,
    context: &Context,
    report: &mut Report,
) -> Option<Target> {
    for field in KUBERNETES.iter().filter_map(|key| section.field(key)) {
        let hint = "an actuator's workload has a name alone; a resource has no `actuator`".to_owned();
        report.error(field.at(), format!("`{}` cannot stand beside `actuator`", field.path), Some(hint));
    }
    let name = Part { key: "name", hint: "the workload's name at the actuator", fits: is_visible };
    let name = name.read(section, report);
    let actuator = known(actuator, context, report)?;
    Some(Target::Webhook { actuator, name: name? })
}

/// The name of an actuator, which the settings must have where they are known.
fn known(field: &Field<'_>, context: &Context, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    if !is_visible(text) {
        report.error(field.at(), format!("`{}` is not a name", field.path), None);
        return None;
    }
    if let Some(actuators) = &context.actuators
        && !actuators.iter().any(|actuator| actuator == text)
    {
        let known: Vec<&str> = actuators.iter().map(String::as_str).collect();
        let hint = match known.as_slice() {
            [] => "the settings have none; write it under scaling.actuators".to_owned(),
            known => nearest::hint(text, known),
        };
        let what = format!("`{}: {}` is no actuator of the settings", field.path, short(text));
        report.error(field.at(), what, Some(hint));
    }
    Some(text.to_owned())
}

/// A field and the form it must have.
struct Part {
    key: &'static str,
    hint: &'static str,
    fits: fn(&str) -> bool,
}

impl Part {
    fn read(self, section: &Section<'_>, report: &mut Report) -> Option<String> {
        let field = section.require(self.key, self.hint, report)?;
        let text = field.text(report)?;
        if !(self.fits)(text) {
            let what = format!("`{}: {}` is not well-formed", field.path, short(text));
            report.error(field.at(), what, Some(self.hint.to_owned()));
            return None;
        }
        Some(text.to_owned())
    }
}

/// `apps/v1`, `argoproj.io/v1alpha1`; without a group `v1` and its like.
fn is_api_version(text: &str) -> bool {
    match text.split_once('/') {
        Some((group, version)) => {
            is_subdomain(group) && is_label(version) && version.starts_with(|c: char| c.is_ascii_lowercase())
        }
        None => is_label(text) && matches!(text.as_bytes(), [b'v', digit, ..] if digit.is_ascii_digit()),
    }
}

/// `Deployment`.
fn is_kind(text: &str) -> bool {
    text.len() <= MAX_LABEL
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// RFC 1123 label: `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, at most 63 bytes.
fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && is_part(text)
}

/// RFC 1123 subdomain: parts joined by dots, at most 253 bytes.
fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_NAME && text.split('.').all(is_part)
}

fn is_part(text: &str) -> bool {
    let letter = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(letter)
        && bytes.last().is_some_and(letter)
        && bytes.iter().all(|b| letter(b) || *b == b'-')
}

/// One line that can be seen.
fn is_visible(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_an_api_server_takes() {
        for good in ["v1", "apps/v1", "argoproj.io/v1alpha1", "a.b-c.io/v2beta3"] {
            assert!(is_api_version(good), "{good}");
        }
        for bad in
            ["", "apps", "apps/", "/v1", "apps/1", "apps/v1/x", "Apps/v1", "apps/v1 ", "a..b/v1", "apps/V1"]
        {
            assert!(!is_api_version(bad), "{bad}");
        }
        for (kind, good) in [
            ("Deployment", true),
            ("Rollout2", true),
            ("deployment", false),
            ("Stateful-Set", false),
            ("", false),
        ] {
            assert_eq!(is_kind(kind), good, "{kind}");
        }
        for (label, good) in [
            ("shop", true),
            ("a-1", true),
            ("a.b", false),
            ("-a", false),
            ("a-", false),
            ("A", false),
            ("", false),
        ] {
            assert_eq!(is_label(label), good, "{label}");
        }
        assert!(is_label(&"a".repeat(63)) && !is_label(&"a".repeat(64)));
        assert!(
            is_subdomain("a.b-c") && !is_subdomain("a..b") && !is_subdomain("a.-b") && !is_subdomain("a.")
        );
        assert!(is_subdomain(&"a".repeat(253)) && !is_subdomain(&"a".repeat(254)));
    }
}
