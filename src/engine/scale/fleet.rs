//! Across policies: when many ask for more at once, what ails them is not a lack of replicas.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::verdict::{Decision, Reason, Verdict};
use crate::slo::policy::{ScaleMode, ScalePolicy};
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
}

/// What all policies together may still add in this hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// Replicas that are left.
    pub left: u32,
    /// Replicas that were added, or are granted to those that burn more.
    pub added: u32,
    /// Replicas that may be added in an hour.
    pub most: u32,
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
    /// The same of policies whose saturation shows that load is the cause.
    loaded: BTreeMap<String, Ts>,
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

/// So many that are full at once are a campaign, and to add is what they are for. More of them are
/// not: what they all call has become slow, and fills their pools.
const FULL_AT_ONCE: usize = 4;

/// A policy, and what it would do if it were alone.
pub type Alone<'a> = (&'a ScalePolicy, &'a Decision);

impl Fleet {
    /// Looks at what all policies would do if each were alone; what holds them all, if anything.
    /// Policies of a dry run neither count nor are counted.
    pub fn brake(&mut self, now: Ts, all: &[Alone<'_>], limits: Limits) -> Option<Brake> {
        self.added.retain(|added| now.since(added.at) < Span::from_hours(1));
        // A policy that is gone has no part in it.
        let is_one = |name: &String| all.iter().any(|(policy, _)| policy.name == *name);
        for wanted in [&mut self.wanted, &mut self.loaded] {
            wanted.retain(|name, at| is_one(name) && now.since(*at) < Limits::WITHIN);
        }
        for (_, policy) in adding(all) {
            self.want(policy, now);
        }
        let adding = self.wanted.len() + self.loaded.len().saturating_sub(FULL_AT_ONCE);
        let adding = u32::try_from(adding).unwrap_or(u32::MAX);
        let policies = all.iter().filter(|(policy, _)| policy.mode == ScaleMode::Auto).count();
        let most = limits.most(u32::try_from(policies).unwrap_or(u32::MAX));
        if adding > most {
            self.common_since.get_or_insert(now);
            return Some(Brake::CommonCause { adding, most });
        }
        self.common_since = None;
        None
    }

    /// Who wants more than is left of the hour, by its place in `all`, and what is left for it: what
    /// burns most is served first. They are to be decided again with that room.
    pub fn short(&self, all: &[Alone<'_>], limits: Limits) -> BTreeMap<usize, Room> {
        let sum = |sum: u32, added: &Added| sum.saturating_add(added.replicas);
        let mut added = self.added.iter().fold(0, sum);
        let mut wishes: Vec<(f64, usize, u32)> =
            adding(all).filter_map(|(ix, _)| all.get(ix).map(|(_, d)| (burn(d), ix, d.adds))).collect();
        wishes.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
        let mut short = BTreeMap::new();
        for (_, ix, adds) in wishes {
            let left = limits.added_per_hour.saturating_sub(added);
            if adds > left {
                short.insert(ix, Room { left, added, most: limits.added_per_hour });
            }
            added = added.saturating_add(adds.min(left));
        }
        short
    }

    /// Remembers what a policy adds.
    pub fn note(&mut self, policy: &ScalePolicy, decision: &Decision) {
        for _ in adding(&[(policy, decision)]) {
            self.want(policy, decision.at);
            let (at, policy) = (decision.at, policy.name.clone());
            self.added.push(Added { at, policy, replicas: decision.adds });
        }
    }

    /// A write that was decided then was not made: nothing was added.
    pub fn forget(&mut self, policy: &str, at: Ts) {
        self.added.retain(|added| !(added.policy == policy && added.at == at));
    }

    /// A wish is not held for want of load: where a saturation is asked for, it tells of load.
    fn want(&mut self, policy: &ScalePolicy, at: Ts) {
        let (own, other) = match &policy.saturation {
            Some(_) => (&mut self.loaded, &mut self.wanted),
            None => (&mut self.wanted, &mut self.loaded),
        };
        other.remove(&policy.name);
        own.insert(policy.name.clone(), at);
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
        }
    }
}

/// The policies that add, with their places.
fn adding<'a>(all: &[Alone<'a>]) -> impl Iterator<Item = (usize, &'a ScalePolicy)> {
    let adds = |decision: &Decision| matches!(decision.verdict, Verdict::Scale { from, to } if to > from);
    let auto = all.iter().enumerate().filter(|(_, (policy, _))| policy.mode == ScaleMode::Auto);
    auto.filter(move |(_, (_, decision))| adds(decision)).map(|(ix, (policy, _))| (ix, *policy))
}

/// How fast what asks for more burns, by its slower window.
fn burn(decision: &Decision) -> f64 {
    match decision.reason {
        Reason::Burning { short, long, .. } => short.min(long),
        _ => 0.0,
    }
}
