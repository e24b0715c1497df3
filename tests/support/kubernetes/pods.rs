//! Pods without nodes: the test says which ones are ready and which find no room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::client::{Client, Patch};
use super::{Kubernetes, LIMIT, text};
use crate::support::wait::pass;
use crate::support::wait_until;

impl Kubernetes {
    /// Makes `count` pods ready, as they appear; any others stay as they are.
    pub async fn ready(&self, namespace: &str, selector: &str, count: usize) {
        let what = format!("{count} pods of {selector} in {namespace} to appear");
        wait_until(LIMIT, &what, async || {
            let pods = list(self.admin(), namespace, selector).await?;
            let (ready, others): (Vec<_>, Vec<_>) = pods.iter().partition(|pod| is_ready(pod));
            let missing = count.saturating_sub(ready.len());
            for pod in others.iter().take(missing) {
                set(self.admin(), pod, &running()).await;
            }
            (missing == 0).then_some(())
        })
        .await;
    }

    /// Says of `count` pods that are not ready, as they appear, that no node has room for them.
    pub async fn unschedulable(&self, namespace: &str, selector: &str, count: usize) {
        let what = format!("{count} pods of {selector} in {namespace} that find no room");
        wait_until(LIMIT, &what, async || {
            let pods = list(self.admin(), namespace, selector).await?;
            let (refused, others): (Vec<_>, Vec<_>) =
                pods.iter().filter(|pod| !is_ready(pod)).partition(|pod| is_unschedulable(pod));
            let missing = count.saturating_sub(refused.len());
            for pod in others.iter().take(missing) {
                set(self.admin(), pod, &no_room()).await;
            }
            (missing == 0).then_some(())
        })
        .await;
    }

    /// Pods that match and are not on their way out.
    pub async fn pods(&self, namespace: &str, selector: &str) -> Vec<Value> {
        list(self.admin(), namespace, selector).await.expect("the API server answers")
    }

    /// From now on, as long as the answer lives: pods of the namespace become ready by themselves
    /// while there is room for them, and unschedulable beyond.
    pub fn nodes(&self, namespace: &str, room: usize) -> Nodes {
        let room = Arc::new(AtomicUsize::new(room));
        let (client, namespace, limit) = (self.admin().clone(), namespace.to_owned(), Arc::clone(&room));
        let task = tokio::spawn(async move {
            loop {
                place(&client, &namespace, limit.load(Ordering::Relaxed)).await;
                pass(Duration::from_millis(50)).await;
            }
        });
        Nodes { room, task }
    }
}

/// Stands in for scheduler and kubelets; ends when dropped.
pub struct Nodes {
    room: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Nodes {
    /// From now on there is room for so many pods.
    pub fn room(&self, pods: usize) {
        self.room.store(pods, Ordering::Relaxed);
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One look of the scheduler; it misses a turn while the API server does not answer.
async fn place(client: &Client, namespace: &str, room: usize) {
    let Some(pods) = list(client, namespace, "").await else { return };
    let mut left = room.saturating_sub(pods.iter().filter(|pod| is_ready(pod)).count());
    for pod in pods.iter().filter(|pod| !is_ready(pod)) {
        if left > 0 {
            left -= 1;
            set(client, pod, &running()).await;
        } else if !is_unschedulable(pod) {
            set(client, pod, &no_room()).await;
        }
    }
}

/// Says of a pod that it runs and is ready.
pub async fn run(client: &Client, pod: &Value) {
    set(client, pod, &running()).await;
}

/// Pods that match and are not on their way out; `None` while the API server does not answer.
pub async fn list(client: &Client, namespace: &str, selector: &str) -> Option<Vec<Value>> {
    let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector={selector}");
    let answer = client.try_get(&path).await.ok().filter(|answer| answer.status.is_success())?;
    let pods = answer.body["items"].as_array()?.clone();
    Some(pods.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect())
}

/// Writes a pod's status; it may be gone by now, or the server.
async fn set(client: &Client, pod: &Value, status: &Value) {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/status");
    if let Ok(answer) = client.try_patch(&path, Patch::Strategic, &json!({"status": status})).await {
        let expected = answer.status.is_success() || [404, 409, 429].contains(&answer.status.as_u16());
        assert!(expected, "{path}: {answer:?}");
    }
}

fn running() -> Value {
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
    json!({
        "phase": "Running",
        "startTime": now,
        "conditions": [condition("PodScheduled"), condition("ContainersReady"), condition("Ready")],
    })
}

fn no_room() -> Value {
    let condition = json!({
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu.",
    });
    json!({"phase": "Pending", "conditions": [condition]})
}

/// Whether it is ready.
pub fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|one| one["status"] == "True")
}

/// Whether no node has room for it.
pub fn is_unschedulable(pod: &Value) -> bool {
    condition(pod, "PodScheduled").is_some_and(|one| one["reason"] == "Unschedulable")
}

fn condition<'a>(pod: &'a Value, kind: &str) -> Option<&'a Value> {
    pod["status"]["conditions"].as_array()?.iter().find(|one| one["type"] == kind)
}
