//! A small shop for the demo: one replica of it serves so many checkouts a second and refuses the rest.
//!
//! `GET /checkout` answers 200, 503 while more are asked for than it can do, or 500 while it is broken:
//! `POST /errors?ratio=0.5` breaks every second checkout from now on, `ratio=0` repairs it.
//! `GET /metrics` shows `http_requests_total{code}`, the histogram `http_request_duration_seconds` and
//! `shop_capacity`, the checkouts a second that it can do.

#![allow(clippy::print_stdout, reason = "it talks to the terminal")]

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clap::Parser;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// A checkout that would have to wait longer for its turn is refused.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

#[derive(Parser)]
#[command(about = "One replica of a small shop, with a capacity, and with errors that switch on and off")]
struct Arguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Checkouts a second that it can do.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    capacity: u32,
    /// Share of the checkouts that fail from the beginning, 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    errors: f64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Labels {
    code: u16,
}

struct Shop {
    registry: Registry,
    requests: Family<Labels, Counter>,
    duration: Histogram,
    /// Time that one checkout takes of this replica.
    each: Duration,
    /// When all checkouts that were let in will be done.
    busy_until: Mutex<Instant>,
    /// Failing checkouts per thousand.
    failing: AtomicU64,
    served: AtomicU64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let failing = per_thousand(arguments.errors).ok_or("--errors is between 0 and 1")?;
    let listener = tokio::net::TcpListener::bind(&arguments.listen).await?;
    println!("shop: http://{}/checkout, {} a second", listener.local_addr()?, arguments.capacity);
    let router = Router::new()
        .route("/checkout", get(checkout))
        .route("/errors", post(errors))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(Shop::new(arguments.capacity, failing)));
    let mut terminate = signal(SignalKind::terminate())?;
    // What was let in is served before it ends.
    let end = async move { terminate.recv().await.unwrap_or_default() };
    Ok(axum::serve(listener, router).with_graceful_shutdown(end).await?)
}

impl Shop {
    fn new(capacity: u32, failing: u64) -> Self {
        let mut registry = Registry::default();
        let requests = Family::<Labels, Counter>::default();
        let duration = Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0]);
        let full: Gauge = Gauge::default();
        full.set(capacity.into());
        registry.register("http_requests", "Checkouts by status code", requests.clone());
        registry.register("http_request_duration_seconds", "How long a checkout took", duration.clone());
        registry.register("shop_capacity", "Checkouts a second that this replica can do", full);
        Self {
            registry,
            requests,
            duration,
            each: Duration::from_secs(1) / capacity,
            busy_until: Mutex::new(Instant::now()),
            failing: AtomicU64::new(failing),
            served: AtomicU64::new(0),
        }
    }

    /// When it will be this checkout's turn; `None` where that is too far away.
    fn queue(&self) -> Option<Instant> {
        let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let turn = (*busy_until).max(now);
        if turn - now > LONGEST_WAIT {
            return None;
        }
        *busy_until = turn + self.each;
        Some(turn)
    }

    /// Of a thousand in a row exactly as many fail as was asked for, evenly spread.
    fn fails(&self) -> bool {
        let number = self.served.fetch_add(1, Ordering::Relaxed);
        let failing = self.failing.load(Ordering::Relaxed);
        (number + 1) * failing / 1000 > number * failing / 1000
    }
}

async fn checkout(State(shop): State<Arc<Shop>>) -> StatusCode {
    let begun = Instant::now();
    let status = match shop.queue() {
        None => StatusCode::SERVICE_UNAVAILABLE,
        Some(turn) => {
            tokio::time::sleep_until(turn + Duration::from_millis(5)).await;
            if shop.fails() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
        }
    };
    shop.requests.get_or_create(&Labels { code: status.as_u16() }).inc();
    shop.duration.observe(begun.elapsed().as_secs_f64());
    status
}

#[derive(Deserialize)]
struct Errors {
    ratio: f64,
}

async fn errors(State(shop): State<Arc<Shop>>, Query(errors): Query<Errors>) -> Response {
    let Some(failing) = per_thousand(errors.ratio) else {
        return (StatusCode::BAD_REQUEST, "ratio is between 0 and 1\n").into_response();
    };
    shop.failing.store(failing, Ordering::Relaxed);
    println!("shop: {failing} of 1000 checkouts fail from now on");
    StatusCode::NO_CONTENT.into_response()
}

fn per_thousand(ratio: f64) -> Option<u64> {
    if !(0.0..=1.0).contains(&ratio) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be 0 to 1")]
    let failing = (ratio * 1000.0).round() as u64;
    Some(failing)
}

async fn metrics(State(shop): State<Arc<Shop>>) -> Response {
    let mut text = String::new();
    if let Err(error) = encode(&mut text, &shop.registry) {
        return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
