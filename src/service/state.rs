//! What the loops and the API share. Writers hold the lock for the moment of a change, never over an await.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::Serialize;
use utoipa::ToSchema;

use super::{clock, journal};
use crate::engine::ledger::Ledger;
use crate::engine::step::{Control, Observed};
use crate::slo::time::Ts;

/// What is known and decided, as of the last commit.
#[derive(Default)]
pub struct World {
    /// What is asked, and for which SLOs.
    pub plan: std::sync::Arc<crate::engine::plan::Plan>,
    /// Events per slice.
    pub ledger: Ledger,
    /// Alerts that are at least pending.
    pub control: Control,
    /// What else was seen in the last tick.
    pub observed: Observed,
    /// Until when each SLO was judged, by id.
    pub judged: BTreeMap<String, Ts>,
    /// What history learned of slices that were not judged yet, by the ids of series: booked, and to be
    /// journaled by a tick, after it has judged them or noted that it owes that.
    pub unjudged: Vec<journal::Entry>,
}

impl World {
    /// The time, as far as sources bear it out.
    pub fn now(&self) -> Ts {
        clock::agreed(self.ledger.newest())
    }
}

/// The definitions in force and what is wrong with the rest.
#[derive(Clone, Default, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionsView {
    /// Number of the revision in force.
    pub revision: i64,
    /// Its hash.
    pub hash: String,
    /// When it was accepted, in seconds since the epoch.
    pub accepted_at: i64,
    /// SLOs in force.
    pub slos: usize,
    /// What is wrong with files and documents; the last good version of each stays in force.
    pub problems: Vec<DefinitionProblem>,
    /// SLOs, and policies as `ScalePolicy name`, that a reload would remove and that wait for
    /// `damper reload --accept`.
    pub waiting_for_accept: Vec<String>,
}

/// One problem of a definition.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionProblem {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// Whether it keeps the document from being used; otherwise it is a notice.
    pub error: bool,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Place, what is wrong, what to do, in one line.
impl fmt::Display for DefinitionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)?;
        self.hint.iter().try_for_each(|hint| write!(f, " ({hint})"))
    }
}

/// Counters of the tick loop.
#[derive(Clone, Copy, Default, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TickView {
    /// Ticks completed.
    pub completed: u64,
    /// Ticks skipped because the one before took too long.
    pub skipped: u64,
    /// Ticks whose decision could not be committed.
    pub uncommitted: u64,
    /// End of the newest slice judged, in seconds since the epoch.
    pub at: i64,
    /// When the last tick was done, in milliseconds since the epoch.
    pub done_at_ms: i64,
    /// How long the last tick took, in seconds.
    pub seconds: f64,
    /// How long after the slice's end its decisions were committed, in seconds.
    pub lag_seconds: f64,
    /// How long `step` took in the last tick, in seconds.
    pub step_seconds: f64,
}

/// How backfill goes.
#[derive(Clone, Default, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackfillView {
    /// Series that still lack history.
    pub series_left: usize,
    /// Seconds of history asked so far.
    pub done_seconds: i64,
    /// Seconds of history still to ask.
    pub left_seconds: i64,
    /// Why it does not go on, if it does not.
    pub waiting: Option<String>,
}

/// A value behind a lock that a panic does not poison.
#[derive(Default)]
pub struct Guarded<T>(RwLock<T>);

impl<T> Guarded<T> {
    /// Puts a value behind the lock.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    /// To read.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To change; never over an await.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
