//! Customers: so many checkouts a second, in turn from all replicas that are ready.
//!
//! `POST /customers?rate=70` brings more of them, `POST /errors?ratio=0.5` breaks the shop: both are
//! for those who stay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::replicas::Replicas;
use super::{Result, server};

/// One that gets no answer for so long goes away.
const PATIENCE: Duration = Duration::from_secs(5);
/// After a pause of this computer they do not all come at once.
const LATE: Duration = Duration::from_millis(100);

/// All customers; gone when dropped.
pub(crate) struct Customers {
    address: String,
    shared: Shared,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Shared {
    rate: Arc<AtomicUsize>,
    asked: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    replicas: Replicas,
}

/// Checkouts since the beginning, as customers saw them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) asked: u64,
    pub(crate) failed: u64,
}

impl Customers {
    pub(crate) async fn start(replicas: Replicas, rate: usize) -> Result<Self> {
        let count = || Arc::new(AtomicU64::new(0));
        let shared =
            Shared { rate: Arc::new(AtomicUsize::new(rate)), asked: count(), failed: count(), replicas };
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let router = Router::new()
            .route("/customers", post(more))
            .route("/errors", post(errors))
            .with_state(shared.clone());
        let mut tasks = JoinSet::new();
        let address = server::serve(router, &mut tasks).await?;
        tasks.spawn(come(shared.clone(), client));
        Ok(Self { address, shared, _tasks: tasks })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// From now on so many a second.
    pub(crate) fn set(&self, rate: usize) {
        self.shared.rate.store(rate, Ordering::Relaxed);
    }

    pub(crate) fn rate(&self) -> usize {
        self.shared.rate.load(Ordering::Relaxed)
    }

    pub(crate) fn seen(&self) -> Seen {
        let Shared { asked, failed, .. } = &self.shared;
        Seen { asked: asked.load(Ordering::Relaxed), failed: failed.load(Ordering::Relaxed) }
    }
}

/// Evenly spread, and nobody waits for another's answer.
async fn come(shared: Shared, client: reqwest::Client) {
    let mut visits = JoinSet::new();
    let mut next = Instant::now();
    for turn in 0_usize.. {
        sleep_until(next).await;
        let ready = shared.replicas.ready();
        let address = turn.checked_rem(ready.len()).and_then(|turn| ready.get(turn).cloned());
        visits.spawn(visit(shared.clone(), client.clone(), address));
        while visits.try_join_next().is_some() {}
        let rate = u32::try_from(shared.rate.load(Ordering::Relaxed)).unwrap_or(u32::MAX).max(1);
        next = next.max(Instant::now() - LATE) + Duration::from_secs(1) / rate;
    }
}

async fn visit(shared: Shared, client: reqwest::Client, address: Option<String>) {
    let answer = match address {
        Some(address) => client.get(format!("http://{address}/checkout")).send().await.ok(),
        None => None,
    };
    let failed = !answer.is_some_and(|answer| answer.status().is_success());
    shared.failed.fetch_add(failed.into(), Ordering::Relaxed);
    shared.asked.fetch_add(1, Ordering::Relaxed);
}

#[derive(Deserialize)]
struct Rate {
    rate: usize,
}

async fn more(State(shared): State<Shared>, Query(Rate { rate }): Query<Rate>) -> (StatusCode, &'static str) {
    if !(1..=500).contains(&rate) {
        return (StatusCode::BAD_REQUEST, "rate is between 1 and 500\n");
    }
    shared.rate.store(rate, Ordering::Relaxed);
    (StatusCode::NO_CONTENT, "")
}

#[derive(Deserialize)]
struct Errors {
    ratio: f64,
}

async fn errors(
    State(shared): State<Shared>,
    Query(Errors { ratio }): Query<Errors>,
) -> (StatusCode, &'static str) {
    if !(0.0..=1.0).contains(&ratio) {
        return (StatusCode::BAD_REQUEST, "ratio is between 0 and 1\n");
    }
    match shared.replicas.errors(ratio).await {
        Ok(()) => (StatusCode::NO_CONTENT, ""),
        Err(_) => (StatusCode::BAD_GATEWAY, "a replica did not answer\n"),
    }
}
