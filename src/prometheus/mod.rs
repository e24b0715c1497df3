//! ASK: range and instant queries, decoding, limits, breaker.
//!
//! ```text
//! Query ─▶ Prometheus: place, breaker ─▶ Client: HTTP, retry, limits ─▶ decode ─▶ Answer
//! ```
//!
//! Every query ends in time with an [`Answer`]: whole and on the asked grid, or a failure that says
//! whose fault it is. Nothing is taken in part.

mod breaker;
mod client;
mod config;
mod decode;
mod fault;
#[cfg(test)]
mod fault_tests;
mod gate;
mod http;
mod notes;
mod places;
mod refusal;
mod settings;
mod skew;
mod source;
#[cfg(test)]
mod source_tests;
mod stats;
#[cfg(test)]
mod test_peer;
#[cfg(test)]
mod tls_tests;
mod wire;

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::engine::sample::{Answer, Query};

pub use breaker::BreakerState;
pub use client::Client;
pub use config::{SourceConfig, SourceProblem};
pub(crate) use decode::decode;
pub use http::ClientError;
pub use settings::{BasicAuthSettings, SourceKind, SourceSettings, TlsSettings};
pub use skew::Skew;
pub use source::Prometheus;
pub use stats::SourceStats;

/// What can be asked: a Prometheus, or recorded and simulated data.
pub trait Source: Send + Sync {
    /// Answers within the deadline; never panics and never hangs. May be dropped at any time.
    fn ask<'a>(&'a self, query: &'a Query, priority: Priority, deadline: Duration) -> BoxFuture<'a, Answer>;
}

/// Who waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Priority {
    /// A tick: somebody may have to be paged.
    Tick,
    /// A question that follows from an answer of a tick: it does not queue behind those that wait
    /// for their first.
    FollowUp,
    /// Backfill and catching up; never takes a place from a tick. The deadline begins when its turn comes.
    Background,
}

impl Priority {
    /// The same for questions that follow from an answer.
    pub fn of_follow_up(self) -> Self {
        match self {
            Self::Tick | Self::FollowUp => Self::FollowUp,
            Self::Background => Self::Background,
        }
    }
}
