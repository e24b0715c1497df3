//! What an error answer says about whose fault it is.
//!
//! The HTTP code and `errorType` alone do not tell: Thanos answers 422 `execution` when its stores
//! are down, Prometheus when a query reads too much, and VictoriaMetrics writes the code as the type.

use crate::engine::sample::{Failure, FailureKind};

/// Phrases of real servers that overrule a 4xx `execution` error. They are looked for outside the
/// query's own text, which error messages like to quote.
const PHRASES: [(&str, FailureKind); 14] = [
    ("query timed out", FailureKind::Timeout),
    ("timeout exceeded", FailureKind::Timeout),
    ("deadline exceeded", FailureKind::Timeout),
    ("context canceled", FailureKind::Timeout),
    ("query was canceled", FailureKind::Timeout),
    ("i/o timeout", FailureKind::Timeout),
    ("too many samples", FailureKind::TooLarge),
    ("exceeded maximum resolution", FailureKind::TooLarge),
    ("matching timeseries exceeds", FailureKind::TooLarge),
    ("err-mimir-max", FailureKind::TooLarge),
    ("maximum number of", FailureKind::TooLarge),
    ("rpc error", FailureKind::ServerError),
    ("connection refused", FailureKind::ServerError),
    ("connection reset", FailureKind::ServerError),
];

/// An answer in Prometheus' own form that says `error`.
pub(super) fn refused(code: u16, error_type: &str, error: &str, promql: &str) -> Failure {
    let kind = match error_type {
        "timeout" | "canceled" => FailureKind::Timeout,
        "internal" | "unavailable" => FailureKind::ServerError,
        _ => match by_code(code) {
            FailureKind::QueryError => by_phrase(error, promql).unwrap_or(FailureKind::QueryError),
            kind => kind,
        },
    };
    let advice = match kind {
        FailureKind::TooLarge => "; ask for less at once, or raise the server's limit",
        _ => advice(code),
    };
    let message = format!("answered HTTP {code} {}: {}{advice}", excerpt(error_type), excerpt(error));
    Failure { kind, message }
}

/// An answer that is not in Prometheus' form: a proxy, a login page, a server that is not ready.
pub(super) fn foreign(code: u16, body: &[u8], why: &str) -> Failure {
    let text = excerpt(&String::from_utf8_lossy(body.get(..4096).unwrap_or(body)));
    if (200..300).contains(&code) {
        let message = format!(
            "answered something that is not Prometheus' JSON ({why}): {text}; check that `url` is the Prometheus API"
        );
        return Failure { kind: FailureKind::Garbage, message };
    }
    let advice = advice(code);
    Failure { kind: by_code(code), message: format!("answered HTTP {code}: {text}{advice}") }
}

/// Refused credentials, wrong addresses and redirects hit every query alike, so they speak against
/// the source as 5xx do; only 400, 413 and 422 are about the query.
fn by_code(code: u16) -> FailureKind {
    match code {
        400 | 413 | 422 => FailureKind::QueryError,
        408 | 499 | 504 => FailureKind::Timeout,
        _ => FailureKind::ServerError,
    }
}

fn by_phrase(error: &str, promql: &str) -> Option<FailureKind> {
    let quoted = promql.escape_default().to_string();
    let without_query = error.replace(promql, "").replace(&quoted, "");
    PHRASES.iter().find(|(phrase, _)| without_query.contains(phrase)).map(|(_, kind)| *kind)
}

fn advice(code: u16) -> &'static str {
    match code {
        300..=399 => "; redirects are not followed: put the final address into `url`",
        401 => "; no query works until the source's `basicAuth`, bearer token or `headers` are right",
        403 => "; the source's credentials may not query: grant it, or change them",
        404 | 405 => "; the query API is not there: check the path in the source's `url`",
        429 => "; it limits us: lower the source's `maxConcurrent`, or raise its limit",
        _ => "",
    }
}

/// One line of foreign text, short enough for a message.
pub(super) fn excerpt(text: &str) -> String {
    const MOST: usize = 300;
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().take(MOST));
        if line.len() > MOST {
            return line.chars().take(MOST).chain(['…']).collect();
        }
    }
    if line.is_empty() { "(nothing)".to_owned() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureKind::{Garbage, QueryError, ServerError, Timeout, TooLarge};

    #[test]
    fn errors_of_real_servers_blame_whom_they_should() {
        let table: [(u16, &str, &str, FailureKind); 16] = [
            // Prometheus 2.42.
            (
                400,
                "bad_data",
                "invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis",
                QueryError,
            ),
            (422, "execution", "vector cannot contain metrics with the same labelset", QueryError),
            (
                422,
                "execution",
                "query processing would load too many samples into memory in query execution",
                TooLarge,
            ),
            (400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries.", TooLarge),
            (503, "timeout", "query timed out in query execution", Timeout),
            (503, "canceled", "query was canceled in query execution", Timeout),
            (499, "canceled", "context canceled", Timeout),
            (500, "internal", "remote storage: connection refused", ServerError),
            (404, "not_found", "no such endpoint", ServerError),
            // Thanos.
            (
                422,
                "execution",
                "expanding series: proxy Series(): rpc error: code = Unavailable desc = x",
                ServerError,
            ),
            (422, "execution", "expanding series: context deadline exceeded", Timeout),
            // Mimir.
            (
                422,
                "execution",
                "the query hit the max series limit (err-mimir-max-series-per-query)",
                TooLarge,
            ),
            (429, "too_many_requests", "too many outstanding requests", ServerError),
            (401, "unauthorized", "no org id", ServerError),
            // VictoriaMetrics.
            (422, "422", "timeout exceeded during query execution: 30.000 seconds", Timeout),
            (422, "422", "the number of matching timeseries exceeds 300000", TooLarge),
        ];
        for (code, error_type, error, kind) in table {
            assert_eq!(refused(code, error_type, error, "sum(a)").kind, kind, "{code} {error_type} {error}");
        }
    }

    #[test]
    fn a_query_that_is_quoted_in_the_error_blames_nobody() {
        let promql = "a{why=\"rpc error\"}";
        for quoted in
            [format!("cannot run {promql}"), format!("error when executing query={promql:?}: cannot")]
        {
            assert_eq!(refused(422, "422", &quoted, promql).kind, QueryError, "{quoted}");
        }
    }

    #[test]
    fn answers_of_proxies_blame_the_source_and_say_what_to_do() {
        for (code, kind, hint) in [
            (302, ServerError, "redirect"),
            (401, ServerError, "basicAuth"),
            (403, ServerError, "credentials"),
            (404, ServerError, "path"),
            (429, ServerError, "maxConcurrent"),
            (502, ServerError, "Bad Gateway"),
            (504, Timeout, "Bad Gateway"),
            (400, QueryError, "Bad Gateway"),
            (200, Garbage, "url"),
        ] {
            let failure = foreign(code, b"<h1>\r\n Bad Gateway\0</h1>", "expected value");
            assert_eq!(failure.kind, kind, "{code}");
            assert!(failure.message.contains(hint), "{}", failure.message);
        }
    }

    #[test]
    fn foreign_text_is_cut_to_one_short_line() {
        assert_eq!(excerpt(" a\n\tb\0c "), "a b c");
        assert_eq!(excerpt(""), "(nothing)");
        assert_eq!(excerpt(&"é".repeat(5000)).chars().count(), 301);
        assert_eq!(excerpt(&"é ".repeat(5000)).chars().last(), Some('…'));
    }
}
