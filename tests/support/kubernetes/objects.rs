//! Objects that tests put into a cluster. Pods of a workload have the label `app: NAME`.

use serde_json::{Value, json};

/// Custom resources: one with a scale subresource, as Argo's Rollout has it, and KEDA's ScaledObject.
pub const CUSTOM: &str = include_str!("custom.yaml");

/// A namespace.
pub fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// A workload that brings pods up: `Deployment`, `StatefulSet` or `ReplicaSet`.
pub fn workload(kind: &str, namespace: &str, name: &str, replicas: u32) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "registry.example.org/app:1"}]},
            },
        },
    });
    if kind == "StatefulSet" {
        object["spec"]["serviceName"] = json!(name);
    }
    object
}

/// A Deployment.
pub fn deployment(namespace: &str, name: &str, replicas: u32) -> Value {
    workload("Deployment", namespace, name, replicas)
}

/// A StatefulSet; it brings up one pod after the other.
pub fn stateful_set(namespace: &str, name: &str, replicas: u32) -> Value {
    workload("StatefulSet", namespace, name, replicas)
}

/// A custom resource with a scale subresource. Nobody brings pods up for it.
pub fn rollout(namespace: &str, name: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}},
    })
}

/// An HPA on CPU, which nobody measures: it keeps the count where it is, inside its bounds.
pub fn autoscaler(namespace: &str, name: &str, of: &Value, min: u32, max: u32) -> Value {
    json!({
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"scaleTargetRef": reference(of), "minReplicas": min, "maxReplicas": max},
    })
}

/// KEDA's order for a workload. KEDA itself is not there: no HPA comes of it.
pub fn scaled_object(namespace: &str, name: &str, of: &Value, min: u32, max: u32) -> Value {
    json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "scaleTargetRef": reference(of),
            "minReplicaCount": min,
            "maxReplicaCount": max,
            "triggers": [{"type": "prometheus", "metadata": {"query": "up", "threshold": "1"}}],
        },
    })
}

/// Pods of `app` that may not be disturbed below a count.
pub fn disruption_budget(namespace: &str, app: &str, min_available: u32) -> Value {
    json!({
        "apiVersion": "policy/v1beta1",
        "kind": "PodDisruptionBudget",
        "metadata": {"namespace": namespace, "name": app},
        "spec": {"minAvailable": min_available, "selector": {"matchLabels": {"app": app}}},
    })
}

/// At most so many pods in the namespace.
pub fn quota(namespace: &str, pods: u32) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"namespace": namespace, "name": "pods"},
        "spec": {"hard": {"pods": pods.to_string()}},
    })
}

fn reference(object: &Value) -> Value {
    json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"], "name": object["metadata"]["name"],
    })
}
