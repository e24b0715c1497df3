//! What can be known of a cluster before anything is moved there: whether it answers, what it
//! serves, and what Damper may do. `damper check --kube` asks it.

use serde::Deserialize;
use serde_json::json;

use super::api::Ask;
use super::health::Kind;
use super::object::Object;
use super::owner::Scaler;
use super::resource::segment;
use super::watch::list;
use super::{Aim, Kubernetes};
use crate::cluster::fault::Fault;
use crate::engine::scale::Lever;
use crate::slo::policy::Target;

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// How a kind is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Served {
    /// Not at all, under this version.
    Not,
    /// Without a scale subresource: nothing can set a count.
    WithoutScale,
    /// As Damper needs it.
    Whole,
}

/// Which of the shipped roles grants a right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// To look.
    Observe,
    /// To set replica counts.
    Direct,
    /// To raise the floor of an autoscaler.
    Floor,
}

impl Role {
    /// Its folder in `deploy/kubernetes`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Direct => "direct",
            Self::Floor => "floor",
        }
    }
}

/// One thing that Damper does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Right {
    /// `get`, `list`, `watch`, `create`, `patch`
    pub verb: &'static str,
    /// `apps`; empty for the core.
    pub group: String,
    /// `deployments`, `deployments/scale`
    pub resource: String,
    /// What grants it.
    pub role: Role,
    /// Whether nothing moves without it; without the others Damper says less.
    pub is_needed: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Review {
    status: Allowed,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Allowed {
    allowed: bool,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct About {
    git_version: String,
}

impl Kubernetes {
    /// Whether a Kubernetes answers; asked once, so that one that does not is found out soon, and
    /// a server that has nothing of what is asked is not taken for a cluster with nothing in it.
    pub async fn greet(&self) -> Result<(), Fault> {
        match self.api.attempt::<About>(&Ask::Get, "/version").await {
            Ok(about) if !about.git_version.is_empty() => Ok(()),
            Err(fault) if !fault.is_missing() => {
                if fault.is_forbidden() {
                    Ok(())
                } else {
                    Err(fault)
                }
            }
            Ok(_) | Err(_) => Err(Fault::unreachable(
                "what answers at the address of the kubeconfig does not tell a version of Kubernetes: \
                 it is another server",
            )),
        }
    }

    /// How the target's kind is served.
    pub async fn served(&self, target: &Target) -> Result<Served, Fault> {
        let aim = Aim::of(target)?;
        let found = self.resources.find(&self.api, aim.version, aim.kind).await?;
        Ok(match found {
            None => Served::Not,
            Some(resource) if !resource.has_scale => Served::WithoutScale,
            Some(_) => Served::Whole,
        })
    }

    /// Names of the objects of the target's kind in its namespace.
    pub async fn names(&self, target: &Target) -> Result<Vec<String>, Fault> {
        let aim = Aim::of(target)?;
        let resource = self.resource(&aim).await?;
        let (objects, _): (Vec<Object>, String) = list(&self.api, &resource.all(aim.namespace), &[]).await?;
        Ok(objects.into_iter().map(|object| object.metadata.name).collect())
    }

    /// Everything that Damper does to look at a target and, where `acts`, to move its lever; of a lever
    /// that is not known, only the looking.
    pub async fn rights(
        &self,
        target: &Target,
        lever: Option<&Lever>,
        acts: bool,
    ) -> Result<Vec<Right>, Fault> {
        let aim = Aim::of(target)?;
        let resource = self.resource(&aim).await?;
        let (group, plural) = (group(aim.version), resource.plural());
        let mut rights = Rights(Vec::new());
        rights.look(group, plural, &["get", "list", "watch"]);
        let mut scaled = false;
        for scaler in Scaler::ALL {
            if self.resources.find(&self.api, scaler.version(), scaler.kind()).await?.is_some() {
                let (group, plural) = place(scaler);
                rights.look(group, plural, &["get", "list", "watch"]);
                scaled |= scaler == Scaler::ScaledObject;
            }
        }
        rights.look("policy", "poddisruptionbudgets", &["list", "watch"]);
        rights.better(Role::Observe, "", "pods", "list");
        let scale = format!("{plural}/scale");
        let kind = Kind::of(aim.version, aim.kind);
        match kind {
            Kind::Deployment => rights.better(Role::Observe, "apps", "replicasets", "list"),
            Kind::StatefulSet => rights.better(Role::Observe, "apps", "controllerrevisions", "get"),
            Kind::Other => rights.look(group, &scale, &["get"]),
        }
        if acts {
            match lever {
                Some(Lever::Count) => {
                    if kind != Kind::Other {
                        rights.add(Role::Direct, group, &scale, "get");
                    }
                    rights.add(Role::Direct, group, &scale, "patch");
                    rights.better(Role::Direct, "events.k8s.io", "events", "create");
                }
                Some(Lever::Floor { owner, .. }) => {
                    let is_scaled = scaled && owner.starts_with(Scaler::ScaledObject.kind());
                    let scaler = if is_scaled { Scaler::ScaledObject } else { Scaler::Hpa };
                    let (group, plural) = place(scaler);
                    rights.add(Role::Floor, group, plural, "patch");
                    rights.better(Role::Floor, "events.k8s.io", "events", "create");
                }
                None => {}
            }
        }
        Ok(rights.0)
    }

    /// Whether the login of the kubeconfig has a right in a namespace.
    pub async fn may(&self, right: &Right, namespace: &str) -> Result<bool, Fault> {
        let (resource, below) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
        let attributes = json!({
            "verb": right.verb, "group": right.group, "resource": resource, "subresource": below,
            "namespace": namespace,
        });
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        });
        let answer: Review = self.api.ask(&Ask::Create(review), REVIEWS).await?;
        Ok(answer.status.allowed)
    }

    /// Whether a namespace is there; `None` where that may not be asked.
    pub async fn has_namespace(&self, namespace: &str) -> Result<Option<bool>, Fault> {
        let path = format!("/api/v1/namespaces/{}", segment(namespace));
        match self.api.ask::<Object>(&Ask::Get, &path).await {
            Ok(_) => Ok(Some(true)),
            Err(fault) if fault.is_missing() => Ok(Some(false)),
            Err(fault) => Fault::known(Err(fault), "whether the namespace is there"),
        }
    }
}

struct Rights(Vec<Right>);

impl Rights {
    fn add(&mut self, role: Role, group: &str, resource: &str, verb: &'static str) {
        let (group, resource) = (group.to_owned(), resource.to_owned());
        self.0.push(Right { verb, group, resource, role, is_needed: true });
    }

    fn look(&mut self, group: &str, resource: &str, verbs: &[&'static str]) {
        for verb in verbs {
            self.add(Role::Observe, group, resource, verb);
        }
    }

    fn better(&mut self, role: Role, group: &str, resource: &str, verb: &'static str) {
        self.add(role, group, resource, verb);
        if let Some(last) = self.0.last_mut() {
            last.is_needed = false;
        }
    }
}

fn place(scaler: Scaler) -> (&'static str, &'static str) {
    match scaler {
        Scaler::Hpa => ("autoscaling", "horizontalpodautoscalers"),
        Scaler::ScaledObject => ("keda.sh", "scaledobjects"),
    }
}

fn group(version: &str) -> &str {
    version.split_once('/').map_or("", |(group, _)| group)
}
