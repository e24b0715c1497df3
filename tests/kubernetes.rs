//! The cluster that other tests stand on does what a real one does, for who may ask it to.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::kubernetes::client::Patch;
use crate::support::kubernetes::objects::{self, CUSTOM, deployment, rollout, stateful_set};
use crate::support::kubernetes::{Kubernetes, pods};
use crate::support::wait_until;

const LIMIT: Duration = Duration::from_secs(60);
const SHOP: &str = "/apis/apps/v1/namespaces/shop";
const AUTOSCALERS: &str = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers";

async fn shop() -> Kubernetes {
    let kubernetes = Kubernetes::start().await;
    kubernetes.namespace("shop").await;
    kubernetes
}

/// Compare-and-set of a number.
fn replace(path: &str, from: u32, to: u32) -> Value {
    json!([{"op": "test", "path": path, "value": from}, {"op": "replace", "path": path, "value": to}])
}

/// Waits until a count in the object at `path` is `expected`.
async fn count(kubernetes: &Kubernetes, path: &str, pointer: &str, expected: u32) {
    let what = format!("{pointer} of {path} to be {expected}");
    let is = |object: &Value| (object.pointer(pointer)?.as_u64()? == u64::from(expected)).then_some(());
    kubernetes.admin().wait_for(path, &what, is).await;
}

#[tokio::test]
async fn a_deployments_pods_appear_and_become_ready_when_the_test_says_so() {
    let kubernetes = shop().await;
    assert_eq!(kubernetes.admin().get("/version").await.ok()["minor"], "20");
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    kubernetes.ready("shop", "app=checkout", 2).await;
    let checkout = format!("{SHOP}/deployments/checkout");
    count(&kubernetes, &checkout, "/status/readyReplicas", 2).await;
    kubernetes.unschedulable("shop", "app=checkout", 1).await;
    let pods = kubernetes.pods("shop", "app=checkout").await;
    assert_eq!(pods.iter().filter(|pod| pods::is_ready(pod)).count(), 2);
    assert_eq!(pods.iter().filter(|pod| pods::is_unschedulable(pod)).count(), 1);
}

#[tokio::test]
async fn the_scale_subresource_is_compared_and_set() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    let scale = format!("{SHOP}/deployments/checkout/scale");
    let damper = kubernetes.client("direct");
    assert_eq!(damper.get(&scale).await.ok()["spec"]["replicas"], 3);
    let answer = damper.patch(&scale, Patch::Json, &replace("/spec/replicas", 3, 5)).await.ok();
    assert_eq!(answer["spec"]["replicas"], 5);
    let late = damper.patch(&scale, Patch::Json, &replace("/spec/replicas", 3, 4)).await;
    assert!(late.refused(StatusCode::UNPROCESSABLE_ENTITY).contains("rejected"));
    let old = json!({"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 4}});
    damper.patch(&scale, Patch::Merge, &old).await.refused(StatusCode::CONFLICT);
    kubernetes.ready("shop", "app=checkout", 5).await;
    count(&kubernetes, &format!("{SHOP}/deployments/checkout"), "/status/readyReplicas", 5).await;
}

#[tokio::test]
async fn a_stateful_set_brings_up_one_pod_after_the_other() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&stateful_set("shop", "queue", 3)).await.ok();
    kubernetes.ready("shop", "app=queue", 1).await;
    kubernetes.ready("shop", "app=queue", 3).await;
    let scale = format!("{SHOP}/statefulsets/queue/scale");
    let damper = kubernetes.client("direct");
    damper.patch(&scale, Patch::Json, &replace("/spec/replicas", 3, 2)).await.ok();
    count(&kubernetes, &scale, "/status/replicas", 2).await;
}

#[tokio::test]
async fn a_raised_floor_of_an_autoscaler_moves_the_count_and_a_lowered_one_does_not() {
    let kubernetes = shop().await;
    let checkout = deployment("shop", "checkout", 2);
    kubernetes.admin().create(&checkout).await.ok();
    kubernetes.admin().create(&objects::autoscaler("shop", "checkout", &checkout, 2, 6)).await.ok();
    let _nodes = kubernetes.nodes("shop", 10);
    let path = format!("{SHOP}/deployments/checkout");
    count(&kubernetes, &path, "/status/readyReplicas", 2).await;
    let damper = kubernetes.client("floor");
    let autoscaler = format!("{AUTOSCALERS}/checkout");
    damper.patch(&autoscaler, Patch::Json, &replace("/spec/minReplicas", 2, 5)).await.ok();
    count(&kubernetes, &path, "/status/readyReplicas", 5).await;
    // Nobody measures CPU, so the autoscaler keeps what it has; only its bounds move it.
    damper.patch(&autoscaler, Patch::Json, &replace("/spec/minReplicas", 5, 2)).await.ok();
    count(&kubernetes, &autoscaler, "/spec/minReplicas", 2).await;
    assert_eq!(kubernetes.admin().get(&path).await.ok()["spec"]["replicas"], 5);
}

#[tokio::test]
async fn nodes_have_room_for_so_many_pods_and_a_quota_admits_so_many() {
    let kubernetes = shop().await;
    let nodes = kubernetes.nodes("shop", 2);
    kubernetes.admin().create(&deployment("shop", "checkout", 4)).await.ok();
    let path = format!("{SHOP}/deployments/checkout");
    let counts = async |ready: usize, refused: usize| {
        let pods = kubernetes.pods("shop", "app=checkout").await;
        let is = |which: fn(&Value) -> bool| pods.iter().filter(|pod| which(pod)).count();
        ((is(pods::is_ready), is(pods::is_unschedulable)) == (ready, refused)).then_some(())
    };
    wait_until(LIMIT, "two pods to find room and two not to", async || counts(2, 2).await).await;
    nodes.room(4);
    count(&kubernetes, &path, "/status/readyReplicas", 4).await;

    kubernetes.admin().create(&objects::quota("shop", 5)).await.ok();
    count_quota(&kubernetes).await;
    let scale = format!("{path}/scale");
    kubernetes.client("direct").patch(&scale, Patch::Json, &replace("/spec/replicas", 4, 8)).await.ok();
    let told = |object: &Value| {
        let conditions = object["status"]["conditions"].as_array()?;
        conditions.iter().find(|one| one["type"] == "ReplicaFailure")?["message"].as_str().map(str::to_owned)
    };
    let why = kubernetes.admin().wait_for(&path, "the quota to be hit", told).await;
    assert!(why.contains("exceeded quota"), "{why}");
}

/// Waits until the quota knows how much of it is used.
async fn count_quota(kubernetes: &Kubernetes) {
    let used = |quota: &Value| (quota["status"]["used"]["pods"] == "4").then_some(());
    let path = "/api/v1/namespaces/shop/resourcequotas/pods";
    kubernetes.admin().wait_for(path, "the quota to be counted", used).await;
}

#[tokio::test]
async fn a_disruption_budget_says_how_many_pods_may_go() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    kubernetes.admin().create(&objects::disruption_budget("shop", "checkout", 2)).await.ok();
    kubernetes.ready("shop", "app=checkout", 3).await;
    let path = "/apis/policy/v1beta1/namespaces/shop/poddisruptionbudgets/checkout";
    count(&kubernetes, path, "/status/disruptionsAllowed", 1).await;
}

#[tokio::test]
async fn custom_resources_have_a_scale_and_keda_orders_a_floor() {
    let kubernetes = shop().await;
    kubernetes.define(CUSTOM).await;
    let checkout = rollout("shop", "checkout", 3);
    kubernetes.admin().create(&checkout).await.ok();
    kubernetes.admin().create(&objects::scaled_object("shop", "checkout", &checkout, 3, 9)).await.ok();
    let scale = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/checkout/scale";
    let order = "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects/checkout";
    let (direct, floor) = (kubernetes.client("direct"), kubernetes.client("floor"));
    direct.patch(scale, Patch::Json, &replace("/spec/replicas", 3, 4)).await.ok();
    assert_eq!(direct.get(scale).await.ok()["spec"]["replicas"], 4);
    floor.patch(order, Patch::Json, &replace("/spec/minReplicaCount", 3, 5)).await.ok();
    assert_eq!(floor.get(order).await.ok()["spec"]["minReplicaCount"], 5);
    floor.patch(scale, Patch::Json, &replace("/spec/replicas", 4, 5)).await.refused(StatusCode::FORBIDDEN);
    direct
        .patch(order, Patch::Json, &replace("/spec/minReplicaCount", 5, 6))
        .await
        .refused(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn each_role_may_do_what_is_shipped_for_it_and_nothing_more() {
    let kubernetes = Kubernetes::start().await;
    let watched = [
        ("apps", "deployments"),
        ("apps", "statefulsets"),
        ("autoscaling", "horizontalpodautoscalers"),
        ("keda.sh", "scaledobjects"),
        ("argoproj.io", "rollouts"),
    ];
    let others = [
        ("apps", "replicasets"),
        ("apps", "controllerrevisions"),
        ("", "pods"),
        ("policy", "poddisruptionbudgets"),
        ("events.k8s.io", "events"),
    ];
    let floors = [("autoscaling", "horizontalpodautoscalers"), ("keda.sh", "scaledobjects")];
    let counts =
        [("apps", "deployments/scale"), ("apps", "statefulsets/scale"), ("argoproj.io", "rollouts/scale")];
    let never = [("", "secrets"), ("", "configmaps"), ("", "nodes"), ("coordination.k8s.io", "leases")];
    for role in ["observe", "floor", "direct"] {
        let client = kubernetes.client(role);
        let mut expected = vec![
            ("list", "apps", "replicasets"),
            ("get", "apps", "controllerrevisions"),
            ("list", "", "pods"),
            ("list", "policy", "poddisruptionbudgets"),
            ("watch", "policy", "poddisruptionbudgets"),
            ("get", "argoproj.io", "rollouts/scale"),
        ];
        for (group, resource) in watched {
            expected.extend(["get", "list", "watch"].map(|verb| (verb, group, resource)));
        }
        if role != "observe" {
            expected.push(("create", "events.k8s.io", "events"));
        }
        if role == "floor" {
            expected.extend(floors.map(|(group, resource)| ("patch", group, resource)));
        }
        if role == "direct" {
            expected.extend(counts.iter().flat_map(|(g, r)| ["get", "patch"].map(|verb| (verb, *g, *r))));
        }
        for (group, resource) in watched.iter().chain(&counts).chain(&never).chain(&others) {
            for verb in ["get", "list", "watch", "create", "update", "patch", "delete"] {
                let is_expected = expected.contains(&(verb, group, resource));
                let may = client.may(verb, group, resource).await;
                assert_eq!(may, is_expected, "{role}: {verb} {resource} of {group:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_api_server_hangs_dies_and_comes_back_on_command() {
    let mut kubernetes = shop().await;
    let client = kubernetes.client("observe");
    let path = "/apis/apps/v1/deployments";
    client.get(path).await.ok();
    kubernetes.hang();
    let asked = tokio::time::timeout(Duration::from_secs(1), client.try_get(path)).await;
    assert!(asked.is_err(), "it answers: {asked:?}");
    kubernetes.resume();
    client.wait_for(path, "an answer again", |_| Some(())).await;
    kubernetes.kill();
    assert!(client.try_get(path).await.is_err(), "still there");
    kubernetes.start_again().await;
    client.get(path).await.ok();
    assert!(std::fs::read_to_string(kubernetes.kubeconfig("observe")).unwrap().contains(&kubernetes.url()));
    // The controllers have come back too.
    kubernetes.admin().create(&deployment("shop", "checkout", 1)).await.ok();
    kubernetes.ready("shop", "app=checkout", 1).await;
}
