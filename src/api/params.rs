//! Query parameters: each is named in the error about it, and an unknown one is an error, because
//! a filter with a typing mistake would answer too much.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::problem::Problem;
use crate::slo::time::{Span, Ts};

/// Items of a page unless asked otherwise.
const LIMIT: usize = 100;
/// Items of a page at most.
const MOST: usize = 1000;

/// Query parameters by name.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|error| {
            let detail = format!("The query does not parse: {}.", error.body_text());
            Problem::new(axum::http::StatusCode::BAD_REQUEST, detail)
        })?;
        Ok(Self(pairs))
    }
}

impl Params {
    /// Refuses parameters that are not among `known`, and any that is given twice. One that ends in
    /// a dot stands for all that begin with it.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, Problem> {
        for (place, (name, _)) in self.0.iter().enumerate() {
            let is_known = |k: &&str| *k == name || k.ends_with('.') && name.starts_with(*k);
            if !known.iter().any(is_known) {
                return Err(Problem::parameter(
                    name,
                    format_args!("is not known here; known are: {}", known.join(", ")),
                ));
            }
            if self.0.iter().take(place).any(|(other, _)| other == name) {
                return Err(Problem::parameter(name, "is given twice"));
            }
        }
        Ok(self)
    }

    /// A parameter as written; an empty one counts as not given.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// What follows `prefix` in the names that begin with it, with the values.
    pub(super) fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// `limit`, from 1 to 1000.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.text("limit") else { return Ok(LIMIT) };
        let limit = text.parse::<usize>().ok().filter(|limit| (1..=MOST).contains(limit));
        limit.ok_or_else(|| {
            Problem::parameter(
                "limit",
                format_args!("must be a number from 1 to {MOST}, not `{}`", cut(text)),
            )
        })
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Problem> {
        let number = |text: &str| {
            text.parse()
                .map_err(|_| Problem::parameter(name, format_args!("must be a number, not `{}`", cut(text))))
        };
        self.text(name).map(number).transpose()
    }

    /// Seconds since the epoch, or RFC 3339.
    pub(super) fn time(&self, name: &str) -> Result<Option<Ts>, Problem> {
        self.text(name).map(|text| time(name, text)).transpose()
    }

    /// A length such as `5m`, or seconds.
    pub(super) fn span(&self, name: &str) -> Result<Option<Span>, Problem> {
        let span = |text: &str| {
            let seconds = text.parse::<u32>().ok().map(Span::from_secs);
            seconds.or_else(|| text.parse().ok()).filter(|span| !span.is_zero()).ok_or_else(|| {
                let wrong = "must be a length such as `5m`, above zero, not";
                Problem::parameter(name, format_args!("{wrong} `{}`", cut(text)))
            })
        };
        self.text(name).map(span).transpose()
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let wrong = format!("must be one of {}, not `{}`", known.join(", "), cut(text));
                Err(Problem::parameter(name, wrong))
            }
        }
    }
}

/// Seconds since the epoch, or RFC 3339, as what is named so was written.
pub(super) fn time(name: &str, text: &str) -> Result<Ts, Problem> {
    let seconds = text.parse::<i64>().ok().map(Ts);
    let written = || chrono::DateTime::parse_from_rfc3339(text).ok().map(|t| Ts(t.timestamp()));
    seconds.or_else(written).ok_or_else(|| {
        let wrong = "must be seconds since the epoch or a time such as `2026-11-22T09:00:00Z`, not";
        Problem::parameter(name, format_args!("{wrong} `{}`", cut(text)))
    })
}

/// The beginning of what somebody sent: enough to recognise it.
pub(super) fn cut(text: &str) -> String {
    const CHARS: usize = 80;
    let mut short: String = text.chars().take(CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
