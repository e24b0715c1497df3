//! What became of one attempt to deliver, in the terms the outbox decides by.

use std::time::Duration;

/// The longest `Retry-After` that is honoured. A page must not wait for a receiver that says "tomorrow".
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

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

/// The kind of a failure: one metrics label value each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// No answer in time.
    Timeout,
    /// Refused, reset, no route, no such name.
    Unreachable,
    /// The receiver blames what was sent: 4xx, a redirect, a refused recipient.
    ClientError,
    /// The receiver blames itself: 5xx, SMTP 4xx.
    ServerError,
    /// 401, 403, 407, SMTP 535, or a secret that cannot be read.
    AuthError,
    /// 429.
    RateLimited,
    /// A certificate or handshake that is not accepted.
    Tls,
    /// Not an answer of this kind of receiver.
    Garbage,
}

impl Reason {
    /// All of them, for metrics.
    pub const ALL: [Self; 8] = [
        Self::Timeout,
        Self::Unreachable,
        Self::ClientError,
        Self::ServerError,
        Self::AuthError,
        Self::RateLimited,
        Self::Tls,
        Self::Garbage,
    ];

    /// The metrics label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::ClientError => "clientError",
            Self::ServerError => "serverError",
            Self::AuthError => "authError",
            Self::RateLimited => "rateLimited",
            Self::Tls => "tls",
            Self::Garbage => "garbage",
        }
    }
}
