//! How the loops that tell people from memory run.

use std::time::Duration;

use super::Shared;

/// Looks until shutdown: when something is new, and after as long as the look before said.
pub(super) async fn whenever<F: Future<Output = Duration>>(shared: &Shared, mut look: impl FnMut() -> F) {
    loop {
        let woken = shared.degraded.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let rest = tokio::select! {
            () = shared.drained.cancelled() => return,
            rest = look() => rest,
        };
        tokio::select! {
            () = shared.drained.cancelled() => return,
            () = woken => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}
