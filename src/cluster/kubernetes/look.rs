//! A workload as it is now, put together from all the objects that say something of it.

use std::sync::Arc;
use std::time::Duration;

use super::api::Ask;
use super::health::{Kind, failure, is_rolling, paused, paused_scaler, unschedulable};
use super::object::{Labels, Object};
use super::owner::Scaler;
use super::resource::Resource;
use super::selector::equalities;
use super::watch::list;
use super::write::wanted;
use super::writer::{Attributed, replicas, writer};
use super::{Aim, Kubernetes, budget};
use crate::cluster::fault::Fault;
use crate::engine::scale::{Lever, Workload};

/// For a question that a look can do without.
const ASIDE: Duration = Duration::from_secs(1);

/// What the object, or its scale subresource, says of its replicas.
struct Counts {
    wanted: u32,
    ready: u32,
    /// Of its pods, as a query has it.
    selector: String,
}

impl Kubernetes {
    pub(super) async fn whole_look(&self, aim: &Aim<'_>) -> Result<Workload, Fault> {
        let resource = self.resource(aim).await?;
        let object = self.object(aim, &resource).await?;
        let kind = Kind::of(aim.version, aim.kind);
        let counts = self.counts(aim, &resource, &object, kind).await?;
        let mut paused = paused(&object);
        let (lever, told) = match self.owner(aim).await? {
            None => (Lever::Count, writer(&object, replicas)),
            Some((scaler, found)) => {
                let name = &found.metadata.name;
                let held = self.scalers(aim.namespace, scaler).await?;
                let Some(held) = held else { return Err(gone(scaler, name)) };
                let found = held.one(name).await?;
                if scaler == Scaler::ScaledObject {
                    paused = paused.or_else(|| paused_scaler(&found));
                }
                (floor(scaler, &found), writer(&found, scaler.holds()))
            }
        };
        let short = self.short.why(&aim.to_string(), &object, kind, counts.wanted);
        let must_stay = match lever {
            Lever::Count => self.must_stay(aim, &object, &counts).await?,
            // Where its autoscaler puts it above its floor is not for Damper to say.
            Lever::Floor { .. } => 0,
        };
        let mut workload = Workload {
            wanted: counts.wanted,
            ready: counts.ready,
            lever,
            rolling: is_rolling(&object, kind, short.is_some()),
            blocked: failure(&object).or(short),
            version: self.versions.of(&self.api, &object, kind).await?,
            paused,
            writer: None,
            must_stay,
        };
        let position = workload.position();
        workload.writer =
            self.attribute(aim, workload.owner(), |last| Attributed::next(last, position, told));
        if workload.blocked.is_none() && workload.ready < workload.expected() {
            workload.blocked = self.without_node(aim, &counts.selector).await;
        }
        Ok(workload)
    }

    /// The object itself; where it is not there, what is believed of its kind may be wrong too.
    async fn object(&self, aim: &Aim<'_>, resource: &Resource) -> Result<Arc<Object>, Fault> {
        let found = self.watches.of(&self.api, resource, aim.namespace).one(aim.name).await;
        found.inspect_err(|fault| {
            if fault.is_missing() {
                self.resources.forget(aim.version, aim.kind);
            }
        })
    }

    async fn counts(
        &self,
        aim: &Aim<'_>,
        resource: &Resource,
        object: &Object,
        kind: Kind,
    ) -> Result<Counts, Fault> {
        let (spec, status) = (object.spec.as_ref(), object.status.as_ref());
        let ready = status.and_then(|status| status.ready_replicas);
        let asked = spec.and_then(|spec| spec.replicas);
        let selector = spec.and_then(|spec| spec.selector.as_ref()).map(|selector| selector.to_query());
        if kind != Kind::Other {
            let (wanted, ready) = (asked.unwrap_or(1), ready.unwrap_or_default());
            return Ok(Counts { wanted, ready, selector: selector.unwrap_or_default() });
        }
        let path = format!("{}/scale", resource.one(aim.namespace, aim.name));
        match self.api.ask::<Object>(&Ask::Get, &path).await {
            Ok(scale) => {
                let told = scale.status.as_ref();
                let replicas = told.and_then(|status| status.replicas).unwrap_or_default();
                let text = told.and_then(|status| status.selector.clone());
                let selector = text.or(selector).unwrap_or_default();
                Ok(Counts { wanted: wanted(&scale), ready: ready.unwrap_or(replicas), selector })
            }
            // A dry run needs no permission on the subresource where the object says it as others do.
            Err(fault) if fault.is_forbidden() => {
                let wanted = asked.ok_or(fault)?;
                let replicas = status.and_then(|status| status.replicas).unwrap_or_default();
                let selector = selector.unwrap_or_default();
                Ok(Counts { wanted, ready: ready.unwrap_or(replicas), selector })
            }
            Err(fault) => Err(fault),
        }
    }

    /// Not to be allowed to look is a fault; to have no answer now keeps all there are.
    async fn must_stay(&self, aim: &Aim<'_>, object: &Object, counts: &Counts) -> Result<u32, Fault> {
        let of_selector;
        let labels: &Labels = match object.pod_labels() {
            Some(labels) => labels,
            None => {
                of_selector = equalities(&counts.selector);
                &of_selector
            }
        };
        if labels.is_empty() {
            return Ok(0);
        }
        for (version, is_old) in [("policy/v1", false), ("policy/v1beta1", true)] {
            let found = self.resources.find(&self.api, version, "PodDisruptionBudget").await?;
            let Some(resource) = found else { continue };
            let budgets = match aside(self.watches.of(&self.api, &resource, aim.namespace).all()).await {
                Ok(budgets) => budgets,
                Err(fault @ (Fault::Unreachable { .. } | Fault::Throttled { .. })) => {
                    tracing::debug!(%fault, %aim, "what disruption budgets keep is not known");
                    return Ok(counts.wanted);
                }
                Err(fault) => return Err(fault),
            };
            return Ok(budget::must_stay(&budgets, labels, counts.wanted, is_old));
        }
        Ok(0)
    }

    /// What pods without a node say. Asked for only while replicas are missing; to have no answer costs
    /// the reason, and nothing is added without them either.
    async fn without_node(&self, aim: &Aim<'_>, selector: &str) -> Option<String> {
        if selector.is_empty() {
            return None;
        }
        let pods = Resource::new("/api/v1", "pods").all(aim.namespace);
        let query = [("labelSelector", selector), ("fieldSelector", "status.phase=Pending")];
        match aside(list(&self.api, &pods, &query)).await {
            Ok((pods, _)) => unschedulable(&pods),
            Err(fault) => {
                tracing::debug!(%fault, %aim, "why replicas are missing is not known");
                None
            }
        }
    }
}

/// What the rest of a look does not wait for: it is not newer for that.
async fn aside<T>(asked: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let why = |_| Fault::unreachable(format!("there was no answer within {ASIDE:?}"));
    tokio::time::timeout(ASIDE, asked).await.map_err(why).flatten()
}

fn floor(scaler: Scaler, object: &Object) -> Lever {
    let owner = scaler.named(&object.metadata.name);
    let original = super::floor::before(scaler, object);
    Lever::Floor { at: scaler.floor(object), most: scaler.most(object), owner, original }
}

fn gone(scaler: Scaler, name: &str) -> Fault {
    Fault::unreachable(format!("{} is not served any more", scaler.named(name)))
}
