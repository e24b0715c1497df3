//! From an HTTP answer to an [`Outcome`].

use reqwest::StatusCode;

use super::outcome::{Outcome, Reason};
use crate::http::{Reply, excerpt, is_temporary, retry_after};
use crate::slo::time::Ts;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            location: None,
            date: None,
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
}
