//! For tests: notices as the engine makes them, and a receiver that behaves as told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio_util::task::TaskTracker;

use crate::engine::notice::{Alert, Event, Notice};
use crate::engine::reason::{Evidence, RuleEvidence, WindowEvidence};
use crate::slo::model::{Labels, Severity};
use crate::slo::time::{Span, Ts};

pub(crate) const NOW: Ts = Ts(1_780_000_000);

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn window(mins: u32, bad: f64, total: f64) -> WindowEvidence {
    let span = Span::from_mins(mins);
    let burn = Some(bad / total / 0.001);
    WindowEvidence {
        window: span,
        from: NOW.minus(span),
        to: NOW,
        bad,
        total,
        burn,
        coverage: 1.0,
        excluded: 0,
    }
}

pub(crate) fn evidence() -> Evidence {
    let rule = |threshold, long, short, holds| RuleEvidence {
        rule: format!("page {threshold}"),
        severity: Severity::Page,
        threshold,
        holds,
        long,
        short: Some(short),
    };
    Evidence {
        at: NOW,
        slo: "checkout/availability".into(),
        group: labels(&[("route", "/pay")]),
        objective: "99.9".into(),
        rules: vec![
            rule(13.44, window(60, 1440.0, 52_314.0), window(5, 131.0, 4300.0), true),
            rule(5.6, window(360, 1440.0, 300_000.0), window(30, 1400.0, 26_000.0), false),
        ],
        budget_remaining: Some(0.632),
        exhausts_in: Some(Span::from_hours(28)),
        bad_query: r#"sum(rate(http_requests_total{job="checkout",code=~"5.."}[5m]))"#.into(),
        total_query: r#"sum(rate(http_requests_total{job="checkout"}[5m]))"#.into(),
        time_weighted: false,
        composite: None,
    }
}

pub(crate) fn firing() -> Notice {
    Notice {
        id: "checkout/availability:page:1779999990:firing:oncall".into(),
        incident: "checkout/availability:page:1779999990".into(),
        receiver: "oncall".into(),
        event: Event::Firing,
        at: NOW,
        alert: Alert {
            labels: labels(&[
                ("alertname", "ErrorBudgetBurn"),
                ("service", "checkout"),
                ("slo", "availability"),
                ("severity", "page"),
                ("route", "/pay"),
            ]),
            annotations: labels(&[
                ("summary", "checkout/availability burns"),
                ("runbook", "https://run/checkout"),
            ]),
            severity: Severity::Page,
            starts_at: Ts(1_779_999_990),
            ends_at: None,
            evidence: Some(evidence()),
        },
        shadow: false,
    }
}

pub(crate) fn resolved() -> Notice {
    let mut notice = firing();
    notice.id = notice.id.replace("firing", "resolved");
    notice.event = Event::Resolved;
    notice.at = NOW.plus(Span::from_mins(10));
    notice.alert.ends_at = Some(notice.at);
    for rule in notice.alert.evidence.iter_mut().flat_map(|evidence| &mut evidence.rules) {
        rule.holds = false;
    }
    notice
}

/// The timeout of a receiver that answers, on however busy a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One request as received.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How the receiver behaves.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    Answer(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// 400 with the second text when the body contains the first, else 200.
    RefuseContaining(&'static str, &'static str),
    /// Takes the request and never answers.
    Hang,
    /// Answers the status at once and the body never.
    HangInBody(u16),
}

/// A receiver on a free loopback port, alive as long as the value.
pub(crate) struct Mock {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Mock {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let app = Router::new().fallback(handle).with_state((behaviour, seen.clone()));
        let server = TaskTracker::new().spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen, server }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type Shared = (Behaviour, Arc<Mutex<Vec<Seen>>>);

async fn handle(
    State((behaviour, seen)): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    seen.lock().unwrap().push(Seen { method, uri, headers, body: body.clone() });
    let never = || tokio::time::sleep(Duration::from_secs(3600));
    match behaviour {
        Behaviour::Answer(status, headers, body) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Behaviour::RefuseContaining(word, error) => {
            if String::from_utf8_lossy(&body).contains(word) {
                return (StatusCode::BAD_REQUEST, error).into_response();
            }
            StatusCode::OK.into_response()
        }
        Behaviour::Hang => {
            never().await;
            StatusCode::OK.into_response()
        }
        Behaviour::HangInBody(status) => {
            let body = futures_util::stream::once(async move {
                never().await;
                Ok::<_, std::io::Error>(Bytes::new())
            });
            (StatusCode::from_u16(status).unwrap(), axum::body::Body::from_stream(body)).into_response()
        }
    }
}

/// An address where nobody listens.
pub(crate) async fn refusing() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// An HTTPS server on `localhost` that answers 200 to whatever comes; its thread ends with the process.
pub(crate) fn tls_server(config: rustls::ServerConfig) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that refuses the certificate ends its connection; the next may accept it.
            let _ = answer_tls(stream, config.clone());
        }
    });
    url
}

fn answer_tls(stream: std::net::TcpStream, config: Arc<rustls::ServerConfig>) -> std::io::Result<()> {
    use std::io::{Read, Write};
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let session = rustls::ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut tls = rustls::StreamOwned::new(session, stream);
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    // Every body these tests send is JSON and ends with a brace.
    while !request.ends_with(b"}") {
        let count = tls.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..count]);
    }
    tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    tls.flush()
}
