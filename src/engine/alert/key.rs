//! Identity of an alert. Never a hash of a query: editing an SLO does not orphan its alerts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::digest::Digest;
use crate::engine::words::pairs;
use crate::slo::model::{Labels, Severity};
use crate::slo::time::Ts;

/// What an alert is about, and how urgent it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct AlertKey {
    /// What it is about.
    pub subject: Subject,
    /// Page or ticket.
    pub severity: Severity,
}

/// What an alert is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// The burn rate of an SLO and group.
    Burn {
        /// `service/name`.
        slo: String,
        /// Group labels; empty without grouping.
        group: Labels,
    },
    /// No series of an SLO's total exists.
    Absent {
        /// `service/name`.
        slo: String,
    },
    /// Nothing is known about one SLO although its source answers.
    Unknown {
        /// `service/name`.
        slo: String,
    },
    /// A source does not answer.
    Blind {
        /// The source's name.
        source: String,
    },
    /// What a scale policy does, or cannot do.
    Scaling {
        /// The policy's name; `None` for what is about all of them.
        policy: Option<String>,
        /// What of it.
        matter: Matter,
    },
}

/// What people are told of a scale policy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Matter {
    /// It added replicas that are not given back yet.
    Added,
    /// It would act and cannot.
    Blocked,
    /// Somebody else set the count.
    Overridden,
    /// What it added did not help.
    Ineffective,
    /// Burn began with a new version, so nothing is added.
    SuspectVersion,
    /// Many policies want more at once.
    CommonCause,
}

impl Matter {
    /// The alert's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "ReplicasAdded",
            Self::Blocked => "ScalingBlocked",
            Self::Overridden => "ScalingOverridden",
            Self::Ineffective => "ScalingIneffective",
            Self::SuspectVersion => "ScalingSuspectVersion",
            Self::CommonCause => "ScalingCommonCause",
        }
    }
}

impl Subject {
    /// The SLO it is about, if it is about one.
    pub fn slo(&self) -> Option<&str> {
        match self {
            Self::Burn { slo, .. } | Self::Absent { slo } | Self::Unknown { slo } => Some(slo),
            Self::Blind { .. } | Self::Scaling { .. } => None,
        }
    }
}

/// `shop/pay`, `shop/pay (route=/list)`, a source, a policy, or `scaling` for all policies.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burn { slo, group } if !group.is_empty() => write!(f, "{slo} ({})", pairs(group)),
            Self::Burn { slo, .. } | Self::Absent { slo } | Self::Unknown { slo } => f.write_str(slo),
            Self::Blind { source } => f.write_str(source),
            Self::Scaling { policy, .. } => f.write_str(policy.as_deref().unwrap_or("scaling")),
        }
    }
}

impl AlertKey {
    /// The text the store files the alert under.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Back from [`Self::to_text`].
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// One id for the firing and the resolve: the same identity, labels and moment give the same id.
    pub fn incident(&self, labels: &Labels, fired_at: Ts) -> String {
        let labels = serde_json::to_string(labels).unwrap_or_default();
        Digest::of(&[&self.to_text(), &labels, &fired_at.0.to_string()]).hex()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_the_store() {
        let group = Labels::from([("route".into(), "/a \"b\"\n".into())]);
        let key = AlertKey {
            subject: Subject::Burn { slo: "checkout/availability".into(), group },
            severity: Severity::Page,
        };
        assert_eq!(AlertKey::from_text(&key.to_text()), Some(key.clone()));
        assert_eq!(key.subject.to_string(), "checkout/availability (route=/a \"b\"\n)");
        let whole = Subject::Burn { slo: "checkout/availability".into(), group: Labels::new() };
        assert_eq!(whole.to_string(), "checkout/availability");
        assert_ne!(key.incident(&Labels::new(), Ts(1)), key.incident(&Labels::new(), Ts(2)));
    }
}
