//! SIGTERM and SIGINT stop, SIGHUP reloads; systemd is told how it stands.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::shared::Shared;

/// The signals that mean something here.
pub(super) struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    /// From now on they do not end the process any more.
    pub(super) fn take() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    /// Listens until shutdown.
    pub(super) async fn run(mut self, shared: Arc<Shared>) {
        loop {
            tokio::select! {
                _ = self.term.recv() => break,
                _ = self.int.recv() => break,
                _ = self.hup.recv() => {
                    tracing::info!("SIGHUP: reading the definitions");
                    shared.reload_wake.notify_one();
                }
                () = shared.shutdown.cancelled() => return,
            }
        }
        tracing::info!("stopping");
        shared.shutdown.cancel();
    }
}

/// Tells systemd; anywhere else this does nothing.
pub(super) fn tell_systemd(ready: bool) {
    let state = if ready { sd_notify::NotifyState::Ready } else { sd_notify::NotifyState::Stopping };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "systemd was not told");
    }
}
