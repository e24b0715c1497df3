//! From an HTTP answer, or the lack of one, to an [`Outcome`].

use std::error::Error;
use std::time::Duration;

use chrono::DateTime;
use reqwest::StatusCode;

use super::client::Reply;
use crate::notify::cause::{chain, is_tls, told};
use crate::notify::outcome::{MAX_RETRY_AFTER, Outcome, Reason};
use crate::slo::time::Ts;

/// Longest excerpt of an answer that is shown to people, in characters.
const EXCERPT: usize = 300;

/// The outcome by status alone: 2xx delivered, 408, 425, 429 and 5xx later, everything else never.
/// `who` names the receiver's address for people.
pub fn judge(who: &str, reply: &Reply, now: Ts) -> Outcome {
    let status = reply.status;
    if status.is_success() {
        return Outcome::DELIVERED;
    }
    let said = excerpt(&reply.body);
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    if status.is_redirection() {
        let to = reply.location.as_deref().map(|to| format!(" to {to}")).unwrap_or_default();
        let error = format!(
            "{who} answered {status} and points elsewhere{to}; redirects are not followed, \
             write the final address in the settings"
        );
        return Outcome::permanent(Reason::ClientError, error);
    }
    let error = format!("{who} answered {status}{said}");
    let reason = reason_of(status);
    if is_temporary(status) {
        return Outcome::Retry { after: retry_after(reply.retry_after.as_deref(), now), reason, error };
    }
    Outcome::permanent(reason, error)
}

/// The outcome when there was no answer.
pub fn judge_error(who: &str, error: &reqwest::Error) -> Outcome {
    // Without the outermost error, which repeats the address: that may hold a token.
    let causes = error.source().map_or_else(|| "no reason given".into(), told);
    if error.is_builder() {
        return Outcome::permanent(
            Reason::ClientError,
            format!("{who}: the request cannot be made: {causes}"),
        );
    }
    if error.is_timeout() {
        return Outcome::retry(Reason::Timeout, format!("{who} did not answer in time"));
    }
    if chain(error).any(is_tls) {
        return Outcome::retry(Reason::Tls, format!("{who}: the TLS handshake failed: {causes}"));
    }
    let what = if error.is_connect() { "cannot be reached" } else { "broke the connection" };
    Outcome::retry(Reason::Unreachable, format!("{who} {what}: {causes}"))
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

fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
}

fn reason_of(status: StatusCode) -> Reason {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Reason::AuthError
        }
        StatusCode::TOO_MANY_REQUESTS => Reason::RateLimited,
        StatusCode::REQUEST_TIMEOUT => Reason::Timeout,
        s if s.is_server_error() => Reason::ServerError,
        s if s.is_client_error() => Reason::ClientError,
        _ => Reason::Garbage,
    }
}

/// The start of an answer on one line, without control characters.
pub(in crate::notify) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<_> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(EXCERPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            location: None,
            body: b"no\r\n\x1b[31mroom".to_vec(),
        }
    }

    #[test]
    fn only_what_may_pass_later_is_retried() {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(judge("x", &reply(status), Ts(0)), Outcome::Retry { .. }), "{status}");
        }
        for status in [300, 301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422] {
            assert!(matches!(judge("x", &reply(status), Ts(0)), Outcome::Permanent { .. }), "{status}");
        }
        for status in [200, 201, 202, 204] {
            assert!(judge("x", &reply(status), Ts(0)).is_delivered(), "{status}");
        }
    }

    #[test]
    fn the_error_quotes_the_answer_on_one_line() {
        let outcome = judge("http://x", &reply(500), Ts(0));
        assert_eq!(
            outcome.failure(),
            Some((Reason::ServerError, "http://x answered 500 Internal Server Error: no [31mroom"))
        );
    }

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
