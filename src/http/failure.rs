//! What is wrong when a request brings nothing, and what an answer says of when to ask again.

use std::error::Error;
use std::time::Duration;

use chrono::DateTime;
use reqwest::StatusCode;

use super::cause::{chain, is_tls, told};
use crate::slo::time::Ts;

/// The longest `Retry-After` that is honoured. A page must not wait for a receiver that says "tomorrow".
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Longest excerpt of an answer that is shown to people, in characters.
const EXCERPT: usize = 300;

/// Why there was no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// For metrics.
    pub reason: Reason,
    /// The same again will fail again until somebody changes something.
    pub permanent: bool,
    /// For people: who, and what happened.
    pub error: String,
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

impl Failure {
    /// Worth another try.
    pub fn passing(reason: Reason, error: impl Into<String>) -> Self {
        Self { reason, permanent: false, error: error.into() }
    }

    /// What it means that `who` gave no answer.
    pub fn of(who: &str, error: &reqwest::Error) -> Self {
        // Without the outermost error, which repeats the address: that may hold a token.
        let causes = error.source().map_or_else(|| "no reason given".into(), told);
        if error.is_builder() {
            let error = format!("{who}: the request cannot be made: {causes}");
            return Self { reason: Reason::ClientError, permanent: true, error };
        }
        if error.is_timeout() {
            return Self::passing(Reason::Timeout, format!("{who} did not answer in time"));
        }
        if chain(error).any(is_tls) {
            return Self::passing(Reason::Tls, format!("{who}: the TLS handshake failed: {causes}"));
        }
        let what = if error.is_connect() { "cannot be reached" } else { "broke the connection" };
        Self::passing(Reason::Unreachable, format!("{who} {what}: {causes}"))
    }
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

/// Whether the same request may succeed later.
pub(crate) fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
}

/// `Retry-After` in seconds or as a date, at most [`MAX_RETRY_AFTER`]; a date in the past is now.
pub fn retry_after(value: Option<&str>, now: Ts) -> Option<Duration> {
    let value = value?.trim();
    let secs = match value.parse::<u64>() {
        Ok(secs) => secs,
        Err(_) if value.bytes().all(|b| b.is_ascii_digit()) && !value.is_empty() => u64::MAX,
        Err(_) => {
            let at = DateTime::parse_from_rfc2822(value).ok()?.timestamp();
            u64::try_from(at.saturating_sub(now.0)).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(secs).min(MAX_RETRY_AFTER))
}

/// The start of an answer on one line, without control characters.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<_> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(EXCERPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_more_than_an_hour() {
        let now = Ts(1_445_412_450); // Wed, 21 Oct 2015 07:27:30 GMT
        let secs = |text| retry_after(Some(text), now).map(|d| d.as_secs());
        assert_eq!(secs("120"), Some(120));
        assert_eq!(secs(" 0 "), Some(0));
        assert_eq!(secs("Wed, 21 Oct 2015 07:28:00 GMT"), Some(30));
        assert_eq!(secs("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0));
        assert_eq!(secs("Thu, 22 Oct 2015 07:28:00 GMT"), Some(3600));
        assert_eq!(secs("999999999999999999999999"), Some(3600));
        for nonsense in ["", "soon", "-5", "1.5"] {
            assert_eq!(secs(nonsense), None, "{nonsense}");
        }
        assert_eq!(retry_after(None, now), None);
    }
}
