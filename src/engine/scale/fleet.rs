//! Across policies: when many ask for more at once, what ails them is not a lack of replicas.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::verdict::{Decision, Reason, Verdict};
use crate::slo::time::{Span, Ts};

/// What all policies together may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Percent of all policies that may add within [`Limits::WITHIN`]; at least one may.
    pub policies_up: u32,
    /// Replicas added in an hour.
    pub added_per_hour: u32,
}

/// What holds all policies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Brake {
    /// The kill switch.
    Stopped {
        /// Who or what.
        by: String,
    },
    /// More policies want to add than may.
    CommonCause {
        /// How many.
        adding: u32,
        /// How many may.
        most: u32,
    },
    /// As many replicas were added as may be in an hour.
    Added {
        /// How many.
        added: u32,
        /// How many may.
        most: u32,
    },
}

/// One addition of any policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    at: Ts,
    policy: String,
    replicas: u32,
}

/// Who asked for more lately.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fleet {
    added: Vec<Added>,
    /// When a policy wanted to add, allowed or not, last.
    wanted: BTreeMap<String, Ts>,
    /// Since when a common cause is seen.
    common_since: Option<Ts>,
}

impl Limits {
    /// Policies that add, or want to, within this time count together. It is as long as burn stays in
    /// their long windows: the last to recover from a common cause still have that cause.
    pub const WITHIN: Span = Span::from_mins(5);

    /// How many of so many policies may add: rounded up, at least two, since one of a few is no
    /// sign of a common cause.
    pub fn most(self, policies: u32) -> u32 {
        policies.saturating_mul(self.policies_up).div_ceil(100).max(2)
    }
}

impl Fleet {
    /// Looks at what all policies would do if each were alone; what holds them all, if anything.
    pub fn brake(
        &mut self,
        now: Ts,
        wishes: &[(&str, &Decision)],
        policies: u32,
        limits: Limits,
    ) -> Option<Brake> {
        self.added.retain(|added| now.since(added.at) < Span::from_hours(1));
        // A policy that is gone is none of `policies` either.
        let is_one = |policy: &str| wishes.iter().any(|(name, _)| *name == policy);
        self.wanted.retain(|policy, at| is_one(policy) && now.since(*at) < Limits::WITHIN);
        let wanting: Vec<(&str, u32)> = wishes.iter().filter_map(|(p, d)| Some((*p, more(d)?))).collect();
        self.wanted.extend(wanting.iter().map(|(policy, _)| ((*policy).to_owned(), now)));
        let lately = self.added.iter().filter(|added| now.since(added.at) < Limits::WITHIN);
        let mut adding: Vec<&str> =
            lately.map(|added| added.policy.as_str()).filter(|policy| is_one(policy)).collect();
        adding.extend(self.wanted.keys().map(String::as_str));
        adding.sort_unstable();
        adding.dedup();
        let adding = u32::try_from(adding.len()).unwrap_or(u32::MAX);
        let most = limits.most(policies);
        if adding > most {
            self.common_since.get_or_insert(now);
            return Some(Brake::CommonCause { adding, most });
        }
        self.common_since = None;
        let added = |sum: u32, more: u32| sum.saturating_add(more);
        let before = self.added.iter().map(|added| added.replicas).fold(0, added);
        let wanted = wanting.iter().map(|(_, more)| *more).fold(0, added);
        let all = before.saturating_add(wanted);
        (wanted > 0 && all > limits.added_per_hour)
            .then_some(Brake::Added { added: before, most: limits.added_per_hour })
    }

    /// Remembers what a policy adds.
    pub fn note(&mut self, policy: &str, decision: &Decision) {
        if let Some(replicas) = more(decision) {
            self.added.push(Added { at: decision.at, policy: policy.to_owned(), replicas });
        }
    }

    /// Since when a common cause is seen.
    pub fn common_since(&self) -> Option<Ts> {
        self.common_since
    }
}

impl From<&Brake> for Reason {
    fn from(brake: &Brake) -> Self {
        match brake {
            Brake::Stopped { by } => Self::Stopped { by: by.clone() },
            Brake::CommonCause { adding, most } => Self::CommonCause { adding: *adding, most: *most },
            Brake::Added { added, most } => Self::FleetLimit { added: *added, most: *most },
        }
    }
}

/// Replicas that a decision adds.
fn more(decision: &Decision) -> Option<u32> {
    match decision.verdict {
        Verdict::Scale { from, to } if to > from => Some(to - from),
        _ => None,
    }
}
