//! Burn → wanted replicas.
//!
//! [`decide`] is pure: the same policy, state and observation give the same decision. It moves a
//! *lever*: the replica count itself, or the floor of the autoscaler that owns it. The new state is
//! committed before anything is written, so a cooldown counts even where the write never came.
//!
//! What it never does: act on missing data, leave its bounds, act twice within a cooldown, overrule
//! a count that somebody else set, wake a workload from zero or send it there.

mod burn;
mod decide;
mod effect;
mod fall;
mod fleet;
mod gates;
mod look;
mod observed;
mod peace;
mod read;
mod rise;
mod seen;
mod state;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

pub use decide::decide;
pub use fleet::{Alone, Brake, Fleet, Limits, Room};
pub use observed::{Burn, Burning, Lever, Observed, Part, Version, Workload, Writer, WriterKind};
pub use state::{Intent, Overridden, Rehearsed, State, Trial, Useless};
pub use verdict::{Decision, Reason, Verdict};
