//! Leadership: one process decides and delivers. The lease's epoch is named with every write, so
//! that a leader which was replaced writes nothing more.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::shared::Shared;
use crate::store::{Lease, StoreError};

/// How long a lease lasts without being renewed.
const TTL_MS: i64 = 15_000;
/// How often it is renewed, or asked for.
const EVERY: Duration = Duration::from_secs(4);

/// Waits until this process leads; `false` when it is told to stop before.
pub(super) async fn acquire(shared: &Shared, holder: &str) -> Result<bool, StoreError> {
    let mut told = false;
    loop {
        match shared.store.acquire(holder, clock::now_ms(), TTL_MS).await {
            Ok(Lease::Acquired { epoch }) => {
                shared.set_epoch(Some(epoch));
                tracing::info!(epoch, holder, "leading");
                return Ok(true);
            }
            Ok(Lease::HeldBy { holder, .. }) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::info!(holder, "standing by: another replica leads");
                }
            }
            Err(error) if error.is_retryable() => tracing::warn!(%error, "the lease cannot be asked for"),
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = shared.shutdown.cancelled() => return Ok(false),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
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
            Ok(()) => {}
            Err(StoreError::LostLease { .. }) => {
                tracing::error!("another replica leads now; stopping");
                shared.set_epoch(None);
                shared.fail("the lease was lost to another replica".into());
                return;
            }
            Err(error) => tracing::warn!(%error, "the lease was not renewed"),
        }
    }
}
