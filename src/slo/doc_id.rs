//! Which document this is, read leniently: a broken document must still be known as the one whose
//! last good version goes on running.

use std::fmt;

use super::format::{Format, POLICY_KIND, SLO_KIND};
use super::yaml::Node;

/// Kind, service and name of a document, whatever its version. Names are as written, not checked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DocId {
    /// `ServiceLevelObjective` where the kind is missing.
    pub kind: String,
    /// `spec.service`; empty where there is none, and for policies, which belong to no service.
    pub service: String,
    /// `metadata.name`.
    pub name: String,
}

const LONGEST: usize = 253;

impl DocId {
    /// From a document that is YAML; `None` without a name, and for formats that are not ours.
    pub fn of(root: &Node) -> Option<Self> {
        if matches!(Format::of(root), Format::Sloth | Format::Pyrra | Format::OpenSlo) {
            return None;
        }
        let service = root.get("spec").and_then(|spec| spec.get("service")).and_then(Node::as_text);
        let name = root.get("metadata").and_then(|metadata| metadata.get("name")).and_then(Node::as_text);
        Self::from_parts(root.get("kind").and_then(Node::as_text), service, name?)
    }

    /// From a document that is not YAML: the first `kind`, `service`, and `name` after `metadata`.
    pub fn guess(text: &str) -> Option<Self> {
        let (_, metadata) = text.split_once("metadata:")?;
        Self::from_parts(value(text, "kind:"), value(text, "service:"), value(metadata, "name:")?)
    }

    fn from_parts(kind: Option<&str>, service: Option<&str>, name: &str) -> Option<Self> {
        let part = |text: &str| text.chars().take(LONGEST).collect::<String>();
        let kind = part(kind.unwrap_or(SLO_KIND));
        let service = service.filter(|_| kind != POLICY_KIND).unwrap_or_default();
        Some(Self { kind, service: part(service), name: part(name) })
    }
}

/// The word after the first `key` that stands at the beginning of a line or inside `{…}`.
fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let at = text.match_indices(key).map(|(at, _)| at).find(|at| {
        let before = text.get(..*at).unwrap_or_default();
        before.is_empty() || before.ends_with([' ', '\n', '\t', '{', ','])
    })?;
    let line = text.get(at + key.len()..)?.lines().next()?.trim();
    let word = line.trim_start_matches(['"', '\'']);
    let word = word.split([' ', ',', '}', '"', '\'', '#']).next()?;
    (!word.is_empty()).then_some(word)
}

impl fmt::Display for DocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind.as_str() {
            POLICY_KIND => write!(f, "{POLICY_KIND} {}", self.name),
            kind => write!(f, "{kind} {}/{}", self.service, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(text: &str) -> Option<String> {
        DocId::guess(text).map(|id| id.to_string())
    }

    #[test]
    fn broken_documents_are_still_known() {
        let block = "kind: ServiceLevelObjective\nmetadata:\n  name: \"avail\" # x\nspec:\n  service: checkout\n  a: [";
        assert_eq!(guessed(block).as_deref(), Some("ServiceLevelObjective checkout/avail"));
        let flow = "metadata: {name: avail, labels: {}}\nspec: {service: checkout, ";
        assert_eq!(guessed(flow).as_deref(), Some("ServiceLevelObjective checkout/avail"));
        let policy = "kind: ScalePolicy\nmetadata: {name: checkout}\nspec:\n  service: x\n  slos: [";
        assert_eq!(guessed(policy).as_deref(), Some("ScalePolicy checkout"));
        assert_eq!(guessed("spec: {service: a"), None);
        assert_eq!(guessed("metadata:\n  name:"), None);
    }
}
