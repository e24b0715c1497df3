//! THE SHELL: ticks, deliveries, reload, leadership, shutdown; the only place with a clock.
//!
//! One task each: the tick loop asks, judges and commits; a queue per receiver delivers; reload
//! keeps definitions in force; backfill fills history; the lease says who may write.

mod answers;
pub mod asked;
mod asking;
mod audit;
mod backfill;
mod backoff;
mod backups;
mod blind;
mod catalogue;
mod catchup;
mod changed;
pub mod clock;
mod commits;
mod counting;
mod decide;
mod definitions;
pub mod degraded;
mod deliver;
mod doubts;
pub mod examine;
pub mod exclusions;
mod fallback;
mod faults;
pub mod files;
mod gaps;
mod gather;
mod journal;
pub(crate) mod kinds;
mod lease;
mod level;
mod linked;
mod measure;
mod measuring;
mod missed;
mod open;
mod orphans;
mod owed;
mod parts;
mod planner;
mod probes;
mod reach;
mod reading;
mod reload;
mod replay;
mod restart;
pub mod restoring;
mod round;
mod run;
pub mod scaling;
mod settled;
pub mod shared;
mod signals;
mod single;
pub mod state;
mod survey;
mod swap;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod theirs;
mod ticker;
mod tries;
mod units;
mod unknown;
mod waits;
mod watch;

pub(crate) use journal::turn;
pub(crate) use planner::keeps;
pub use run::{ServiceError, run};
pub use shared::Shared;
