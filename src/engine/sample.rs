//! What is asked of a source and what comes back. Never a bare float: a reading is a finite
//! number or not a number, a series has points or none, a query is answered or has failed.

use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Finite;

/// One range query: PromQL evaluated at `start`, `start + every`, … up to `end`.
/// With `start == end` it is asked as an instant query.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Query {
    /// Name of the source asked.
    pub source: String,
    /// The PromQL text.
    pub promql: String,
    /// First evaluation time.
    pub start: Ts,
    /// Last evaluation time.
    pub end: Ts,
    /// Distance between evaluation times; not zero.
    pub every: Span,
}

/// What became of a query.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The source answered in whole.
    Frames {
        /// One entry per label set; none means that nothing exists.
        frames: Vec<Frame>,
        /// Warnings about the expression ("PromQL warning: …"), shown but harmless.
        notes: Vec<String>,
    },
    /// Nothing can be concluded.
    Failed(Failure),
}

/// One label set and its points, oldest first.
#[derive(Clone, PartialEq, Debug)]
pub struct Frame {
    /// Labels as answered, with `__name__` if it was there.
    pub labels: Labels,
    /// Evaluation time and value; times without a value are left out.
    pub points: Vec<(Ts, Reading)>,
}

/// One value of an answer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Reading {
    /// A finite number.
    Value(Finite),
    /// NaN, an infinity, or a histogram where a number was expected.
    NotANumber,
}

/// Why a query has no answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Failure {
    /// Whose fault it is, which decides what is done about it.
    pub kind: FailureKind,
    /// For people: what was asked, what went wrong, what to do.
    pub message: String,
}

/// Whose fault a failed query is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum FailureKind {
    /// Refused, reset, unreachable, a broken TLS handshake: the source.
    Unreachable,
    /// No answer in time: the source.
    Timeout,
    /// HTTP 5xx or 429: the source.
    ServerError,
    /// HTTP 4xx, `bad_data`, 422: this query.
    QueryError,
    /// Over the response-size limit: this query.
    TooLarge,
    /// Not what Prometheus answers: the source, or what stands in its place.
    Garbage,
    /// Partial by a warning or `isPartial`: nothing can be concluded.
    Partial,
    /// Not asked: the breaker is open.
    BreakerOpen,
    /// Not asked: other queries held every place.
    Busy,
    /// The clocks are more than two minutes apart.
    Clock,
}

impl FailureKind {
    /// Whether it speaks against the source, not the query; only these open the breaker.
    pub const fn blames_source(self) -> bool {
        matches!(self, Self::Unreachable | Self::Timeout | Self::ServerError)
    }

    /// Whether asking the same again may well help: not this query is wrong, but the source, its
    /// clock, or the moment. The opposite is a query that its source refuses.
    pub const fn is_of_source(self) -> bool {
        !matches!(self, Self::QueryError | Self::TooLarge)
    }

    /// For metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::ServerError => "server_error",
            Self::QueryError => "query_error",
            Self::TooLarge => "too_large",
            Self::Garbage => "garbage",
            Self::Partial => "partial",
            Self::BreakerOpen => "breaker_open",
            Self::Busy => "busy",
            Self::Clock => "clock",
        }
    }
}
