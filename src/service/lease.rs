//! Leadership: one process decides and delivers. The lease's epoch is named with every write, so
//! that a leader which was replaced writes nothing more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::shared::Shared;
use super::{clock, degraded};
use crate::store::{Lease, StoreError};

/// How long a lease lasts without being renewed.
const TTL_MS: i64 = 15_000;
const TTL: Duration = Duration::from_secs(15);
/// How often it is renewed, or asked for.
const EVERY: Duration = Duration::from_secs(4);

/// The name this process leads under. Where it can be known, it is the place that only one living
/// process can have, because it listens there: host, boot, network and address. A lease held under
/// it was left by a process that was killed, and need not be waited for.
pub(super) fn holder(bound: Option<SocketAddr>, started_at_ms: i64) -> String {
    let unique = || format!("process {} started {started_at_ms}", std::process::id());
    bound.and_then(place).unwrap_or_else(unique)
}

fn place(bound: SocketAddr) -> Option<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    // A number that no other living network namespace has: containers of one host differ by it.
    let network = std::fs::read_link("/proc/self/ns/net").ok()?;
    Some(format!("{bound} on {} (boot {}, {})", host.trim(), boot.trim(), network.display()))
}

/// Waits until this process leads; `false` when it is told to stop before.
pub(super) async fn acquire(shared: &Shared, holder: &str) -> Result<bool, StoreError> {
    let mut standing = None;
    while !try_acquire(shared, holder, &mut standing).await? {
        tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(false),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    Ok(true)
}

/// Until when a lease of another replica lasts by that one's clock, and since when it says so. One that is
/// not renewed for as long as it lasts is over, whatever clock it was written by.
type Standing = Option<(i64, Instant)>;

async fn try_acquire(shared: &Shared, holder: &str, standing: &mut Standing) -> Result<bool, StoreError> {
    let over = standing.filter(|(_, since)| since.elapsed() > TTL).map_or(i64::MIN, |(until, _)| until);
    match shared.store.acquire(holder, clock::now_ms().max(over), TTL_MS).await {
        Ok(Lease::Acquired { epoch }) => {
            shared.set_epoch(Some(epoch));
            tracing::info!(epoch, holder, "leading");
            return Ok(true);
        }
        Ok(Lease::HeldBy { holder, until_ms }) => {
            if standing.is_none() {
                tracing::info!(holder, "standing by: another replica leads");
            }
            *standing = standing.filter(|(until, _)| *until == until_ms).or(Some((until_ms, Instant::now())));
            degraded::hand_over(shared).await;
        }
        Err(error) if error.is_retryable() => tracing::warn!(%error, "the lease cannot be asked for"),
        Err(error) => return Err(error),
    }
    Ok(false)
}

/// Renews the lease until shutdown. Once lost, this process stops: started again, it stands by.
pub(super) async fn keep(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.drained.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let Some(epoch) = shared.epoch() else { return };
        match shared.store.renew(epoch, clock::now_ms(), TTL_MS).await {
            Ok(()) => shared.trouble("lease", None),
            Err(StoreError::LostLease { .. }) => {
                tracing::error!("another replica leads now; stopping");
                shared.set_epoch(None);
                shared.fail("the lease was lost to another replica".into());
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "the lease was not renewed");
                shared.trouble("lease", Some(error.to_string()));
            }
        }
    }
}
