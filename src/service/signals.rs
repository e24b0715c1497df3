//! SIGTERM and SIGINT stop, SIGHUP reloads; systemd is told how it stands.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::shared::Shared;

/// Listens until shutdown.
pub(super) async fn run(shared: Arc<Shared>) -> std::io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut hup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            _ = hup.recv() => {
                tracing::info!("SIGHUP: reading the definitions");
                shared.reload_wake.notify_one();
            }
            () = shared.shutdown.cancelled() => return Ok(()),
        }
    }
    tracing::info!("stopping");
    shared.shutdown.cancel();
    Ok(())
}

/// Tells systemd; anywhere else this does nothing.
pub(super) fn tell_systemd(ready: bool) {
    let state = if ready { sd_notify::NotifyState::Ready } else { sd_notify::NotifyState::Stopping };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "systemd was not told");
    }
}
