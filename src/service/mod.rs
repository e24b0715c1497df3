//! THE SHELL: ticks, deliveries, reload, leadership, shutdown; the only place with a clock.
//!
//! One task each: the tick loop asks, judges and commits; a queue per receiver delivers; reload
//! keeps definitions in force; backfill fills history; the lease says who may write.

mod answers;
mod asking;
mod backfill;
mod backoff;
mod blind;
mod catalogue;
pub mod clock;
mod counting;
mod decide;
mod deliver;
mod fallback;
mod faults;
pub mod files;
mod gather;
mod journal;
mod lease;
mod level;
mod linked;
mod measure;
mod missed;
mod open;
mod owed;
mod parts;
mod planner;
mod reach;
pub mod reload;
mod restart;
mod round;
mod run;
pub mod shared;
mod signals;
pub mod state;
#[cfg(test)]
mod tests;
mod ticker;
mod waits;
mod watch;

pub use run::{ServiceError, run};
pub use shared::Shared;
