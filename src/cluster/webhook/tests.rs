//! The webhook actuator against a service that keeps a count and behaves as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::*;
use crate::cluster::settings::ActuatorSettings;
use crate::http::Problems;

const NOW: Ts = Ts(1_780_000_000);
const PATIENCE: Duration = Duration::from_secs(20);

/// What the service does with the next request.
enum Next {
    /// Keeps the count as the contract says.
    Serve,
    /// Answers this.
    Say(u16, &'static str),
    /// Does it, and breaks down before it says so.
    ServeAndFail,
    /// Never answers.
    Hang,
}

type Seen = (Method, Uri, HeaderMap, Bytes);

#[derive(Clone)]
struct Shared {
    count: Arc<Mutex<u32>>,
    next: Arc<Mutex<VecDeque<Next>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

struct Service {
    url: String,
    shared: Shared,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Service {
    async fn start(count: u32, next: impl IntoIterator<Item = Next>) -> Self {
        let shared = Shared {
            count: Arc::new(Mutex::new(count)),
            next: Arc::new(Mutex::new(next.into_iter().collect())),
            seen: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/scale/", listener.local_addr().unwrap());
        let app = Router::new().fallback(handle).with_state(shared.clone());
        let server = TaskTracker::new().spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, shared, server }
    }

    fn webhook(&self, timeout: Duration) -> Webhook {
        let written = json!({"name": "shop", "webhook": {"url": self.url, "hmacSecret": "hush"}});
        let written: ActuatorSettings = serde_json::from_value(written).unwrap();
        let mut config = written.check("scaling.actuators.shop", &mut Problems::default()).unwrap();
        config.webhook.http.timeout = timeout;
        Webhook::new("scaling.actuators.shop", &config).unwrap()
    }

    fn count(&self) -> u32 {
        *self.shared.count.lock().unwrap()
    }

    fn requests(&self) -> usize {
        self.shared.seen.lock().unwrap().len()
    }
}

async fn handle(State(shared): State<Shared>, method: Method, uri: Uri, h: HeaderMap, b: Bytes) -> Response {
    shared.seen.lock().unwrap().push((method.clone(), uri, h, b.clone()));
    let next = shared.next.lock().unwrap().pop_front().unwrap_or(Next::Serve);
    let serve = || {
        let mut count = shared.count.lock().unwrap();
        if method == Method::POST {
            let body: Value = serde_json::from_slice(&b).unwrap();
            if body["from"] != json!(*count) {
                return (409, json!({"replicas": *count, "ready": 0}).to_string());
            }
            *count = u32::try_from(body["to"].as_u64().unwrap()).unwrap();
        }
        (200, json!({"replicas": *count, "ready": count.saturating_sub(1)}).to_string())
    };
    let (status, body) = match next {
        Next::Serve => serve(),
        Next::Say(status, body) => (status, body.to_owned()),
        Next::ServeAndFail => {
            serve();
            (502, "gateway".to_owned())
        }
        Next::Hang => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            (200, String::new())
        }
    };
    (axum::http::StatusCode::from_u16(status).unwrap(), body).into_response()
}

fn order(from: u32, to: u32) -> Order {
    let id = "checkout:1780000000".to_owned();
    Order { id, policy: "checkout".into(), lever: Lever::Count, from, to, until: NOW }
}

#[tokio::test]
async fn a_count_is_read_and_set() {
    let service = Service::start(3, []).await;
    let webhook = service.webhook(PATIENCE);
    let seen = webhook.look("checkout", NOW).await.unwrap();
    assert_eq!((seen.wanted, seen.ready, seen.lever), (3, 2, Lever::Count));
    webhook.write("checkout", &order(3, 5), NOW).await.unwrap();
    assert_eq!(service.count(), 5);

    let seen = service.shared.seen.lock().unwrap();
    let (method, uri, headers, body) = &seen[1];
    assert_eq!((method, uri.path()), (&Method::POST, "/scale/checkout"));
    assert_eq!(headers["idempotency-key"], "checkout:1780000000");
    assert!(headers["damper-signature"].to_str().unwrap().starts_with("t=1780000000,v1="));
    let body: Value = serde_json::from_slice(body).unwrap();
    let expected =
        json!({"name": "checkout", "from": 3, "to": 5, "policy": "checkout", "id": "checkout:1780000000"});
    assert_eq!(body, expected);
    assert!(seen[0].2.contains_key("damper-signature"), "the question is signed too");
}

#[tokio::test]
async fn a_count_that_somebody_else_moved_is_a_conflict_and_stays() {
    let service = Service::start(7, []).await;
    let outcome = service.webhook(PATIENCE).write("checkout", &order(3, 5), NOW).await;
    assert!(matches!(&outcome, Err(Fault::Conflict { at: Some(7), .. })), "{outcome:?}");
    assert_eq!(service.count(), 7);
    // Without a count in the answer it is asked for.
    let service = Service::start(7, [Next::Say(409, "no")]).await;
    let outcome = service.webhook(PATIENCE).write("checkout", &order(3, 5), NOW).await;
    assert!(matches!(&outcome, Err(Fault::Conflict { at: Some(7), .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_done_once() {
    let service = Service::start(3, [Next::ServeAndFail]).await;
    service.webhook(PATIENCE).write("checkout", &order(3, 5), NOW).await.unwrap();
    assert_eq!((service.count(), service.requests()), (5, 2));
}

#[tokio::test]
async fn answers_become_faults_and_only_what_may_pass_is_tried_again() {
    let outcome = async |status| {
        let service = Service::start(3, (0..3).map(|_| Next::Say(status, "said so"))).await;
        let fault = service.webhook(PATIENCE).write("checkout", &order(3, 5), NOW).await.unwrap_err();
        (fault, service.requests())
    };
    for status in [400, 401, 403, 404, 422] {
        let (fault, requests) = outcome(status).await;
        assert_eq!((fault.status(), requests), (Some(status), 1), "{fault}");
        assert!(fault.to_string().ends_with("said so"), "{fault}");
    }
    assert!(matches!(outcome(429).await, (Fault::Throttled { .. }, 3)));
    assert!(matches!(outcome(503).await, (Fault::Unreachable { .. }, 3)));
}

#[tokio::test]
async fn a_service_that_hangs_is_left_within_the_timeout() {
    let service = Service::start(3, [Next::Hang]).await;
    let began = tokio::time::Instant::now();
    let fault = service.webhook(Duration::from_secs(1)).look("checkout", NOW).await.unwrap_err();
    assert!(matches!(fault, Fault::Unreachable { .. }), "{fault}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_is_no_count_is_refused_and_never_read_as_zero() {
    for body in ["", "{}", r#"{"replicas": 3}"#, r#"{"replicas": -1, "ready": 0}"#, "<html>"] {
        let service = Service::start(3, [Next::Say(200, body)]).await;
        let fault = service.webhook(PATIENCE).look("checkout", NOW).await.unwrap_err();
        assert!(matches!(fault, Fault::Refused { .. }), "{body}: {fault}");
    }
}

#[tokio::test]
async fn all_that_a_service_can_tell_is_read() {
    let body = r#"{"replicas": 4, "ready": 3, "blocked": "no\nquota", "rolling": true, "paused": true,
        "version": {"name": "v12", "since": "2026-05-28T20:26:40Z"}, "mustStay": 2, "more": 1,
        "writer": {"name": "ann", "at": "2026-05-28T20:26:41Z"}}"#;
    let service = Service::start(3, [Next::Say(200, body)]).await;
    let seen = service.webhook(PATIENCE).look("checkout", NOW).await.unwrap();
    assert_eq!(seen.blocked.as_deref(), Some("no quota"));
    assert!(seen.rolling && seen.paused.is_some() && seen.must_stay == 2);
    assert_eq!(seen.version.unwrap().since, NOW);
    assert_eq!(seen.writer.unwrap().at, Ts(NOW.0 + 1));
}

#[tokio::test]
async fn a_name_stays_one_segment_of_the_path() {
    let service = Service::start(3, []).await;
    let webhook = service.webhook(PATIENCE);
    webhook.look("a/../b?c#d", NOW).await.unwrap();
    assert_eq!(service.shared.seen.lock().unwrap()[0].1.path(), "/scale/a%2F..%2Fb%3Fc%23d");
    for name in ["", ".", ".."] {
        assert!(matches!(webhook.look(name, NOW).await, Err(Fault::Refused { .. })), "{name}");
    }
}
