//! A webhook receiver: records what arrives, and misbehaves on command.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::server::Server;
use super::wait::pass;
use super::{now_ms, wait_until};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// Path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Whether it was taken; the sender knows it only from the answer, and may have died before that.
    pub accepted: bool,
}

impl Request {
    /// The body as JSON; fails the test if it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// How it answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Behaviour {
    /// 200.
    Accept,
    /// 200, after a while.
    Slow(Duration),
    /// This status, with `Retry-After` where seconds are given.
    Fail(u16, Option<u32>),
    /// 200 with this body: chat services tell errors so.
    Say(String),
    /// Takes the request and never answers.
    Hang,
    /// The port is closed.
    Refuse,
}

struct Inner {
    behaviour: Behaviour,
    requests: Vec<Request>,
}

/// A receiver at [`url`](Self::url); any path is taken.
pub struct Receiver {
    server: Server,
    inner: Arc<Mutex<Inner>>,
}

impl Receiver {
    /// Starts; it accepts until told otherwise.
    pub fn start() -> Self {
        let inner = Arc::new(Mutex::new(Inner { behaviour: Behaviour::Accept, requests: Vec::new() }));
        let router = Router::new().fallback(take).with_state(Arc::clone(&inner));
        Self { server: Server::start(router), inner }
    }

    /// `http://127.0.0.1:PORT/alerts`.
    pub fn url(&self) -> String {
        format!("http://{}/alerts", self.server.address())
    }

    /// The setting that has Damper's heart beat here.
    pub fn heartbeat(&self) -> String {
        format!("heartbeat: {{url: '{}', timeout: 1s}}\n", self.url())
    }

    /// From now on it answers so.
    pub fn behave(&mut self, behaviour: Behaviour) {
        if behaviour == Behaviour::Refuse {
            self.server.down();
        } else {
            self.server.up();
        }
        self.inner.lock().unwrap().behaviour = behaviour;
    }

    /// Everything that arrived so far, refused or not.
    pub fn requests(&self) -> Vec<Request> {
        self.inner.lock().unwrap().requests.clone()
    }

    /// What arrived and was answered with success.
    pub fn accepted(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.accepted).collect()
    }

    /// Waits for a heartbeat that is sent from now on.
    pub async fn beats_on(&self, limit: Duration) {
        let now = now_ms();
        self.wait_for(limit, "a heartbeat", |beat| beat.at > now).await;
    }

    /// Waits for an accepted request that `is` it.
    pub async fn wait_for(&self, limit: Duration, what: &str, is: impl Fn(&Request) -> bool) -> Request {
        wait_until(limit, what, async || self.accepted().into_iter().find(|request| is(request))).await
    }
}

async fn take(State(inner): State<Arc<Mutex<Inner>>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let behaviour = {
        let mut inner = inner.lock().unwrap();
        let behaviour = inner.behaviour.clone();
        let accepted = matches!(behaviour, Behaviour::Accept | Behaviour::Slow(_));
        inner.requests.push(Request { at: now_ms(), path: uri.to_string(), headers, body, accepted });
        behaviour
    };
    match behaviour {
        Behaviour::Accept => StatusCode::OK.into_response(),
        Behaviour::Slow(time) => {
            pass(time).await;
            StatusCode::OK.into_response()
        }
        Behaviour::Say(text) => text.into_response(),
        Behaviour::Fail(status, after) => {
            let mut answer = StatusCode::from_u16(status).unwrap().into_response();
            if let Some(seconds) = after {
                answer.headers_mut().insert("Retry-After", HeaderValue::from(seconds));
            }
            answer
        }
        Behaviour::Hang | Behaviour::Refuse => std::future::pending().await,
    }
}
