//! A workload behind a webhook: a count that is set, replicas that need a moment to be ready; and
//! traps, which leave whoever asks without an answer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::now_ms;
use super::server::Server;
use super::wait::pass;

/// How long a new replica takes.
const START: Duration = Duration::from_secs(2);

/// Where a request is left without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// The count is asked for.
    Look,
    /// A move arrives, and is never made.
    Lost,
    /// A move arrives, and is made that much later.
    Late(Duration),
    /// A move is made.
    Made,
}

/// One workload, named `shop`.
pub struct Workload {
    inner: Arc<Mutex<Inner>>,
    server: Server,
}

struct Inner {
    replicas: u32,
    changed: Instant,
    moves: Vec<Move>,
    trap: Option<Trap>,
    sprung: bool,
}

/// A count that was set.
#[derive(Clone, Debug)]
pub struct Move {
    pub at: Instant,
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    pub from: u32,
    pub to: u32,
    pub id: String,
}

impl Workload {
    pub fn start(replicas: u32) -> Self {
        let inner =
            Inner { replicas, changed: Instant::now() - START, moves: Vec::new(), trap: None, sprung: false };
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

    /// The next request of its kind gets no answer; `None` takes the trap away.
    pub fn trap(&self, trap: Option<Trap>) {
        let mut inner = self.inner.lock().unwrap();
        (inner.trap, inner.sprung) = (trap, false);
    }

    /// Whether a request was left without an answer since the trap was set.
    pub fn is_sprung(&self) -> bool {
        self.inner.lock().unwrap().sprung
    }
}

impl Inner {
    /// Takes the trap where it is one of these.
    fn spring(&mut self, is: impl Fn(Trap) -> bool) -> Option<Trap> {
        let trap = self.trap.take_if(|trap| is(*trap))?;
        self.sprung = true;
        Some(trap)
    }

    fn make(&mut self, from: u32, to: u32, id: &str) {
        self.moves.push(Move { at: Instant::now(), at_ms: now_ms(), from, to, id: id.to_owned() });
        (self.replicas, self.changed) = (to, Instant::now());
    }
}

async fn look(State(inner): State<Arc<Mutex<Inner>>>) -> Json<Value> {
    let trapped = inner.lock().unwrap().spring(|trap| trap == Trap::Look).is_some();
    if trapped {
        std::future::pending::<()>().await;
    }
    let inner = inner.lock().unwrap();
    let ready = if inner.changed.elapsed() >= START { inner.replicas } else { inner.replicas - 1 };
    Json(json!({"replicas": inner.replicas, "ready": ready}))
}

async fn set(State(inner): State<Arc<Mutex<Inner>>>, body: Bytes) -> (StatusCode, Json<Value>) {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let number = |key: &str| u32::try_from(body[key].as_u64().unwrap()).unwrap();
    let (from, to, id) = (number("from"), number("to"), body["id"].as_str().unwrap().to_owned());
    let trap = {
        let mut inner = inner.lock().unwrap();
        let stands = inner.replicas;
        if stands != from {
            return (StatusCode::CONFLICT, Json(json!({"replicas": stands, "ready": stands})));
        }
        let trap = inner.spring(|trap| trap != Trap::Look);
        if matches!(trap, None | Some(Trap::Made)) {
            inner.make(from, to, &id);
        }
        trap
    };
    if let Some(Trap::Late(after)) = trap {
        // A task of its own: this one ends with the connection of who is killed.
        let inner = Arc::clone(&inner);
        tokio::spawn(async move {
            pass(after).await;
            let mut inner = inner.lock().unwrap();
            if inner.replicas == from {
                inner.make(from, to, &id);
            }
        });
    }
    if trap.is_some() {
        std::future::pending::<()>().await;
    }
    (StatusCode::OK, Json(json!({"replicas": to, "ready": to - 1})))
}
