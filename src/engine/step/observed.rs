//! What was seen at one moment besides the slices.

use std::collections::BTreeMap;

use crate::engine::planned::{AliveIx, DirectIx};
use crate::engine::status::Targets;
use crate::slo::model::Labels;
use crate::slo::time::Ts;
use crate::slo::unit::Finite;

/// What was seen at one moment besides the slices.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Targets by reading; missing where the query failed or has not been asked.
    pub alive: BTreeMap<AliveIx, Targets>,
    /// The newest direct answers by window.
    pub direct: BTreeMap<DirectIx, DirectReading>,
    /// Sources that do not answer.
    pub blind: BTreeMap<String, bool>,
}

/// One direct answer: an error ratio per group.
#[derive(Clone, PartialEq, Debug)]
pub struct DirectReading {
    /// When it was asked for.
    pub at: Ts,
    /// Until when it is fresh.
    pub fresh_until: Ts,
    /// Error ratios by group.
    pub ratios: BTreeMap<Labels, Finite>,
}

impl Observed {
    /// Whether a source does not answer.
    pub fn is_blind(&self, source: &str) -> bool {
        self.blind.get(source).copied().unwrap_or(false)
    }
}
