//! DELIVER: one file per receiver kind; rendering.

pub mod alertmanager;
mod cause;
mod fingerprint;
pub mod http;
mod links;
mod outcome;
mod problem;
mod receiver;
#[cfg(test)]
mod testing;
pub mod webhook;

pub use outcome::{MAX_RETRY_AFTER, Outcome, Reason};
pub use problem::{Problem, Problems};
pub use receiver::Receiver;
