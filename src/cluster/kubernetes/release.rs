//! Putting raised floors back, from what the autoscalers themselves say.

use serde::de::IgnoredAny;

use super::api::Ask;
use super::floor;
use super::object::Object;
use super::owner::{Scaler, of_keda};
use super::watch::list;
use super::writer::MANAGER;
use super::{Aim, Kubernetes};
use crate::cluster::fault::Fault;
use crate::cluster::order::{Raised, Released};
use crate::slo::policy::Target;

/// Tries against others who write the same autoscaler.
const ATTEMPTS: usize = 3;

impl Kubernetes {
    /// Puts the floor of a workload's autoscaler back to where it was before Damper.
    pub async fn release(&self, target: &Target) -> Result<Released, Fault> {
        let aim = Aim::of(target)?;
        match self.owner(&aim).await? {
            Some((scaler, object)) => {
                self.put_back(scaler, &object.metadata.namespace, &object.metadata.name).await
            }
            None => Ok(Released::Nothing),
        }
    }

    /// All floors that Damper raised in these namespaces, everywhere without any, and what was in the
    /// way of finding more.
    pub async fn raised(&self, namespaces: &[String]) -> (Vec<Raised>, Vec<Fault>) {
        let (found, faults) = self.marked(namespaces).await;
        (found.into_iter().map(|(_, _, raised)| raised).collect(), faults)
    }

    /// Releases those of them that are chosen. Needs no store, and no policy to be there still.
    pub async fn release_all(
        &self,
        namespaces: &[String],
        chosen: impl Fn(&Raised) -> bool,
    ) -> (Vec<(Raised, Result<Released, Fault>)>, Vec<Fault>) {
        let (found, faults) = self.marked(namespaces).await;
        let mut outcomes = Vec::new();
        for (scaler, name, raised) in found {
            if chosen(&raised) {
                let outcome = self.put_back(scaler, &raised.namespace, &name).await;
                outcomes.push((raised, outcome));
            }
        }
        (outcomes, faults)
    }

    async fn put_back(&self, scaler: Scaler, namespace: &str, name: &str) -> Result<Released, Fault> {
        let Some((path, watch)) = self.scaler(namespace, scaler, name).await? else {
            return Ok(Released::Nothing);
        };
        let url = format!("{path}?fieldManager={MANAGER}");
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let object = watch.ask(name).await?;
            let Some((patch, released)) = floor::release(scaler, &object)? else {
                // Nothing, or an attempt before this one was made without its answer arriving.
                return Ok(last.map_or(Released::Nothing, |(released, _)| released));
            };
            reach!(Send, "a floor put back");
            let outcome = self.api.ask::<IgnoredAny>(&Ask::Patch(patch), &url).await;
            reach!(Taken, "a floor put back");
            watch.doubt(name);
            match outcome {
                Ok(_) => return Ok(released),
                // Somebody else wrote in between: look again.
                Err(fault) if fault.status() == Some(422) || matches!(fault, Fault::Conflict { .. }) => {
                    last = Some((released, fault));
                }
                Err(fault) => return Err(fault),
            }
        }
        Err(last.map_or_else(|| Fault::unreachable("no attempt was made"), |(_, fault)| fault))
    }

    async fn marked(&self, namespaces: &[String]) -> (Vec<(Scaler, String, Raised)>, Vec<Fault>) {
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for scaler in Scaler::ALL {
            let resource = match self.resources.find(&self.api, scaler.version(), scaler.kind()).await {
                Ok(Some(resource)) => resource,
                Ok(None) => continue,
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            };
            let mut paths: Vec<_> = namespaces.iter().map(|namespace| resource.all(namespace)).collect();
            if paths.is_empty() {
                paths.push(resource.everywhere());
            }
            for path in paths {
                match list(&self.api, &path, &[]).await {
                    Ok((objects, _)) => {
                        found.extend(objects.iter().filter_map(|object| marks(scaler, object)))
                    }
                    Err(fault) => faults.push(fault),
                }
            }
        }
        (found, faults)
    }
}

/// What KEDA made carries the marks of what it was made from, and follows that.
fn marks(scaler: Scaler, object: &Object) -> Option<(Scaler, String, Raised)> {
    if scaler == Scaler::Hpa && of_keda(object).is_some() {
        return None;
    }
    Some((scaler, object.metadata.name.clone(), floor::raised(scaler, object)?))
}
