//! `make demo KUBE=1`: the shop as a Deployment on a real Kubernetes API.
//!
//! etcd, API server and controller manager are real and those of the tests. Nodes there are none: a
//! stand-in for the kubelet runs a process for each pod, and tells the API server once it serves.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinSet;

use super::replicas::Replicas;
use super::support::kubernetes::client::Client;
use super::support::kubernetes::{Kubernetes, objects, pods};
use super::{Result, say};

/// Namespace, name and label of the workload.
const SHOP: &str = "shop";
/// How often it looks at the pods.
const LOOK: Duration = Duration::from_millis(500);

/// A cluster with the shop on it; gone when dropped.
pub(crate) struct Cluster {
    // Before the servers: it speaks to them.
    _tasks: JoinSet<()>,
    kubernetes: Kubernetes,
}

impl Cluster {
    /// Starts one whose Deployment has this many replicas.
    pub(crate) async fn start(replicas: Replicas, wanted: usize) -> Result<Self> {
        let shop = objects::deployment(SHOP, SHOP, u32::try_from(wanted)?);
        let kubernetes = Kubernetes::start().await;
        kubernetes.namespace(SHOP).await;
        kubernetes.admin().create(&shop).await.ok();
        let mut tasks = JoinSet::new();
        let client = kubernetes.admin().clone();
        tasks.spawn(async move {
            loop {
                if let Err(error) = look(&client, &replicas).await {
                    say(&format!("kubelet: {error}"));
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Ok(Self { _tasks: tasks, kubernetes })
    }

    /// The login of a Damper that sets counts itself, with the rights of `deploy/kubernetes/direct`.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.kubernetes.kubeconfig("direct")
    }

    /// The login of somebody who may do everything.
    pub(crate) fn admin(&self) -> PathBuf {
        self.kubernetes.kubeconfig("admin")
    }
}

/// A process for each pod, and no other.
async fn look(client: &Client, replicas: &Replicas) -> Result<()> {
    let Some(pods) = pods::list(client, SHOP, &format!("app={SHOP}")).await else { return Ok(()) };
    let name = |pod: &serde_json::Value| {
        pod.pointer("/metadata/name").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let running = replicas.names();
    let wanted: Vec<String> = pods.iter().map(name).collect();
    for name in wanted.iter().filter(|name| !running.contains(name)) {
        replicas.start(name)?;
        say(&format!("+ kubelet: {name} started"));
    }
    for name in running.iter().filter(|name| !wanted.contains(name)) {
        replicas.end(name)?;
        say(&format!("- kubelet: {name} ends"));
    }
    replicas.make_ready().await?;
    for pod in pods.iter().filter(|pod| !pods::is_ready(pod) && replicas.is_ready(&name(pod))) {
        pods::run(client, pod).await;
    }
    Ok(())
}
