//! What tests of the service are made of: definitions and their plans, sources that say what is
//! wanted, and services that lead, on a store of their own.

mod damage;
mod definitions;
mod owed;
mod rig;
mod service;
mod source;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub(super) use damage::damage;
pub(super) use definitions::{document, latency, plan, policy, ratio, slo};
pub(super) use owed::{
    FALLBACK, again, messages, notice, owed_since, page, pair, pending, receivers, service,
};
pub(super) use rig::Rig;
pub(super) use service::Service;
pub(super) use source::Source;

use super::clock;
use super::shared::Shared;
use crate::prometheus::Prometheus;
use crate::settings::Settings;
use crate::store::{Lease, Options, Store};

/// Nobody listens there.
pub(super) const NOWHERE: &str = "http://127.0.0.1:9";

/// A service that leads and does nothing by itself, with a new store in this folder.
async fn leader(folder: &Path, settings: &str) -> Shared {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let settings = Settings::parse("damper.yaml", settings, [], &[]).unwrap();
    let file = format!("sqlite:{}", folder.join("damper.db").display());
    let store = Store::open(&file, Options::default()).await.unwrap();
    let lease = store.acquire("test", clock::now_ms(), 600_000).await.unwrap();
    let Lease::Acquired { epoch } = lease else { panic!("a new store has no leader") };
    let sources = settings.sources.iter().map(|source| {
        let asked = Prometheus::new(source.clone(), clock::now).unwrap();
        (source.name().to_owned(), Arc::new(asked))
    });
    let sources = sources.collect();
    let shared = Shared::new(settings, store, sources, clock::now_ms());
    shared.set_epoch(Some(epoch));
    shared
}

/// Asks until it is so; fails the test once `limit` has passed.
pub(super) async fn wait_until(limit: Duration, what: &str, is_so: impl AsyncFn() -> bool) {
    let end = Instant::now() + limit;
    while !is_so().await {
        assert!(Instant::now() < end, "after {limit:?} still waiting for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
