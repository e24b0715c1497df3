//! A small process manager that Damper can scale: the service that docs/webhook-actuator.md describes.
//!
//! It keeps one workload, `shop`. `GET` tells how many replicas are wanted and how many serve, a signed
//! `POST` sets the count if it is still what Damper believes it to be.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;

use super::replicas::Replicas;
use super::{Result, say, server};

/// As `damper.yaml` has it.
const SECRET: &[u8] = b"only-for-the-demo";
/// Requests that were signed longer ago, in seconds, are refused: somebody may repeat what they overheard.
const LONGEST_AGO: u64 = 300;
/// How often new replicas are asked whether they serve.
const LOOK: Duration = Duration::from_millis(200);

/// A process manager; gone when dropped.
pub(crate) struct Manager {
    address: String,
    _tasks: JoinSet<()>,
}

/// What its requests share.
#[derive(Clone)]
struct Shared {
    replicas: Replicas,
    /// Held from the comparison of a count to its change.
    count: Arc<Mutex<Count>>,
}

struct Count {
    wanted: usize,
    /// So that no two replicas have the same name.
    started: usize,
}

/// What Damper posts.
#[derive(Deserialize)]
struct Order {
    name: String,
    from: usize,
    to: usize,
}

impl Manager {
    /// Starts this many replicas, and listens on a free port.
    pub(crate) async fn start(replicas: Replicas, wanted: usize) -> Result<Self> {
        let count = Arc::new(Mutex::new(Count { wanted: 0, started: 0 }));
        let shared = Shared { replicas: replicas.clone(), count };
        shared.bring(&mut shared.lock(), wanted)?;
        let router = Router::new().route("/workloads/shop", get(look).post(set)).with_state(shared);
        let mut tasks = JoinSet::new();
        let address = server::serve(router, &mut tasks).await?;
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                if let Err(error) = replicas.make_ready().await {
                    say(&format!("process manager: {error}"));
                }
            }
        });
        Ok(Self { address, _tasks: tasks })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts what is missing, or ends the newest that are too many.
    fn bring(&self, count: &mut Count, to: usize) -> Result<()> {
        while count.wanted < to {
            let name = format!("shop-{:03}", count.started + 1);
            self.replicas.start(&name)?;
            (count.wanted, count.started) = (count.wanted + 1, count.started + 1);
            say(&format!("+ process manager: {name} started"));
        }
        let names = self.replicas.names();
        for name in names.iter().rev().take(count.wanted.saturating_sub(to)) {
            self.replicas.end(name)?;
            count.wanted -= 1;
            say(&format!("- process manager: {name} ends"));
        }
        Ok(())
    }

    fn told(&self, wanted: usize) -> Response {
        axum::Json(json!({"replicas": wanted, "ready": self.replicas.ready().len()})).into_response()
    }
}

async fn look(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if !is_signed(&headers, b"") {
        return refuse(StatusCode::UNAUTHORIZED, "the signature does not fit");
    }
    let wanted = shared.lock().wanted;
    shared.told(wanted)
}

/// A repeated order finds the count changed by its first coming, and gets a 409 with the count: Damper
/// sees that it is what was asked for.
async fn set(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_signed(&headers, &body) {
        return refuse(StatusCode::UNAUTHORIZED, "the signature does not fit");
    }
    let order: Order = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if order.name != "shop" {
        return refuse(StatusCode::BAD_REQUEST, "the order is for another workload");
    }
    let mut count = shared.lock();
    if count.wanted != order.from {
        return (StatusCode::CONFLICT, shared.told(count.wanted)).into_response();
    }
    match shared.bring(&mut count, order.to) {
        Ok(()) => shared.told(count.wanted),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}

/// Whether `Damper-Signature: t=<unix seconds>,v1=<hex>` is the secret's, over `<t>.<body>`, and fresh.
fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let header = headers.get("Damper-Signature").and_then(|header| header.to_str().ok());
    let Some((time, tag)) = header.and_then(|header| header.strip_prefix("t=")?.split_once(",v1=")) else {
        return false;
    };
    let (Ok(seconds), Some(tag)) = (time.parse::<u64>(), bytes_of(tag)) else { return false };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let is_fresh = now.is_ok_and(|now| now.as_secs().abs_diff(seconds) <= LONGEST_AGO);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signed = [time.as_bytes(), b".", body].concat();
    // It compares in constant time.
    is_fresh && hmac::verify(&key, &signed, &tag).is_ok()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
