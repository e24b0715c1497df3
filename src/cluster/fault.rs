//! Why a workload's API did not do what it was asked, in the terms the caller decides by.

use std::time::Duration;

/// What went wrong, with a sentence for people in each: who, what, and what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// Somebody else moved the lever first; nothing was written.
    #[error("{why}")]
    Conflict {
        /// Where the lever stands now, where that is known.
        at: Option<u32>,
        /// For people.
        why: String,
    },
    /// The same again will fail again until somebody changes something.
    #[error("{why}")]
    Refused {
        /// The HTTP status, where the API said it: 403, 404, 422.
        status: Option<u16>,
        /// For people.
        why: String,
    },
    /// The API asks for patience.
    #[error("{why}")]
    Throttled {
        /// For how long, where it said.
        after: Option<Duration>,
        /// For people.
        why: String,
    },
    /// No answer, or none that can be read. A write may have been made all the same.
    #[error("{why}")]
    Unreachable {
        /// For people.
        why: String,
    },
}

impl Fault {
    /// Refused by Damper itself.
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { status: None, why: why.into() }
    }

    /// No answer.
    pub(super) fn unreachable(why: impl Into<String>) -> Self {
        Self::Unreachable { why: why.into() }
    }

    /// The metrics label value.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "conflict",
            Self::Refused { .. } => "refused",
            Self::Throttled { .. } => "throttled",
            Self::Unreachable { .. } => "unreachable",
        }
    }

    pub(super) const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => *status,
            _ => None,
        }
    }

    pub(super) const fn is_missing(&self) -> bool {
        matches!(self.status(), Some(404))
    }

    /// What is refused is not known, which is told in the log; any other fault stays one.
    pub(super) fn known<T>(asked: Result<T, Self>, what: &str) -> Result<Option<T>, Self> {
        match asked {
            Err(fault @ Self::Refused { .. }) => {
                tracing::debug!(%fault, "{what} is not known");
                Ok(None)
            }
            asked => asked.map(Some),
        }
    }

    pub(super) const fn is_forbidden(&self) -> bool {
        matches!(self.status(), Some(403))
    }
}
