//! PromQL as people write it, read under bounds: into counted sums where it is additive, kept as text where not.

use super::query::{Linear, Selector};

/// What an events query turned out to be.
#[derive(Clone, PartialEq, Debug)]
pub enum EventsQuery {
    /// A sum of counted selectors.
    Additive(Linear),
    /// Not additive: must be asked per window.
    Direct {
        /// The query with `{{.window}}`, validated.
        template: String,
        /// Why it is not additive, for people.
        why: String,
    },
}

/// Why a query was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Reads the `bad`, `good` or `total` of an `events` SLI.
pub fn read_events(_text: &str, _aggregated: bool) -> Result<EventsQuery, QueryError> {
    Err(QueryError { message: "not read yet".into(), hint: None })
}

/// Reads a plain selector of one metric, such as `up{job="checkout"}`.
pub fn read_selector(_text: &str) -> Result<Selector, QueryError> {
    Err(QueryError { message: "not read yet".into(), hint: None })
}

/// Reads an error-ratio query that holds `{{.window}}`; gives it back with the placeholder normalised.
pub fn read_template(_text: &str) -> Result<String, QueryError> {
    Err(QueryError { message: "not read yet".into(), hint: None })
}

/// Reads any instant query (a time slice's); gives back its canonical text.
pub fn read_any(_text: &str) -> Result<String, QueryError> {
    Err(QueryError { message: "not read yet".into(), hint: None })
}
