//! Windows of one SLO and group: bad and total events with coverage, summed from the ledger.
//!
//! An SLO reads several series, and each has gaps of its own. A slot is covered only where all of
//! them are known whole, and the sums leave out what some know and others do not: `total` without its
//! `good` would be all bad. Old errors withheld in part stay in the sums, uncovered (see `common.rs`).

mod book;
mod common;
#[cfg(test)]
mod tests;
mod whole;
mod windows;

pub use book::{Book, Slice};
pub use windows::Windows;

use super::fact::SeriesIx;
use crate::slo::time::Ts;
use crate::slo::unit::Events;

/// A weighted sum of series; weights in millionths.
pub type Signal = Vec<(i64, SeriesIx)>;

/// What a window held.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Counts {
    /// The real old edge, rounded outward.
    pub from: Ts,
    /// The new edge.
    pub to: Ts,
    /// Bad events, not below zero; without those that were withheld.
    pub bad: Events,
    /// All events, not below zero; of how much of the window, `summed` says.
    pub total: Events,
    /// Seconds of the window in which both are known whole.
    pub covered: i64,
    /// Seconds of which `total` holds all events: what is covered, and where only bad ones were
    /// withheld in part.
    pub summed: i64,
    /// Seconds in which the source answered that no series of total exists.
    pub absent: i64,
    /// Seconds that were taken out by hand: nothing in them counts, and nothing is missing in them.
    pub excluded: i64,
}

impl Counts {
    /// Length between the real edges, in seconds.
    pub fn span(&self) -> i64 {
        self.to.0.saturating_sub(self.from.0).max(0)
    }

    /// Known share of the window, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "seconds of at most 136 years")]
    pub fn coverage(&self) -> f64 {
        if self.span() == 0 { 0.0 } else { self.covered as f64 / self.span() as f64 }
    }

    /// Seconds neither covered nor absent nor taken out: bad events may lie in them that are not known.
    pub fn uncovered(&self) -> i64 {
        (self.span() - self.covered - self.absent - self.excluded).max(0)
    }

    /// Seconds that `total` lacks events of, and that are neither absent nor taken out.
    pub fn missing(&self) -> i64 {
        (self.span() - self.summed - self.absent - self.excluded).max(0)
    }

    /// Events of `seconds` at the mean traffic of what is summed; zero where nothing is.
    pub fn mean_traffic(&self, seconds: i64) -> Events {
        if self.summed == 0 { Events::ZERO } else { self.total.scaled(seconds, self.summed) }
    }
}
