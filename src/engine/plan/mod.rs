//! SLO set → deduplicated, merged queries.
//!
//! [`Plan::build`] turns definitions into *series* (what is counted, once however many SLOs use
//! it) and gathers series that differ in one equality matcher into *query groups*, each asked in
//! one request. How a group is asked is in [`form`], [`native`] and [`evidence`]; what its answers
//! mean is in [`crate::engine::collect`].

mod alive;
mod buckets;
mod build;
mod composite;
mod context;
mod direct;
pub mod evidence;
pub mod form;
mod gather;
mod group;
mod interval;
mod merge;
pub mod native;
mod readers;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::window::Signal;
pub use alive::{Alive, AliveGroup, AliveIx, AliveReading};
pub use buckets::BucketPair;
#[cfg(test)]
pub(in crate::engine) use composite::find as find_parts;
pub use composite::{Parts, PlannedPart};
pub use context::{PlanContext, SourceKind, SourceTraits};
pub use direct::{Direct, DirectIx, DirectReading};
pub(in crate::engine) use direct::{group_of, keep_worst};
pub use group::{Form, Member, Narrow, QueryGroup, Role, Take, Wanted};
pub use readers::{Read, Readers};

use crate::engine::fact::{SeriesIx, SeriesKey};
use crate::slo::model::Slo;
use crate::slo::policy::ScalePolicy;
use crate::slo::time::Span;

/// Everything asked for a set of SLOs. Immutable; a reload builds a new one.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The SLOs, in the order given.
    pub slos: Vec<Planned>,
    /// All series, in order of first use; the position is the [`SeriesIx`].
    pub series: Vec<Series>,
    /// Every series is in exactly one group.
    pub groups: Vec<Arc<QueryGroup>>,
    /// Histogram bounds whose series must match their counts, by bucket.
    pub buckets: Vec<BucketPair>,
    /// Selectors that say a workload is up; the position is the [`AliveIx`].
    pub alive: Vec<Alive>,
    /// How the alive selectors are asked.
    pub alive_groups: Vec<AliveGroup>,
    /// Ratios asked per window; the position is the [`DirectIx`].
    pub direct: Vec<Direct>,
    /// SLOs by id that are defined, though nobody can read how: nothing is asked for them, and their
    /// alerts hold. One stands for all that a document of this name and service defines.
    pub held: Vec<String>,
    /// Names of scale policies that are defined, though nobody can read how: what they raised stays.
    pub held_policies: Vec<String>,
    /// Who reads what of all this.
    pub readers: Readers,
    /// Scale policies, in the order of their names.
    pub policies: Vec<Arc<ScalePolicy>>,
}

impl Plan {
    /// The pair that a series is the bucket of.
    pub fn pair_of(&self, bucket: SeriesIx) -> Option<&BucketPair> {
        let place = self.buckets.binary_search_by_key(&bucket, |pair| pair.bucket).ok()?;
        self.buckets.get(place)
    }

    /// Whether an SLO is one of [`Self::held`].
    pub fn holds(&self, slo: &str) -> bool {
        self.held.iter().any(|held| {
            let rest = slo.strip_prefix(held.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// An SLO and where its numbers come from.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The definition.
    pub slo: Arc<Slo>,
    /// `service/name`.
    pub id: String,
    /// Names of the rules, in their order.
    pub rule_names: Vec<String>,
    /// The source asked; of a composite the first of its parts'.
    pub source: String,
    /// Bad events. Of a composite every series of bad that its parts read: to wait for, and to keep,
    /// never to sum.
    pub bad: Signal,
    /// All events; of a composite as for `bad`.
    pub total: Signal,
    /// Whether the workload is up.
    pub alive: Option<AliveIx>,
    /// For a direct SLI, the ratio over each rule window.
    pub direct: Vec<(Span, DirectIx)>,
    /// For a composite, what it is made of.
    pub parts: Option<Parts>,
}

impl Planned {
    /// The SLOs that count: what a composite is made of and is in force, or itself.
    pub fn members(&self) -> impl Iterator<Item = &Self> {
        let parts = self.parts.iter().flat_map(|of| &of.parts);
        let own = self.parts.is_none().then_some(self);
        parts.filter_map(|part| part.member.as_deref().ok()).chain(own)
    }

    /// The sources asked, each once.
    pub fn sources(&self) -> Vec<&str> {
        let mut sources: Vec<&str> = self.members().map(|member| member.source.as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// Whether workloads are up, each selector once.
    pub fn targets(&self) -> Vec<AliveIx> {
        let mut targets: Vec<AliveIx> = self.members().filter_map(|member| member.alive).collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// One series of slices.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it is.
    pub key: SeriesKey,
    /// The longest period or rule window of the SLOs that use it.
    pub keep: Span,
    /// What the SLOs use it for.
    pub role: Role,
}
