//! The command line: one file per command.
//!
//! Exit codes: 0 good, 1 problems, 2 usage.

mod args;
pub mod check;
mod compare;
mod explain;
mod generate;
mod ledger;
mod moment;
mod remote;
mod run;
mod scale;
mod status;
mod store;
mod table;

pub use args::{Cli, CommandError};
pub(crate) use compare::silenced;
