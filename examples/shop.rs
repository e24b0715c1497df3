//! A small shop for the demo: it serves checkouts, makes its own load, and fails on command.
//!
//! `POST /errors?ratio=0.5` makes every second checkout fail from now on; `ratio=0` ends it.
//! `GET /metrics` shows `http_requests_total{code}` and the histogram `http_request_duration_seconds`.

#![allow(clippy::print_stdout, reason = "it talks to the terminal")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde::Deserialize;

#[derive(Parser)]
#[command(about = "A small service under self-made load, whose errors switch on and off")]
struct Arguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// Checkouts a second that it asks of itself.
    #[arg(long, default_value_t = 50)]
    rate: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Labels {
    code: u16,
}

struct Shop {
    registry: Registry,
    requests: Family<Labels, Counter>,
    duration: Histogram,
    /// Failing checkouts per thousand.
    failing: AtomicU64,
    served: AtomicU64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let listener = tokio::net::TcpListener::bind(&arguments.listen).await?;
    let url = format!("http://{}/checkout", listener.local_addr()?);
    println!("shop: serving {url}, {} times a second", arguments.rate);
    let router = Router::new()
        .route("/checkout", get(checkout))
        .route("/errors", post(errors))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(Shop::new()));
    let serve = async { axum::serve(listener, router).await };
    tokio::select! {
        done = serve => Ok(done?),
        done = customers(&url, arguments.rate) => done,
    }
}

impl Shop {
    fn new() -> Self {
        let mut registry = Registry::default();
        let requests = Family::<Labels, Counter>::default();
        let duration = Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0]);
        registry.register("http_requests", "Checkouts by status code", requests.clone());
        registry.register("http_request_duration_seconds", "How long a checkout took", duration.clone());
        Self { registry, requests, duration, failing: AtomicU64::new(0), served: AtomicU64::new(0) }
    }
}

/// Asks for checkouts, evenly spread, without waiting for one before the next.
async fn customers(url: &str, rate: u32) -> Result<(), Box<dyn Error>> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let mut every = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    let mut visits = tokio::task::JoinSet::new();
    loop {
        every.tick().await;
        let request = client.get(url);
        // Its answer is counted where it is served.
        visits.spawn(async move { drop(request.send().await) });
        while visits.try_join_next().is_some() {}
    }
}

/// Takes 2 to 40 ms; of a thousand in a row exactly as many fail as was asked for, evenly spread.
async fn checkout(State(shop): State<Arc<Shop>>) -> StatusCode {
    let number = shop.served.fetch_add(1, Ordering::Relaxed);
    let milliseconds = 2 + number.wrapping_mul(7919) % 39;
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    let failing = shop.failing.load(Ordering::Relaxed);
    let fails = (number + 1) * failing / 1000 > number * failing / 1000;
    let status = if fails { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    shop.requests.get_or_create(&Labels { code: status.as_u16() }).inc();
    shop.duration.observe(Duration::from_millis(milliseconds).as_secs_f64());
    status
}

#[derive(Deserialize)]
struct Errors {
    ratio: f64,
}

async fn errors(State(shop): State<Arc<Shop>>, Query(errors): Query<Errors>) -> Response {
    if !(0.0..=1.0).contains(&errors.ratio) {
        return (StatusCode::BAD_REQUEST, "ratio is between 0 and 1\n").into_response();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be 0 to 1")]
    let failing = (errors.ratio * 1000.0).round() as u64;
    shop.failing.store(failing, Ordering::Relaxed);
    println!("shop: {failing} of 1000 checkouts fail from now on");
    StatusCode::NO_CONTENT.into_response()
}

async fn metrics(State(shop): State<Arc<Shop>>) -> Response {
    let mut text = String::new();
    if let Err(error) = encode(&mut text, &shop.registry) {
        return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
