//! Any Kubernetes resource with a scale subresource.
//!
//! What is moved is the count, through `/scale`, or the floor of the autoscaler that owns it. Objects
//! are read as JSON, field by field, so that any resource of any version fits; each write is one JSON
//! Patch that tests where the lever stands.

mod api;
mod budget;
mod connect;
mod floor;
mod health;
mod login;
mod look;
mod object;
mod owner;
mod program;
mod release;
mod resource;
mod selector;
mod shortage;
mod survey;
mod tell;
mod version;
mod watch;
mod write;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::IgnoredAny;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fault::Fault;
use super::order::{Order, Remark};
use super::settings::KubernetesSettings;
use crate::engine::scale::{Lever, Workload, Writer};
use crate::http::Problem;
use crate::slo::policy::Target;
use crate::slo::time::Ts;
use api::{Api, Ask};
use object::{Object, Reference};
use owner::Scaler;
use resource::{Resource, Resources};
use shortage::Shortages;
use tell::Told;
use version::Versions;
use watch::{Watch, Watches};
use writer::Attributed;

pub use survey::{Right, Role, Served};

/// For all the questions of one look.
const LOOK: Duration = Duration::from_secs(20);
/// Levers whose last sight is remembered at most.
const MOST: usize = 10_000;

/// A cluster.
pub struct Kubernetes {
    api: Arc<Api>,
    resources: Resources,
    watches: Watches,
    versions: Versions,
    short: Shortages,
    told: Told,
    attributed: Mutex<HashMap<String, Attributed>>,
}

/// What time it is.
pub type Clock = fn() -> Ts;

/// A target in this cluster.
struct Aim<'a> {
    version: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
}

impl Kubernetes {
    /// Nothing is read, logged in to or asked before it is needed, and a login that fails is tried again
    /// for as long. The login and watches are kept on `tasks` until `stop`.
    pub fn new(
        settings: &KubernetesSettings,
        clock: Clock,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        Self {
            api: Arc::new(Api::new(settings, clock, tasks.clone(), stop.clone())),
            resources: Resources::default(),
            watches: Watches::new(tasks.clone(), stop.clone()),
            versions: Versions::default(),
            short: Shortages::default(),
            told: Told::default(),
            attributed: Mutex::default(),
        }
    }

    /// Logs in at once, for who cannot go on without; nothing is asked yet. `at` is where the settings
    /// stand.
    pub async fn connect(
        at: &str,
        settings: &KubernetesSettings,
        clock: Clock,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Self, Problem> {
        let kubernetes = Self::new(settings, clock, tasks, stop);
        let logged_in = kubernetes.api.log_in().await;
        logged_in.map(|()| kubernetes).map_err(|message| Problem { at: at.to_owned(), message })
    }

    /// The workload as it is now.
    pub async fn look(&self, target: &Target) -> Result<Workload, Fault> {
        let aim = Aim::of(target)?;
        let why =
            || Fault::unreachable(format!("the Kubernetes API did not tell all of {aim} within {LOOK:?}"));
        let look = Box::pin(self.whole_look(&aim));
        tokio::time::timeout(LOOK, look).await.unwrap_or_else(|_| Err(why()))
    }

    /// Moves the lever, if it is the one of the order and stands where the order says.
    pub async fn write(&self, target: &Target, order: &Order) -> Result<(), Fault> {
        let aim = Aim::of(target)?;
        let owner = self.owner(&aim).await?;
        let now = owner.as_ref().map(|(scaler, object)| scaler.named(&object.metadata.name));
        let decided = match &order.lever {
            Lever::Count => None,
            Lever::Floor { owner, .. } => Some(owner.clone()),
        };
        if now != decided {
            let who = |owner: Option<String>| owner.unwrap_or_else(|| "nobody".to_owned());
            let why = format!("the count of {aim} belongs to {}, and belonged to {}", who(now), who(decided));
            return Err(Fault::Conflict { at: None, why });
        }
        match owner {
            None if order.from == order.to => Ok(()),
            None => {
                let resource = self.resource(&aim).await?;
                let path = format!("{}/scale", resource.one(aim.namespace, aim.name));
                let watch = self.watches.of(&self.api, &resource, aim.namespace);
                // Also where nobody waits for the outcome any more.
                watch.doubt(aim.name);
                let outcome = write::count(&self.api, &path, order).await;
                watch.doubt(aim.name);
                outcome
            }
            Some((scaler, object)) => self.write_floor(&aim, scaler, &object.metadata.name, order).await,
        }
    }

    /// An Event on the workload, where people want it and not too often.
    pub async fn tell(&self, target: &Target, remark: &Remark) -> Result<(), Fault> {
        let aim = Aim::of(target)?;
        if !self.told.is_told(&aim.to_string(), remark) {
            return Ok(());
        }
        let resource = self.resource(&aim).await?;
        let object = self.watches.of(&self.api, &resource, aim.namespace).one(aim.name).await?;
        let event = tell::event(&aim.reference(), &object, remark);
        let path = Resource::new(tell::EVENTS, "events").all(aim.namespace);
        self.api.ask::<IgnoredAny>(&Ask::Create(event), &path).await.map(|_| ())
    }

    async fn write_floor(
        &self,
        aim: &Aim<'_>,
        scaler: Scaler,
        name: &str,
        order: &Order,
    ) -> Result<(), Fault> {
        let Some((path, watch)) = self.scaler(aim.namespace, scaler, name).await? else {
            return Err(Fault::unreachable(format!("{} is not served any more", scaler.kind())));
        };
        let object = watch.ask(name).await?;
        let Some(patch) = floor::order(scaler, &object, order)? else { return Ok(()) };
        let read = || async { Ok(scaler.floor(&*watch.ask(name).await?)) };
        watch.doubt(name);
        let outcome = write::compare_and_set(&self.api, &path, order, &patch, read).await;
        watch.doubt(name);
        outcome
    }

    /// Who owns the count.
    async fn owner(&self, aim: &Aim<'_>) -> Result<Option<(Scaler, Arc<Object>)>, Fault> {
        let mut found = Vec::new();
        for scaler in Scaler::ALL {
            found.push(match self.scalers(aim.namespace, scaler).await? {
                Some(watch) => watch.all().await?,
                None => Vec::new(),
            });
        }
        let [hpas, scaled] = found.as_slice() else { return Ok(None) };
        owner::owner(&aim.reference(), hpas, scaled)
    }

    /// All autoscalers of a kind in a namespace; `None` where the cluster has no such kind.
    async fn scalers(&self, namespace: &str, scaler: Scaler) -> Result<Option<Arc<Watch>>, Fault> {
        let found = self.resources.find(&self.api, scaler.version(), scaler.kind()).await?;
        Ok(found.map(|resource| self.watches.of(&self.api, &resource, namespace)))
    }

    /// One autoscaler: its path and its watch.
    async fn scaler(
        &self,
        namespace: &str,
        scaler: Scaler,
        name: &str,
    ) -> Result<Option<(String, Arc<Watch>)>, Fault> {
        let found = self.resources.find(&self.api, scaler.version(), scaler.kind()).await?;
        Ok(found.map(|resource| {
            (resource.one(namespace, name), self.watches.of(&self.api, &resource, namespace))
        }))
    }

    async fn resource(&self, aim: &Aim<'_>) -> Result<Arc<Resource>, Fault> {
        let found = self.resources.find(&self.api, aim.version, aim.kind).await?;
        let why = |what: &str| Fault::Refused {
            status: Some(404),
            why: format!("{} in {} {what}", aim.kind, aim.version),
        };
        let found = found.ok_or_else(|| why("is not served by this cluster; look at apiVersion and kind"))?;
        if !found.has_scale {
            return Err(why("has no scale subresource, so nothing can set its replica count"));
        }
        Ok(found)
    }

    fn attribute(
        &self,
        aim: &Aim<'_>,
        owner: Option<&str>,
        next: impl FnOnce(Option<&Attributed>) -> Attributed,
    ) -> Option<Writer> {
        let key = format!("{aim} {}", owner.unwrap_or_default());
        let mut seen = self.attributed.lock().unwrap_or_else(PoisonError::into_inner);
        let next = next(seen.get(&key));
        let writer = next.writer();
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(key, next);
        writer
    }
}

impl<'a> Aim<'a> {
    fn of(target: &'a Target) -> Result<Self, Fault> {
        match target {
            Target::Kubernetes { api_version, kind, namespace, name } => {
                Ok(Self { version: api_version, kind, namespace, name })
            }
            Target::Webhook { actuator, .. } => {
                Err(Fault::refused(format!("{actuator} is a webhook, not in Kubernetes")))
            }
        }
    }

    fn reference(&self) -> Reference {
        let own = |text: &str| text.to_owned();
        Reference { api_version: own(self.version), kind: own(self.kind), name: own(self.name) }
    }
}

impl std::fmt::Display for Aim<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}
