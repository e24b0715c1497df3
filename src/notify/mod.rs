//! DELIVER: one folder per receiver kind; rendering; the heartbeat.
//!
//! A notice comes from the outbox and an [`Outcome`] goes back to it; nothing here remembers,
//! retries or waits longer than its timeout. [`webhook`] and [`email`] are told each transition
//! ([`Receiver`]), [`alertmanager`] is told the present state again and again.

pub mod alertmanager;
mod answer;
pub mod email;
mod fingerprint;
pub mod heartbeat;
mod links;
mod outcome;
mod receiver;
pub mod render;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
pub mod webhook;

pub use crate::http::{Problem, Problems};
pub use answer::judge;
pub use outcome::{MAX_RETRY_AFTER, Outcome, Reason};
pub use receiver::Receiver;
pub use settings::{ReceiverConfig, ReceiverKind, ReceiverSettings, check_receivers};
