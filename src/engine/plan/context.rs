//! What a plan needs to know besides the definitions: the step, and the habits of the sources.

use std::collections::BTreeMap;

use crate::slo::query::Selector;
use crate::slo::time::{Span, Step};

/// What a plan is built in.
#[derive(Clone, Debug)]
pub struct PlanContext {
    /// The slice length.
    pub step: Step,
    /// The source of SLOs that name none.
    pub default_source: String,
    /// Habits of the sources, by name; a source that is not listed has [`SourceTraits::default`].
    pub sources: BTreeMap<String, SourceTraits>,
    /// Measured scrape intervals, by source and selector.
    pub intervals: BTreeMap<(String, Selector), Span>,
}

impl PlanContext {
    /// The habits of a source.
    pub fn traits(&self, source: &str) -> SourceTraits {
        self.sources.get(source).copied().unwrap_or_default()
    }
}

/// What stands behind a source's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SourceKind {
    /// Prometheus itself.
    #[default]
    Prometheus,
    /// Thanos with replica de-duplication: only `rate`, `increase` and `resets` are compensated.
    Thanos,
    /// VictoriaMetrics.
    VictoriaMetrics,
    /// Mimir.
    Mimir,
}

/// Habits of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceTraits {
    /// What it is.
    pub kind: SourceKind,
    /// Ranges leave their old edge out, as Prometheus 3 does; Prometheus 2 counts it in.
    pub left_open: bool,
    /// How far back a series' previous sample is looked for at least.
    pub lookback: Span,
}

/// Assumes nothing favourable: a Prometheus with closed ranges, ten minutes back.
impl Default for SourceTraits {
    fn default() -> Self {
        Self { kind: SourceKind::Prometheus, left_open: false, lookback: Span::from_mins(10) }
    }
}
