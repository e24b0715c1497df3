//! Why a query cannot be counted from slices, and what to write instead.

use super::QueryError;

/// A reason not to count a query.
#[derive(Debug)]
pub(super) struct Refusal {
    /// For people.
    pub(super) why: String,
    /// What to write instead.
    pub(super) hint: String,
    /// A mistake in itself: asking it per window would be wrong as well.
    pub(super) is_final: bool,
}

impl Refusal {
    /// Right as a query, only not additive.
    pub(super) fn not_additive(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: hint.into(), is_final: false }
    }

    /// Wrong however it is asked.
    pub(super) fn mistake(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: hint.into(), is_final: true }
    }

    pub(super) fn into_error(self) -> QueryError {
        QueryError::new(self.why, self.hint)
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        Self::not_additive(error.message, error.hint.unwrap_or_default())
    }
}
