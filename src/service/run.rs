//! Starts everything in order, waits, and stops it in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::clock;
use super::reload::Reloader;
use super::shared::Shared;
use super::watch::Watch;
use super::{backfill, deliver, fallback, lease, level, restart, signals, ticker};
use crate::notify::alertmanager::Alertmanager;
use crate::notify::email::Email;
use crate::notify::heartbeat::Heartbeat;
use crate::notify::webhook::Webhook;
use crate::notify::{Problem, Receiver, ReceiverKind};
use crate::prometheus::{ClientError, Prometheus};
use crate::settings::Settings;
use crate::store::{Options, Store, StoreError};

/// How long what is due is still delivered after the last tick.
const DRAIN: Duration = Duration::from_secs(5);
/// How long tasks may take to end after that.
const END: Duration = Duration::from_secs(10);

/// Why the service did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A source's certificates or address.
    #[error("source `{name}`: {error}")]
    Source {
        /// The source.
        name: String,
        /// What is wrong.
        error: ClientError,
    },
    /// A receiver or the heartbeat.
    #[error("{0}")]
    Receiver(Problem),
    /// The address to listen at.
    #[error("cannot listen at {address}: {error}; see `listen` in the settings")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(std::io::Error),
    /// Something that cannot be mended here.
    #[error("{0}")]
    Stopped(String),
}

/// Runs until it is told to stop.
///
/// `serve` answers HTTP on the listener until [`Shared::shutdown`]; the API depends on the service,
/// not the service on it.
pub async fn run<F: Future<Output = ()> + Send + 'static>(
    settings: Settings,
    serve: impl FnOnce(Arc<Shared>, TcpListener) -> F,
) -> Result<(), ServiceError> {
    let shared = Arc::new(shared(settings).await?);
    let (edges, levels) = receivers(&shared.settings)?;
    let heartbeat = shared.settings.heartbeat.as_ref();
    let heartbeat = heartbeat.map(|config| Heartbeat::new("heartbeat", config)).transpose();
    let heartbeat = heartbeat.map_err(ServiceError::Receiver)?;
    let address = shared.settings.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| ServiceError::Listen { address, error })?;
    let bound = listener.local_addr().ok();
    let spawn = |name: &'static str, shared: &Arc<Shared>| Guard { name, shared: Arc::clone(shared) };

    let guard = spawn("signals", &shared);
    let task = signals::run(Arc::clone(&shared));
    shared.tasks.spawn(async move { guard.watch(async { task.await.unwrap_or_default() }).await });
    let guard = spawn("api", &shared);
    let task = serve(Arc::clone(&shared), listener);
    shared.tasks.spawn(async move { guard.watch(task).await });
    tracing::info!(%address, store = shared.store.name(), version = env!("CARGO_PKG_VERSION"), "started");

    if lease::acquire(&shared, &lease::holder(bound, shared.started_at_ms)).await? {
        lead(&shared, edges, levels, heartbeat).await?;
    }
    shared.shutdown.cancelled().await;
    stop(&shared).await;
    match shared.failure() {
        None => Ok(()),
        Some(why) => Err(ServiceError::Stopped(why)),
    }
}

async fn lead(
    shared: &Arc<Shared>,
    edges: Vec<(String, Arc<dyn Receiver>)>,
    levels: Vec<(String, Alertmanager)>,
    heartbeat: Option<Heartbeat>,
) -> Result<(), ServiceError> {
    let spawn = |name: &'static str| Guard { name, shared: Arc::clone(shared) };
    let guard = spawn("lease");
    let task = lease::keep(Arc::clone(shared));
    shared.tasks.spawn(async move { guard.watch(task).await });

    let watch = Watch::start(shared);
    let reloader = Reloader::start(shared).await?;
    restart::restore(shared, shared.take_plan().unwrap_or_default()).await?;

    for (name, receiver) in edges {
        let guard = spawn("delivery");
        let task = deliver::run(Arc::clone(shared), name, receiver);
        shared.tasks.spawn(async move { guard.watch(task).await });
    }
    for (name, alertmanager) in levels {
        let guard = spawn("delivery");
        let task = level::run(Arc::clone(shared), name, alertmanager);
        shared.tasks.spawn(async move { guard.watch(task).await });
    }
    let guard = spawn("fallback");
    let task = fallback::run(Arc::clone(shared));
    shared.tasks.spawn(async move { guard.watch(task).await });
    let guard = spawn("reload");
    let task = reloader.run(Arc::clone(shared));
    shared.tasks.spawn(async move {
        guard.watch(task).await;
        drop(watch);
    });
    let guard = spawn("backfill");
    let task = backfill::run(Arc::clone(shared));
    shared.tasks.spawn(async move { guard.watch(task).await });
    let guard = spawn("ticks");
    let task = ticker::run(Arc::clone(shared), heartbeat);
    let done = Arc::clone(shared);
    shared.tasks.spawn(async move {
        guard.watch(task).await;
        drain(&done).await;
        done.drained.cancel();
    });
    signals::tell_systemd(true);
    Ok(())
}

/// Lets what is due leave, for a moment: what does not is delivered after the next start.
async fn drain(shared: &Shared) {
    let until = tokio::time::Instant::now() + DRAIN;
    while tokio::time::Instant::now() < until {
        let backlog = shared.store.backlog().await.unwrap_or_default();
        if backlog.iter().all(|receiver| receiver.pending == 0) {
            return;
        }
        shared.outbox_wake.notify_waiters();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn stop(shared: &Shared) {
    signals::tell_systemd(false);
    if shared.epoch().is_none() {
        shared.drained.cancel();
    }
    shared.tasks.close();
    if tokio::time::timeout(DRAIN + END, shared.tasks.wait()).await.is_err() {
        tracing::warn!("some tasks did not end in time");
    }
    if let Some(epoch) = shared.epoch()
        && let Err(error) = shared.store.release(epoch).await
    {
        tracing::warn!(%error, "the lease was not released; the next leader waits for its end");
    }
    tracing::info!("stopped");
}

async fn shared(settings: Settings) -> Result<Shared, ServiceError> {
    let store = Store::open(settings.store.expose(), Options::default()).await?;
    let mut sources = BTreeMap::new();
    for config in &settings.sources {
        let name = config.name().to_owned();
        let source = Prometheus::new(config.clone(), clock::now);
        let source = source.map_err(|error| ServiceError::Source { name: name.clone(), error })?;
        sources.insert(name, Arc::new(source));
    }
    Ok(Shared::new(settings, store, sources, clock::now_ms()))
}

type Receivers = (Vec<(String, Arc<dyn Receiver>)>, Vec<(String, Alertmanager)>);

fn receivers(settings: &Settings) -> Result<Receivers, ServiceError> {
    let (mut edges, mut levels): Receivers = (Vec::new(), Vec::new());
    for receiver in &settings.receivers {
        let (name, at) = (receiver.name.clone(), format!("receivers.{}", receiver.name));
        match &receiver.kind {
            ReceiverKind::Webhook(config) => {
                let webhook =
                    Webhook::new(&at, config, &settings.external_url).map_err(ServiceError::Receiver)?;
                edges.push((name, Arc::new(webhook)));
            }
            ReceiverKind::Email(config) => {
                let email =
                    Email::new(&at, config, &settings.external_url).map_err(ServiceError::Receiver)?;
                edges.push((name, Arc::new(email)));
            }
            ReceiverKind::Alertmanager(config) => {
                levels.push((name, Alertmanager::new(&at, config).map_err(ServiceError::Receiver)?));
            }
        }
    }
    Ok((edges, levels))
}

/// Notices when a task ends before it should, by returning or by a panic: then everything stops,
/// because a pager with a dead part that looks alive is worse than one that is down.
struct Guard {
    name: &'static str,
    shared: Arc<Shared>,
}

impl Guard {
    async fn watch(self, task: impl Future<Output = ()>) {
        task.await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.shared.shutdown.is_cancelled() {
            self.shared.fail(format!("the task `{}` ended unexpectedly", self.name));
        }
    }
}
