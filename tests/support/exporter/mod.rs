//! A service under test control that Prometheus scrapes.

mod metrics;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

pub use metrics::Metrics;

use super::server::Server;
use super::{protobuf, wait_until};

type Targets = Arc<Mutex<BTreeMap<String, Target>>>;

/// One port; each path on it is a target of its own.
pub struct Exporter {
    server: Server,
    targets: Targets,
}

impl Exporter {
    /// Starts on a free port.
    pub fn start() -> Self {
        let targets = Targets::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&targets));
        Self { server: Server::start(router), targets }
    }

    /// `127.0.0.1:PORT`: the `instance` label of its series.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// The target at `path` (`/metrics`); made on first use, as a process that starts now.
    pub fn target(&self, path: &str) -> Target {
        self.targets.lock().unwrap().entry(path.to_owned()).or_default().clone()
    }

    /// Connections are refused: the process is gone.
    pub fn down(&mut self) {
        self.server.down();
    }

    /// Listens again, with the metrics as they are.
    pub fn up(&mut self) {
        self.server.up();
    }
}

/// A scrape target; clones are the same target.
#[derive(Clone, Default)]
pub struct Target(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    metrics: Metrics,
    scrapes: u64,
    status: Option<StatusCode>,
}

impl Target {
    /// Changes metrics so that a scrape sees all of the change or none.
    pub fn change<T>(&self, change: impl FnOnce(&mut Metrics) -> T) -> T {
        change(&mut self.0.lock().unwrap().metrics)
    }

    /// The process restarts: all series are gone, its start time is now.
    pub fn restart(&self) {
        self.change(|metrics| *metrics = Metrics::default());
    }

    /// Scrapes are answered with this status; `None`: as usual.
    pub fn fail(&self, status: Option<u16>) {
        self.0.lock().unwrap().status = status.map(|code| StatusCode::from_u16(code).unwrap());
    }

    /// Successful scrapes so far.
    pub fn scrapes(&self) -> u64 {
        self.0.lock().unwrap().scrapes
    }

    /// Waits for `more` further scrapes, the first of which may already have been under way.
    pub async fn scraped(&self, more: u64, limit: Duration) {
        let wanted = self.scrapes() + more;
        let what = format!("{more} scrapes");
        wait_until(limit, &what, async || (self.scrapes() >= wanted).then_some(())).await;
    }
}

async fn answer(State(targets): State<Targets>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(target) = targets.lock().unwrap().get(uri.path()).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut inner = target.0.lock().unwrap();
    if let Some(status) = inner.status {
        return status.into_response();
    }
    inner.scrapes += 1;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Only protobuf can carry native histograms; whoever cannot read it does not get them.
    if inner.metrics.has_native() && accept.contains("application/vnd.google.protobuf") {
        ([(header::CONTENT_TYPE, protobuf::CONTENT_TYPE)], inner.metrics.protobuf()).into_response()
    } else {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], inner.metrics.text()).into_response()
    }
}
