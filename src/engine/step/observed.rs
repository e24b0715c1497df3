//! What was seen at one moment besides the slices.

use std::collections::BTreeMap;

use crate::engine::plan::{AliveIx, AliveReading, DirectIx, DirectReading};
use crate::slo::time::Ts;

/// What was seen at one moment besides the slices.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Targets by reading; missing where the query failed or has not been asked.
    pub alive: BTreeMap<AliveIx, AliveReading>,
    /// The newest direct answers by window.
    pub direct: BTreeMap<DirectIx, DirectSeen>,
    /// Sources that do not answer.
    pub blind: BTreeMap<String, bool>,
}

/// One direct answer.
#[derive(Clone, PartialEq, Debug)]
pub struct DirectSeen {
    /// When it was asked for.
    pub at: Ts,
    /// Until when it is fresh.
    pub fresh_until: Ts,
    /// What it said.
    pub reading: DirectReading,
}

impl Observed {
    /// Whether a source does not answer.
    pub fn is_blind(&self, source: &str) -> bool {
        self.blind.get(source).copied().unwrap_or(false)
    }
}
