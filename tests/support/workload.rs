//! A workload behind a webhook: a count that is set, replicas that need a moment to be ready.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::server::Server;

/// How long a new replica takes.
const START: Duration = Duration::from_secs(2);

/// One workload, named `shop`.
pub struct Workload {
    inner: Arc<Mutex<Inner>>,
    server: Server,
}

struct Inner {
    replicas: u32,
    changed: Instant,
    moves: Vec<Move>,
}

/// A count that was set.
#[derive(Clone, Debug)]
pub struct Move {
    pub at: Instant,
    pub from: u32,
    pub to: u32,
    pub id: String,
}

impl Workload {
    pub fn start(replicas: u32) -> Self {
        let inner = Inner { replicas, changed: Instant::now() - START, moves: Vec::new() };
        let inner = Arc::new(Mutex::new(inner));
        let router = Router::new().route("/shop", get(look).post(set)).with_state(Arc::clone(&inner));
        Self { inner, server: Server::start(router) }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.server.address())
    }

    /// What was set through the webhook, in order.
    pub fn moves(&self) -> Vec<Move> {
        self.inner.lock().unwrap().moves.clone()
    }

    pub fn replicas(&self) -> u32 {
        self.inner.lock().unwrap().replicas
    }

    /// Somebody else sets it.
    pub fn set(&self, replicas: u32) {
        let mut inner = self.inner.lock().unwrap();
        (inner.replicas, inner.changed) = (replicas, Instant::now());
    }

    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }
}

async fn look(State(inner): State<Arc<Mutex<Inner>>>) -> Json<Value> {
    let inner = inner.lock().unwrap();
    let ready = if inner.changed.elapsed() >= START { inner.replicas } else { inner.replicas - 1 };
    Json(json!({"replicas": inner.replicas, "ready": ready}))
}

async fn set(State(inner): State<Arc<Mutex<Inner>>>, body: Bytes) -> (StatusCode, Json<Value>) {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let number = |key: &str| u32::try_from(body[key].as_u64().unwrap()).unwrap();
    let mut inner = inner.lock().unwrap();
    if inner.replicas != number("from") {
        return (StatusCode::CONFLICT, Json(json!({"replicas": inner.replicas, "ready": inner.replicas})));
    }
    let id = body["id"].as_str().unwrap().to_owned();
    inner.moves.push(Move { at: Instant::now(), from: number("from"), to: number("to"), id });
    (inner.replicas, inner.changed) = (number("to"), Instant::now());
    (StatusCode::OK, Json(json!({"replicas": inner.replicas, "ready": inner.replicas - 1})))
}
