//! Counts that an autoscaler owns: its floor moves, and it does the rest.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::moves::Moves;
use super::{DEPLOYMENTS, DOWN, Stage, UP, deployment, policy, replicas};
use crate::support::kubernetes::objects::{self, CUSTOM};

const HPAS: &str = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers";
const SCALED_OBJECTS: &str = "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects";

#[tokio::test]
async fn only_the_floor_moves_and_goes_back_by_calm_by_command_and_with_its_policy() {
    let mut stage = Stage::open("floor").await;
    prepare(&stage).await;
    let _nodes = stage.kubernetes.nodes("shop", 30);
    // One step leads to the bound, so that none is made while the test looks.
    let narrow = |name| policy(name, "auto", &deployment(name)).replace("max: 5", "max: 4");
    let all = ["web", "search", "cart"].map(|name| (name, narrow(name)));
    stage.start(&all).await;
    let moves = |path: String, pointer| Moves::of(&stage.kubernetes, &path, pointer);
    let floors = ["web", "search"].map(|name| moves(format!("{HPAS}/{name}"), "/spec/minReplicas"));
    let cart = moves(format!("{SCALED_OBJECTS}/cart"), "/spec/minReplicaCount");
    let counts =
        ["web", "search", "cart"].map(|name| moves(format!("{DEPLOYMENTS}/{name}"), "/spec/replicas"));

    stage.fail(3).await;
    for floor in floors.iter().chain([&cart]) {
        floor.until(4).await;
    }
    // The autoscaler follows; KEDA's own is not there, so the test does as it would.
    for count in &counts[..2] {
        count.until(4).await;
    }
    stage.set(&format!("{DEPLOYMENTS}/cart"), "kube-controller-manager", &replicas(4)).await;
    for (path, policy) in [(HPAS, "web"), (HPAS, "search"), (SCALED_OBJECTS, "cart")] {
        is_marked(&stage, &format!("{path}/{policy}"), policy).await;
    }

    stage.ask("web", "release").await;
    floors[0].until(2).await;
    assert_eq!(marks(&stage, &format!("{HPAS}/web")).await, json!({"team": "shop"}), "others' stay");
    let view = stage.until_reason("web", "overridden").await;
    assert_eq!(view["decision"]["reason"]["numbers"]["by"], "`damper scale release`");

    std::fs::remove_file(stage.damper.path("slos/policy-cart.yaml")).unwrap();
    stage.damper.reload();
    cart.until(2).await;
    assert_eq!(marks(&stage, &format!("{SCALED_OBJECTS}/cart")).await, json!({"team": "shop"}));

    stage.fail(0).await;
    floors[1].until(2).await;
    assert_eq!(marks(&stage, &format!("{HPAS}/search")).await, json!({"team": "shop"}));
    assert_eq!(floors[1].values(), [2, 4, 3, 2]);
    floors[1].kept(UP, DOWN);
    assert_eq!(floors[0].values(), [2, 4, 2], "what was released is left alone");
    assert_eq!(cart.values(), [2, 4, 2]);
    // Nobody measures load here, so the autoscaler keeps what it has; it alone moves the count.
    for count in &counts {
        assert_eq!(count.values(), [2, 4]);
    }
    stage.was_refused_nothing();
    let asked = stage.kubernetes.asked("floor").0;
    assert!(!asked.iter().any(|(verb, _, resource)| verb == "patch" && resource.starts_with("deployments")));
}

/// Three Deployments of two; two have an HPA, one an order of KEDA's.
async fn prepare(stage: &Stage) {
    stage.kubernetes.define(CUSTOM).await;
    for name in ["web", "search", "cart"] {
        let workload = objects::deployment("shop", name, 2);
        let mut owner = match name {
            "cart" => objects::scaled_object("shop", name, &workload, 2, 9),
            _ => objects::autoscaler("shop", name, &workload, 2, 9),
        };
        owner["metadata"]["annotations"] = json!({"team": "shop"});
        stage.kubernetes.admin().create(&workload).await.ok();
        stage.kubernetes.admin().create(&owner).await.ok();
    }
}

/// The annotations but those that Kubernetes writes for itself.
async fn marks(stage: &Stage, path: &str) -> Value {
    let mut all = stage.kubernetes.admin().get(path).await.ok()["metadata"]["annotations"].clone();
    all.as_object_mut().unwrap().retain(|name, _| !name.starts_with("autoscaling.alpha.kubernetes.io/"));
    all
}

/// Whoever finds the object learns where its floor was, who raised it and until when.
async fn is_marked(stage: &Stage, path: &str, policy: &str) {
    let marks = marks(stage, path).await;
    assert_eq!(
        (&marks["damper.dev/original-floor"], &marks["damper.dev/raised-by"]),
        (&json!("2"), &json!(policy))
    );
    let until = DateTime::parse_from_rfc3339(marks["damper.dev/raised-until"].as_str().unwrap()).unwrap();
    let left = until.to_utc() - Utc::now();
    assert!((50..=60).contains(&left.num_minutes()), "{marks:#}");
}
