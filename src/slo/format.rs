//! Whose definition a document is, told by its own version field.

use super::yaml::Node;

/// The version this program reads.
pub const API_VERSION: &str = "damper.dev/v1";
/// The kind of a document that is an SLO.
pub const SLO_KIND: &str = "ServiceLevelObjective";
/// The kind of a document that is a scale policy.
pub const POLICY_KIND: &str = "ScalePolicy";

/// Whose definition a document is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `apiVersion: damper.dev/v1`.
    Damper,
    /// `version: prometheus/v1` or `apiVersion: sloth.slok.dev/v1`.
    Sloth,
    /// `apiVersion: pyrra.dev/v1alpha1`.
    Pyrra,
    /// `apiVersion: openslo/v1`.
    OpenSlo,
    /// Another version, or none.
    Unknown,
}

impl Format {
    /// By `apiVersion`, or `version` where Sloth's files have it.
    pub fn of(root: &Node) -> Self {
        let text = |key| root.get(key).and_then(Node::as_text).unwrap_or_default();
        let group = text("apiVersion").split('/').next().unwrap_or_default();
        match group {
            _ if text("apiVersion") == API_VERSION => Self::Damper,
            "sloth.slok.dev" => Self::Sloth,
            "pyrra.dev" => Self::Pyrra,
            "openslo" | "openslo.com" => Self::OpenSlo,
            "" if text("version").starts_with("prometheus/") => Self::Sloth,
            _ => Self::Unknown,
        }
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Damper => "Damper",
            Self::Sloth => "Sloth",
            Self::Pyrra => "Pyrra",
            Self::OpenSlo => "OpenSLO",
            Self::Unknown => "an unknown format",
        }
    }
}
