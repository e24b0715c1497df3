//! What became of one attempt to deliver, in the terms the outbox decides by.

use std::time::Duration;

use crate::http::Failure;
pub use crate::http::{MAX_RETRY_AFTER, Reason};

/// What became of one attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The receiver took it.
    Delivered {
        /// What went wrong beside it, for people: one recipient of several refused, one of several addresses down.
        note: Option<String>,
    },
    /// Not now; the same again later may succeed.
    Retry {
        /// The receiver's own wish, at most [`MAX_RETRY_AFTER`]; `None` leaves it to the back-off.
        after: Option<Duration>,
        /// For metrics.
        reason: Reason,
        /// For people: who refused, what they said.
        error: String,
    },
    /// The same again will fail again until somebody changes something.
    Permanent {
        /// For metrics.
        reason: Reason,
        /// For people: who refused, what they said, what to change.
        error: String,
    },
}

impl Outcome {
    /// Taken, and nothing to say about it.
    pub const DELIVERED: Self = Self::Delivered { note: None };
    /// What it is called beside the reasons of failures, as in metrics.
    pub const DELIVERED_WORD: &str = "delivered";

    /// Worth another try, at a time the back-off chooses.
    pub fn retry(reason: Reason, error: impl Into<String>) -> Self {
        Self::Retry { after: None, reason, error: error.into() }
    }

    /// Not worth another try.
    pub fn permanent(reason: Reason, error: impl Into<String>) -> Self {
        Self::Permanent { reason, error: error.into() }
    }

    /// Whether the receiver took it.
    pub const fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered { .. })
    }

    /// The error and its kind, unless delivered.
    pub fn failure(&self) -> Option<(Reason, &str)> {
        match self {
            Self::Delivered { .. } => None,
            Self::Retry { reason, error, .. } | Self::Permanent { reason, error } => Some((*reason, error)),
        }
    }
}

impl From<Failure> for Outcome {
    fn from(Failure { reason, permanent, error }: Failure) -> Self {
        if permanent { Self::Permanent { reason, error } } else { Self::Retry { after: None, reason, error } }
    }
}
