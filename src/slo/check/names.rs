//! Names, labels and annotations: what Prometheus and Alertmanager would refuse is refused here.

use std::collections::BTreeMap;

use super::field::{Field, short};
use crate::slo::model::Labels;
use crate::slo::problem::Report;

const MAX_NAME: usize = 253;
const MAX_ENTRIES: usize = 64;
const MAX_LABEL: usize = 1024;
const MAX_ANNOTATION: usize = 16 * 1024;

/// Labels that every alert has; nobody else may set them.
pub(super) const IDENTITY: [&str; 3] = ["alertname", "service", "slo"];

/// `[a-z0-9]([-a-z0-9.]*[a-z0-9])?`, at most 253 bytes.
pub(super) fn is_name(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.len() <= MAX_NAME
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
}

/// A label name every Prometheus and Alertmanager takes: `[a-zA-Z_][a-zA-Z0-9_]*`, not `__…`.
pub(super) fn is_label(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.starts_with("__")
        && text.len() <= MAX_NAME
}

/// The name of a service or an SLO.
pub(super) fn name(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    if is_name(text) {
        return Some(text.to_owned());
    }
    let hint =
        "lowercase letters, digits, `-` and `.`, beginning and ending with a letter or digit, at most 253";
    report.error(field.at(), format!("`{}: {}` is not a name", field.path, short(text)), Some(hint.into()));
    None
}

/// Label names and values; `reserved` names are set by Damper alone.
pub(super) fn labels(field: Option<Field<'_>>, reserved: &[&str], report: &mut Report) -> Labels {
    map(field, MAX_LABEL, reserved, report)
}

/// Annotation names and values. Alertmanager refuses a whole batch over one odd annotation name.
pub(super) fn annotations(field: Option<Field<'_>>, report: &mut Report) -> Labels {
    map(field, MAX_ANNOTATION, &[], report)
}

fn map(field: Option<Field<'_>>, longest: usize, reserved: &[&str], report: &mut Report) -> Labels {
    let mut read = BTreeMap::new();
    let Some((field, entries)) = field.and_then(|f| f.entries(report).map(|e| (f, e))) else { return read };
    if entries.len() > MAX_ENTRIES {
        report.error(field.at(), format!("`{}` holds more than {MAX_ENTRIES} entries", field.path), None);
        return read;
    }
    for entry in entries {
        let path = format!("{}.{}", field.path, short(&entry.key));
        if !is_label(&entry.key) {
            let hint =
                "letters, digits and `_`, not beginning with a digit or `__`; Alertmanager refuses others";
            report.error(entry.key_at, format!("`{path}` is not a valid label name"), Some(hint.into()));
        } else if reserved.contains(&entry.key.as_str()) {
            let hint = "choose another name; Damper sets this one on every alert".to_owned();
            report.error(entry.key_at, format!("`{path}` cannot be set here"), Some(hint));
        }
        let Some(text) = (Field { node: &entry.value, path: path.clone() }).text(report) else { continue };
        if text.len() > longest {
            report.error(entry.value.at, format!("`{path}` is longer than {longest} bytes"), None);
        }
        read.insert(entry.key.clone(), text.to_owned());
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_contract() {
        for good in ["a", "checkout", "a-b.c", "9", "latency.300ms", &"a".repeat(253)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", ".a", "A", "a b", "a/b", "ä", "a_b", &"a".repeat(254)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn label_names_follow_the_oldest_alertmanager() {
        for good in ["a", "_a", "A9_"] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "9a", "a-b", "a.b", "__name__", "ä"] {
            assert!(!is_label(bad), "{bad}");
        }
    }
}
