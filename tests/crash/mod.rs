//! The nights on which the process, its clock or its machine stops: what was owed is told, once and
//! under the same key, nothing else is, and the ledger is what it would have been.

mod clock;
mod handover;
mod lane;
mod ledger;
mod matrix;
mod pause;
mod points;

use std::time::Duration;

/// For what a busy machine takes its time for.
const LIMIT: Duration = Duration::from_secs(120);
