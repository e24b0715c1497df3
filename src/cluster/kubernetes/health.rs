//! How a workload is: what it is asked to have, what serves, what cannot be had, what is rolled out.

use super::object::{Object, Status};
use crate::http::excerpt;

/// Kinds whose status is known in detail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Deployment,
    StatefulSet,
    /// Any other with a scale subresource.
    Other,
}

impl Kind {
    pub(super) fn of(version: &str, kind: &str) -> Self {
        match (version, kind) {
            ("apps/v1", "Deployment") => Self::Deployment,
            ("apps/v1", "StatefulSet") => Self::StatefulSet,
            _ => Self::Other,
        }
    }
}

/// Whether a new version is being rolled out.
///
/// Adding replicas must not read as a rollout: it raises the generation for a moment and leaves
/// replicas unavailable for longer, which is told by `ready`.
/// `is_short`: its controller cannot do what it is asked, and then may not say how far it has read it.
pub(super) fn is_rolling(object: &Object, kind: Kind, is_short: bool) -> bool {
    let Some(status) = &object.status else { return kind != Kind::Other };
    if !is_short && status.observed_generation.is_some_and(|observed| observed < object.metadata.generation) {
        return true;
    }
    match kind {
        Kind::Deployment => {
            let updated = status.updated_replicas.unwrap_or_default();
            updated < status.replicas.unwrap_or_default() || is_progressing(object)
        }
        Kind::StatefulSet => is_set_rolling(object, status),
        Kind::Other => {
            let is_behind = status.updated_replicas.zip(status.replicas).is_some_and(|(new, all)| new < all);
            // Argo's Rollout.
            is_behind || matches!(status.phase.as_deref(), Some("Progressing" | "Paused"))
        }
    }
}

/// It once was done with its newest version, and adding replicas does not change that.
fn is_progressing(deployment: &Object) -> bool {
    let settled = ["NewReplicaSetAvailable", "DeploymentPaused", "DeploymentResumed"];
    let condition = deployment.condition("Progressing");
    condition.is_some_and(|condition| !settled.contains(&condition.reason.as_str()))
}

/// Below its partition it never rolls, nor at all where pods are replaced by hand.
fn is_set_rolling(object: &Object, status: &Status) -> bool {
    let Some(spec) = &object.spec else { return false };
    let strategy = spec.update_strategy.as_ref();
    if status.current_revision == status.update_revision || strategy.is_some_and(|s| s.kind == "OnDelete") {
        return false;
    }
    let partition = strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.partition);
    let to_update = spec.replicas.unwrap_or(1).saturating_sub(partition.unwrap_or_default());
    status.updated_replicas.unwrap_or_default() < to_update
}

/// What the workload itself says of replicas it cannot make: no quota, no permission.
pub(super) fn failure(object: &Object) -> Option<String> {
    let condition = object.condition("ReplicaFailure").filter(|condition| condition.status == "True")?;
    Some(excerpt(format!("{}: {}", condition.reason, condition.message).as_bytes()))
}

/// What its pending pods say of why they have no node.
pub(super) fn unschedulable(pods: &[Object]) -> Option<String> {
    let reasons = pods.iter().filter_map(|pod| {
        let condition = pod.condition("PodScheduled")?;
        (condition.status == "False" && condition.reason == "Unschedulable").then_some(&condition.message)
    });
    let reasons: Vec<_> = reasons.collect();
    let first = reasons.first()?;
    let who = match reasons.len() {
        1 => "1 pod has".to_owned(),
        count => format!("{count} pods have"),
    };
    Some(excerpt(format!("{who} no node: {first}").as_bytes()))
}

/// Who asked Damper to leave it alone, if somebody did.
pub(super) fn paused(object: &Object) -> Option<String> {
    says_so(object, "damper.dev/paused").then(|| "the workload's annotation damper.dev/paused".to_owned())
}

/// Who paused the autoscaler that owns it: KEDA then leaves the workload where it is, wherever the floor is.
pub(super) fn paused_scaler(object: &Object) -> Option<String> {
    let named = |annotation: &str| format!("the annotation {annotation} of {}", object.metadata.name);
    let count = "autoscaling.keda.sh/paused-replicas";
    let is_counted = object.annotation(count).is_some_and(|value| !value.is_empty());
    let switches = ["autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-scale-out"];
    let switch = switches.into_iter().find(|annotation| says_so(object, annotation));
    is_counted.then_some(count).or(switch).map(named)
}

fn says_so(object: &Object, annotation: &str) -> bool {
    object.annotation(annotation).is_some_and(|value| value.trim() != "false")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(generation: i64, spec: Value, status: Value) -> Object {
        let written =
            json!({"metadata": {"name": "x", "generation": generation}, "spec": spec, "status": status});
        serde_json::from_value(written).unwrap()
    }

    fn progressing(reason: &str) -> Value {
        json!([
            {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
            {"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": "2026-05-28T20:26:40Z"},
        ])
    }

    fn rolls(observed: i64, replicas: u32, updated: u32, reason: &str) -> bool {
        let status = json!({"observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated,
                            "conditions": progressing(reason)});
        is_rolling(&object(4, json!({"replicas": 3}), status), Kind::Deployment, false)
    }

    #[test]
    fn a_deployment_rolls_while_old_replicas_or_an_unseen_change_remain() {
        assert!(!rolls(4, 3, 3, "NewReplicaSetAvailable"));
        assert!(rolls(3, 3, 3, "NewReplicaSetAvailable"), "the change is not seen yet");
        assert!(rolls(4, 4, 1, "ReplicaSetUpdated"), "old replicas run");
        assert!(rolls(4, 3, 3, "ReplicaSetUpdated"), "the last ones are not available yet");
        assert!(rolls(4, 3, 3, "ProgressDeadlineExceeded"), "it is stuck");
        assert!(!rolls(4, 3, 3, "DeploymentPaused"));
    }

    #[test]
    fn adding_replicas_is_no_rollout() {
        let status = json!({"observedGeneration": 4, "replicas": 5, "updatedReplicas": 5, "readyReplicas": 3,
                            "unavailableReplicas": 2, "conditions": progressing("NewReplicaSetAvailable")});
        assert!(!is_rolling(&object(4, json!({"replicas": 5}), status), Kind::Deployment, false));
    }

    #[test]
    fn a_stateful_set_rolls_down_to_its_partition() {
        let rolls = |updated: u32, revision: &str, strategy: Value| {
            let status = json!({"observedGeneration": 4, "replicas": 3, "updatedReplicas": updated,
                                "currentRevision": "db-1", "updateRevision": revision});
            let spec = json!({"replicas": 3, "updateStrategy": strategy});
            is_rolling(&object(4, spec, status), Kind::StatefulSet, false)
        };
        let partition = |at: u32| json!({"type": "RollingUpdate", "rollingUpdate": {"partition": at}});
        assert!(!rolls(3, "db-1", partition(0)));
        assert!(rolls(1, "db-2", partition(0)));
        assert!(rolls(1, "db-2", partition(1)) && !rolls(1, "db-2", partition(2)));
        assert!(!rolls(1, "db-2", json!({"type": "OnDelete"})));
    }

    #[test]
    fn a_custom_resource_rolls_by_what_it_tells() {
        let rolls =
            |status: Value| is_rolling(&object(4, json!({"replicas": 3}), status), Kind::Other, false);
        assert!(!rolls(Value::Null) && !rolls(json!({"replicas": 3})));
        // Argo writes the generation as a text.
        assert!(rolls(json!({"observedGeneration": "3"})) && !rolls(json!({"observedGeneration": "4"})));
        assert!(rolls(json!({"phase": "Paused"})) && !rolls(json!({"phase": "Healthy"})));
        assert!(rolls(json!({"replicas": 4, "updatedReplicas": 1})));
    }

    #[test]
    fn replicas_that_cannot_be_had_are_told_in_the_words_of_kubernetes() {
        let quota = "pods \"a-1\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3";
        let conditions =
            json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": quota}]);
        let blocked = failure(&object(1, json!({}), json!({"conditions": conditions}))).unwrap();
        assert!(blocked.starts_with("FailedCreate: pods") && blocked.contains("exceeded quota"), "{blocked}");
        assert_eq!(failure(&object(1, json!({}), json!({"conditions": progressing("x")}))), None);

        let pod = |reason: &str, message: &str| {
            let condition =
                json!({"type": "PodScheduled", "status": "False", "reason": reason, "message": message});
            object(0, json!({}), json!({"phase": "Pending", "conditions": [condition]}))
        };
        let why = "0/3 nodes are available: 3 Insufficient cpu.";
        let pods = [pod("Unschedulable", why), pod("Unschedulable", why), pod("SchedulingGated", "x")];
        assert_eq!(unschedulable(&pods), Some(format!("2 pods have no node: {why}")));
        assert_eq!(unschedulable(&pods[2..]), None);
    }

    #[test]
    fn a_stateful_set_that_is_short_of_pods_does_not_roll_for_being_behind() {
        let behind = |revision: &str| {
            let status = json!({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 0,
                                "currentRevision": "db-1", "updateRevision": revision});
            object(4, json!({"replicas": 4}), status)
        };
        assert!(is_rolling(&behind("db-1"), Kind::StatefulSet, false));
        assert!(!is_rolling(&behind("db-1"), Kind::StatefulSet, true));
        assert!(is_rolling(&behind("db-2"), Kind::StatefulSet, true), "it does");
    }

    #[test]
    fn an_annotation_pauses_unless_it_says_false() {
        let with = |name: &str, value: &str| {
            let written = json!({"metadata": {"name": "so", "annotations": {name: value, "other": "x"}}});
            serde_json::from_value::<Object>(written).unwrap().slim()
        };
        let is_paused = |value: &str| paused(&with("damper.dev/paused", value)).is_some();
        assert!(is_paused("true") && is_paused("") && is_paused("ann, until Friday") && !is_paused("false"));
        assert_eq!(paused(&Object::default()), None);
        let by =
            |name: &str, value: &str| paused_scaler(&with(&format!("autoscaling.keda.sh/{name}"), value));
        let said = "the annotation autoscaling.keda.sh/paused of so";
        assert_eq!(by("paused", "true").as_deref(), Some(said));
        assert!(by("paused-replicas", "0").is_some() && by("paused-scale-out", "true").is_some());
        assert_eq!((by("paused", "false"), by("paused-scale-in", "true")), (None, None));
    }
}
