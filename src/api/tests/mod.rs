//! The router as a client sees it: over a real store, an authored ledger, and no network.

mod alert_history;
mod deliveries;
mod errors;
mod health;
mod ledger;
mod openapi;
mod scale;
mod server;
mod slos;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::engine::plan::Plan;
use crate::engine::view::testing::Example;
use crate::prometheus::Prometheus;
use crate::service::clock;
use crate::service::shared::Shared;
use crate::service::state::World;
use crate::settings::Settings;
use crate::slo::time::Ts;
use crate::store::{Lease, Options, Store};

const SETTINGS: &str = "
prometheus: {name: local, url: 'http://127.0.0.1:9'}
externalLabels: {cluster: eu1}
definitions: [slos]
receivers: [{name: oncall, webhook: {url: 'http://127.0.0.1:9/'}}]
route: {receiver: oncall}
";

/// A service that leads and has just done a tick.
pub(super) struct Service {
    pub(super) shared: Arc<Shared>,
    router: Router,
    _folder: TempDir,
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Service {
    pub(super) async fn of(example: Example) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}", folder.path().join("damper.db").display());
        let store = Store::open(&file, Options::default()).await.unwrap();
        let Lease::Acquired { epoch } = store.acquire("test", clock::now_ms(), 60_000).await.unwrap() else {
            panic!("a new store has no leader")
        };
        let settings = Settings::parse("damper.yaml", SETTINGS, [], &[]).unwrap();
        // A source that is never asked; it only has to be there.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let source = Prometheus::new(settings.sources[0].clone(), clock::now).unwrap();
        let sources = BTreeMap::from([("local".to_owned(), Arc::new(source))]);
        let shared = Shared::new(settings, store, sources, clock::now_ms());
        shared.set_epoch(Some(epoch));
        let at = Ts(example.now);
        *shared.world.write() = World {
            judged: example.slos.iter().map(|planned| (planned.id.clone(), at)).collect(),
            plan: Arc::new(Plan { slos: example.slos, ..Plan::default() }),
            ledger: example.ledger,
            control: example.control,
            observed: example.observed,
            ..World::default()
        };
        {
            let mut ticks = shared.ticks.write();
            (ticks.completed, ticks.at, ticks.done_at_ms) = (1, at.0, clock::now_ms());
        }
        let shared = Arc::new(shared);
        Self { router: super::router(Arc::clone(&shared)), shared, _folder: folder }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Reply {
        self.send(Request::post(path).body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        send(self.router.clone(), request).await
    }
}

pub(super) async fn send(router: Router, request: Request<Body>) -> Reply {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 64 * 1024 * 1024).await.unwrap();
    Reply { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A problem document of this status; gives its detail.
    #[track_caller]
    pub(super) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], status);
        assert_eq!(json["type"], "about:blank");
        assert!(json["title"].is_string());
        json["detail"].as_str().unwrap().to_owned()
    }
}
