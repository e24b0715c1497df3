//! Where the shop's replicas run, and how Damper is told of that.

use super::Result;
use super::kubelet::Cluster;
use super::manager::Manager;
use super::replicas::Replicas;

/// Target and settings as the files of the example have them.
const TARGET: &str = "target: {actuator: processes, name: shop}";
const ACTUATOR: &str = "127.0.0.1:5002";
/// Where the part of `damper.yaml` begins that speaks of it.
const PART: &str = "# Where replicas can be set";

/// What keeps the count of replicas.
pub(crate) enum Platform {
    /// The demo's own process manager.
    Processes(Manager),
    /// Kubernetes.
    Kubernetes(Box<Cluster>),
}

impl Platform {
    /// Starts it with so many replicas.
    pub(crate) async fn start(kube: bool, replicas: Replicas, wanted: usize) -> Result<Self> {
        Ok(if kube {
            Self::Kubernetes(Box::new(Cluster::start(replicas, wanted).await?))
        } else {
            Self::Processes(Manager::start(replicas, wanted).await?)
        })
    }

    /// `damper.yaml` with its address.
    pub(crate) fn settings(&self, text: &str) -> String {
        match self {
            Self::Processes(manager) => text.replace(ACTUATOR, manager.address()),
            Self::Kubernetes(cluster) => {
                let before = text.split_once(PART).map_or(text, |(before, _)| before);
                let kubeconfig = cluster.kubeconfig().display().to_string();
                let part = include_str!("kubernetes.yaml").replace("/etc/damper/kubeconfig", &kubeconfig);
                format!("{before}{part}")
            }
        }
    }

    /// `policy.yaml` with the workload as its target.
    pub(crate) fn policy(&self, text: &str) -> String {
        let deployment = "target: {apiVersion: apps/v1, kind: Deployment, namespace: shop, name: shop}";
        match self {
            Self::Processes(_) => text.to_owned(),
            Self::Kubernetes(_) => text.replace(TARGET, deployment),
        }
    }

    /// Whether it tells Damper when a version was rolled out.
    pub(crate) fn has_versions(&self) -> bool {
        matches!(self, Self::Kubernetes(_))
    }

    /// For people.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Processes(_) => "a process manager (docs/webhook-actuator.md)",
            Self::Kubernetes(_) => "the Deployment shop/shop on a real Kubernetes API",
        }
    }
}
