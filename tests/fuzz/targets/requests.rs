//! Requests to the API: a line `METHOD path`, then a body. Each is answered by a real router over a
//! store of its own, which begins anew now and then.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use damper::api;
use damper::service::Shared;
use damper::settings::Settings;
use damper::store::{Lease, Options, Store};
use http::Request;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use super::plans::NOW;
use super::world::{PLAN, begun};

/// Requests until it begins anew: what they ask for is kept in the store.
const MOST: u32 = 2000;
/// Bytes of an answer at most.
const ANSWER: usize = 16 << 20;
const SETTINGS: &str = "
prometheus: {name: local, url: 'http://127.0.0.1:9'}
definitions: [slos]
receivers: [{name: oncall, webhook: {url: 'http://127.0.0.1:9/'}}]
route: {receiver: oncall}
";

static SERVICE: Mutex<Option<Service>> = Mutex::new(None);

struct Service {
    runtime: Runtime,
    router: Router,
    folder: PathBuf,
    answered: u32,
}

pub fn run(data: &[u8]) {
    let Some(request) = request(data) else { return };
    let mut service = SERVICE.lock().unwrap_or_else(PoisonError::into_inner);
    drop(service.take_if(|service| service.answered >= MOST));
    service.get_or_insert_with(Service::new).answer(request);
}

/// Removes what is left behind.
#[allow(dead_code, reason = "the fuzzer is ended in the middle, and has a folder that is removed")]
pub fn end() {
    drop(SERVICE.lock().unwrap_or_else(PoisonError::into_inner).take());
}

fn request(data: &[u8]) -> Option<Request<Body>> {
    let mut halves = data.splitn(2, |byte| *byte == b'\n');
    let line = std::str::from_utf8(halves.next()?).ok()?;
    let (method, path) = line.split_once(' ')?;
    let body = halves.next().unwrap_or_default().to_vec();
    Request::builder().method(method).uri(path).body(Body::from(body)).ok()
}

impl Service {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("damper-fuzz-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder for the store");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let shared = runtime.block_on(shared(&folder.join("damper.db").display().to_string()));
        Self { router: api::router(Arc::new(shared)), runtime, folder, answered: 0 }
    }

    /// Whatever is asked has an answer that says what it is.
    fn answer(&mut self, request: Request<Body>) {
        self.answered += 1;
        let asked = format!("{} {}", request.method(), request.uri());
        let router = self.router.clone();
        let (status, text) = self.runtime.block_on(async {
            let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            let (parts, body) = response.into_parts();
            (parts.status, to_bytes(body, ANSWER).await.unwrap_or_else(|why| panic!("{why}: {asked}")))
        });
        assert_ne!(status.as_u16(), 500, "{asked}: {}", String::from_utf8_lossy(&text));
        if status.is_client_error() || status.is_server_error() {
            let problem: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
            assert_eq!(problem["status"], status.as_u16(), "{asked}: {}", String::from_utf8_lossy(&text));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // What is left of it in a temporary folder is nobody's fault.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn shared(file: &str) -> Shared {
    let settings = Settings::parse("damper.yaml", SETTINGS, [], &[]).expect("these settings are right");
    let store = Store::open(&format!("sqlite:{file}"), Options::default()).await.expect("a new store");
    let Ok(Lease::Acquired { epoch }) = store.acquire("fuzz", NOW.0 * 1000, 1 << 40).await else {
        panic!("a new store has no leader")
    };
    let shared = Shared::new(settings, store, [].into(), NOW.0 * 1000);
    shared.set_epoch(Some(epoch));
    let mut world = shared.world.write();
    world.plan = Arc::new(PLAN.clone());
    world.ledger = begun();
    world.judged = PLAN.slos.iter().map(|planned| (planned.id.clone(), NOW)).collect();
    drop(world);
    shared
}
