//! The command line: one file per command.
//!
//! Exit codes: 0 good, 1 problems, 2 usage.

mod args;
pub mod check;
mod remote;
mod run;
mod status;

pub use args::{Cli, CommandError};
