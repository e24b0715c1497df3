//! Starts everything in order, waits, and stops it in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::clock;
use super::definitions::Definitions;
use super::shared::Shared;
use super::signals::{self, Signals};
use super::watch::Watch;
use super::{
    audit, backfill, backups, catchup, degraded, deliver, exclusions, fallback, lease, level, reload,
    restart, scaling, survey, ticker,
};
use crate::cluster::kubernetes::Kubernetes;
use crate::cluster::{self, Actuators};
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
/// `serve` answers HTTP on the listener until [`Shared::drained`], so that it can be seen what is
/// still being delivered; the API depends on the service, not the service on it.
pub async fn run<F: Future<Output = ()> + Send + 'static>(
    settings: Settings,
    serve: impl FnOnce(Arc<Shared>, TcpListener) -> F,
) -> Result<(), ServiceError> {
    // First what may be refused: a store is only made by a service that starts.
    let (edges, levels) = receivers(&settings)?;
    let address = settings.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| ServiceError::Listen { address, error })?;
    let bound = listener.local_addr().ok();
    let heartbeat = settings.heartbeat.as_ref();
    let heartbeat = heartbeat.map(|config| Heartbeat::new("heartbeat", config)).transpose();
    let heartbeat = heartbeat.map_err(ServiceError::Receiver)?;
    let shared = Arc::new(shared(settings).await?);
    let actuators = Arc::new(actuators(&shared)?);

    let signals = Signals::take().map_err(ServiceError::Signals)?;
    spawn(&shared, "signals", signals.run(Arc::clone(&shared)));
    spawn(&shared, "api", serve(Arc::clone(&shared), listener));
    tracing::info!(%address, store = shared.store.name(), version = env!("CARGO_PKG_VERSION"), "started");
    warn_of_silence(&shared);

    if lease::acquire(&shared, &lease::holder(bound, shared.started_at_ms)).await? {
        Box::pin(lead(&shared, edges, levels, heartbeat, actuators)).await?;
    }
    shared.shutdown.cancelled().await;
    stop(&shared).await;
    match shared.failure() {
        None => Ok(()),
        Some(why) => Err(ServiceError::Stopped(why)),
    }
}

/// Says that nobody is told of alerts: where it is meant at the start, else as long as it runs.
fn warn_of_silence(shared: &Shared) {
    if shared.settings.alerting.shadow().all {
        tracing::warn!("shadow mode: nobody is told of any alert; `alerting.mode: live` ends it");
    }
    if let Some(why) = shared.settings.unheard() {
        tracing::warn!("{why}");
        shared.trouble("receivers", Some(why.to_owned()));
    }
}

async fn lead(
    shared: &Arc<Shared>,
    edges: Vec<(String, Arc<dyn Receiver>)>,
    levels: Vec<(String, Alertmanager)>,
    heartbeat: Option<Heartbeat>,
    actuators: Arc<Actuators>,
) -> Result<(), ServiceError> {
    spawn(shared, "lease", lease::keep(Arc::clone(shared)));
    let watch = Watch::start(shared);
    // First of all: nothing may go away before it is known what fires.
    let control = restart::control(shared).await?;
    shared.world.write().control = control;
    catchup::restore(shared).await?;
    degraded::resume(shared).await?;
    scaling::restore(shared).await?;
    let (survey, surveyor) = survey::survey();
    let definitions = Definitions::start(shared, survey).await?;
    restart::restore(shared, shared.take_plan().unwrap_or_default()).await?;

    for (name, receiver) in edges {
        let from_memory = degraded::tell_messages(Arc::clone(shared), name.clone(), Arc::clone(&receiver));
        spawn(shared, "delivery", from_memory);
        spawn(shared, "delivery", deliver::run(Arc::clone(shared), name, receiver));
    }
    for (name, alertmanager) in levels {
        let alertmanager = Arc::new(alertmanager);
        let from_memory = degraded::tell_levels(Arc::clone(shared), name.clone(), Arc::clone(&alertmanager));
        spawn(shared, "delivery", from_memory);
        spawn(shared, "delivery", level::run(Arc::clone(shared), name, alertmanager));
    }
    spawn(shared, "degraded", degraded::run(Arc::clone(shared)));
    spawn(shared, "fallback", fallback::run(Arc::clone(shared)));
    spawn(shared, "survey", surveyor.run(Arc::clone(shared)));
    spawn(shared, "reload", reload::run(Arc::clone(shared), definitions, watch));
    if shared.settings.store.is_file() {
        spawn(shared, "backups", backups::run(Arc::clone(shared)));
    }
    spawn(shared, "backfill", backfill::run(Arc::clone(shared)));
    spawn(shared, "audit", audit::run(Arc::clone(shared)));
    spawn(shared, "exclusions", exclusions::run(Arc::clone(shared)));
    spawn(shared, "scaling", scaling::run(Arc::clone(shared), actuators));
    let done = Arc::clone(shared);
    spawn(shared, "ticks", async move {
        // However this task ends, deliveries and the API end after it.
        let _drained = done.drained.clone().drop_guard();
        ticker::run(Arc::clone(&done), heartbeat).await;
        drain(&done).await;
    });
    signals::tell_systemd(true);
    Ok(())
}

/// Lets what is due leave, for a moment: what does not is delivered after the next start.
async fn drain(shared: &Shared) {
    let until = tokio::time::Instant::now() + DRAIN;
    while tokio::time::Instant::now() < until {
        let backlog = shared.store.backlog().await.unwrap_or_default();
        if backlog.iter().all(|receiver| receiver.pending == 0) && !shared.degraded.any_waits() {
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
    release(shared).await;
    if shared.epoch().is_none() && shared.degraded.is_on() {
        // The lease was lost meanwhile. What is not handed over in time the next process finds noted.
        let _ = tokio::time::timeout(END, degraded::hand_over(shared)).await;
    }
    tracing::info!("stopped");
}

async fn release(shared: &Shared) {
    let Some(epoch) = shared.epoch() else { return };
    if let Err(error) = shared.store.release(epoch).await {
        tracing::warn!(%error, "the lease was not released; the next leader waits for its end");
    }
}

async fn shared(settings: Settings) -> Result<Shared, ServiceError> {
    let mut sources = BTreeMap::new();
    for config in &settings.sources {
        let name = config.name().to_owned();
        let source = Prometheus::new(config.clone(), clock::now);
        let source = source.map_err(|error| ServiceError::Source { name: name.clone(), error })?;
        sources.insert(name, Arc::new(source));
    }
    let options = Options { backups: settings.backups.folder.clone(), ..Options::default() };
    let store = Store::open(settings.store.expose(), options).await?;
    let spill = degraded::spill_path(&store);
    let mut shared = Shared::new(settings, store, sources, clock::now_ms());
    shared.degraded = degraded::Degraded::with_spill(&spill);
    Ok(shared)
}

/// The cluster that cannot be reached is told where a policy needs it, and stops nothing else.
fn actuators(shared: &Shared) -> Result<Actuators, ServiceError> {
    let scaling = &shared.settings.scaling;
    let mut actuators = Actuators::default();
    for config in &scaling.actuators {
        let at = format!("scaling.actuators.{}", config.name);
        let webhook = cluster::webhook::Webhook::new(&at, config).map_err(ServiceError::Receiver)?;
        actuators.webhooks.insert(config.name.clone(), webhook);
    }
    // Logged in to once a policy needs it.
    let kubernetes = Kubernetes::new(&scaling.kubernetes, clock::now, &shared.tasks, &shared.shutdown);
    actuators.kubernetes = Some(kubernetes);
    Ok(actuators)
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

/// Spawns a task that is waited for and whose end is noticed. Some futures are large: boxed, they
/// are moved once.
fn spawn(shared: &Arc<Shared>, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    let guard = Guard { name, shared: Arc::clone(shared) };
    let task = Box::pin(task);
    shared.tasks.spawn(async move {
        let _guard = guard;
        task.await;
    });
}

/// Notices when a task ends before it should, by returning or by a panic: then everything stops,
/// because a pager with a dead part that looks alive is worse than one that is down.
struct Guard {
    name: &'static str,
    shared: Arc<Shared>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.shared.shutdown.is_cancelled() {
            self.shared.fail(format!("the task `{}` ended unexpectedly", self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::Service;

    #[tokio::test]
    async fn that_there_is_nobody_to_tell_is_a_trouble_while_it_runs() {
        let service = Service::start().await;
        warn_of_silence(&service.shared);
        let told = service.shared.troubles.read().get("receivers").cloned();
        assert_eq!(told.as_deref(), service.shared.settings.unheard());
        assert!(told.is_some());
    }

    #[tokio::test]
    async fn where_the_address_is_taken_no_store_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let text = format!(
            "prometheus: {{url: 'http://127.0.0.1:9'}}\ndefinitions: [slos]\nlisten: {}\nstore: 'sqlite:{}'\n",
            other.local_addr().unwrap(),
            folder.path().join("damper.db").display()
        );
        let settings = Settings::parse("damper.yaml", &text, [], &[]).unwrap();
        let error = run(settings, |_, _| async {}).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot listen at"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
