//! PromQL as people write it, read under bounds: into counted sums where it is additive, kept as text where not.
//!
//! ```text
//! text ── bounds ── placeholders ── parser ──┬─ selector   one metric and its matchers
//!                                            ├─ additive   rate, increase, sum, +, −, constants -> Linear
//!                                            └─ text       a template with {{.window}}, or any instant query
//! ```
//!
//! The parser aborts the process on deep nesting and gives no positions, so nothing reaches it
//! unbounded and messages speak of the query as a whole.

mod additive;
mod bounds;
mod bucket;
mod call;
mod canonical;
mod part;
mod placeholders;
mod places;
mod print;
mod refusal;
mod regex_cost;
mod selector;
mod weigh;

use promql_parser::parser::Expr;
use promql_parser::parser::value::ValueType;

use super::query::{Linear, Selector};

pub use bounds::parse;
pub use bucket::bucket_bound_regex;
pub use placeholders::with_window;
pub use print::factor;

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

impl QueryError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}

/// What an additive query gives as written. Damper counts the same events either way, but `bad`
/// and `total` of one SLO must agree, or their ratio was off by the window's length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Plain selectors: rates and windows are left to Damper.
    Plain,
    /// `rate`: events per second.
    PerSecond,
    /// `increase`, `sum_over_time`, `count_over_time`: events of the window.
    PerWindow,
}

impl Form {
    /// Whether a ratio of the two means what it says. Plain selectors agree with everything.
    pub fn agrees_with(self, other: Self) -> bool {
        self == other || self == Self::Plain || other == Self::Plain
    }
}

/// Reads the `bad`, `good` or `total` of an `events` SLI. With `aggregated`, counters are recorded
/// sums: their differences count, and they never book a reset.
pub fn read_events(text: &str, aggregated: bool) -> Result<EventsQuery, QueryError> {
    let template = placeholders::normalise(text)?;
    let expr = parse(&placeholders::filled(&template)?)?;
    let refusal = match additive::read(&expr, aggregated) {
        Ok(read) => return Ok(EventsQuery::Additive(read.linear)),
        Err(refusal) => refusal,
    };
    if refusal.is_final || !places::has_range(&template) {
        return Err(refusal.into_error());
    }
    gives_values(&expr)?;
    Ok(EventsQuery::Direct { template, why: refusal.why })
}

/// The form an events query is written in; `None` when it is not additive.
pub fn form(text: &str) -> Option<Form> {
    let template = placeholders::normalise(text).ok()?;
    let expr = parse(&placeholders::filled(&template).ok()?).ok()?;
    // Recorded sums differ only in how they are counted, not in their form.
    let read = additive::read(&expr, false).or_else(|_| additive::read(&expr, true)).ok()?;
    Some(read.form)
}

/// Reads a plain selector of one metric, such as `up{job="checkout"}`.
pub fn read_selector(text: &str) -> Result<Selector, QueryError> {
    let template = placeholders::normalise(text)?;
    if template.contains(placeholders::WINDOW) {
        return Err(QueryError::new(
            "a selector has no window",
            "leave {{.window}} out, such as up{job=\"checkout\"}",
        ));
    }
    selector::read(&parse(&template)?)
}

/// Reads an error-ratio query that holds `{{.window}}`; gives it back with the placeholder normalised.
pub fn read_template(text: &str) -> Result<String, QueryError> {
    let template = placeholders::normalise(text)?;
    let expr = parse(&placeholders::filled(&template)?)?;
    if !places::has_range(&template) {
        return Err(QueryError::new(
            "no range of the query is {{.window}}, so it cannot be asked for other windows",
            "write the range as {{.window}}, such as rate(x[{{.window}}])",
        ));
    }
    gives_values(&expr)?;
    Ok(template)
}

/// Reads any instant query (a time slice's); gives back its canonical text.
pub fn read_any(text: &str) -> Result<String, QueryError> {
    let template = placeholders::normalise(text)?;
    if template.contains(placeholders::WINDOW) {
        return Err(QueryError::new(
            "{{.window}} has no meaning here: the query is asked as it is, once per point",
            "write a range of your own, such as [5m]",
        ));
    }
    let expr = parse(&template)?;
    gives_values(&expr)?;
    Ok(canonical::text(expr, &template))
}

/// Refuses what an instant query cannot give a number for.
fn gives_values(expr: &Expr) -> Result<(), QueryError> {
    match expr.value_type() {
        ValueType::Vector | ValueType::Scalar => Ok(()),
        ValueType::Matrix => Err(QueryError::new(
            "a range such as x[5m] has no single value",
            "wrap it in a function, such as rate(x[5m]) or max_over_time(x[5m])",
        )),
        ValueType::String => {
            Err(QueryError::new("a string has no value", "write a query that gives numbers"))
        }
    }
}

#[cfg(test)]
mod tests;
