//! An SLO as the plan sees it: which series its events are sums of.

use std::sync::Arc;

use super::window::Signal;
use crate::slo::model::Slo;
use crate::slo::time::Span;

/// Position of a reading of targets in the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AliveIx(pub u32);

/// Position of a directly asked window in the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DirectIx(pub u32);

/// One SLO and what it reads.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The definition.
    pub slo: Arc<Slo>,
    /// `service/name`.
    pub id: String,
    /// The source asked.
    pub source: String,
    /// Bad events.
    pub bad: Signal,
    /// All events.
    pub total: Signal,
    /// Targets of the workload.
    pub alive: Option<AliveIx>,
    /// Windows asked directly, for an SLI that is not additive.
    pub direct: Vec<(Span, DirectIx)>,
    /// Names of the rules, in their order.
    pub rule_names: Vec<String>,
}
