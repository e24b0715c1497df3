//! Counts that nobody else owns: of a Deployment, a StatefulSet and a custom resource.

use super::moves::{Moves, Other};
use super::{DEPLOYMENTS, DOWN, Stage, UP, deployment, lines, policy, target};
use crate::support::kubernetes::objects::{self, CUSTOM};

#[tokio::test]
async fn burn_adds_replicas_of_every_kind_up_to_the_bound_and_calm_gives_them_back() {
    let mut stage = Stage::open("direct").await;
    let kubernetes = &stage.kubernetes;
    kubernetes.define(CUSTOM).await;
    for object in [
        objects::deployment("shop", "web", 2),
        objects::stateful_set("shop", "queue", 2),
        objects::rollout("shop", "canary", 2),
    ] {
        kubernetes.admin().create(&object).await.ok();
    }
    let paths = [
        ("web", format!("{DEPLOYMENTS}/web")),
        ("queue", "/apis/apps/v1/namespaces/shop/statefulsets/queue".to_owned()),
        ("canary", "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/canary".to_owned()),
    ];
    let _nodes = kubernetes.nodes("shop", 30);
    let _canary = Other::rolls_out(kubernetes, &paths[2].1);
    let all = [
        ("web", policy("web", "auto", &deployment("web"))),
        ("queue", policy("queue", "auto", &target("apps/v1", "StatefulSet", "shop", "queue"))),
        ("canary", policy("canary", "auto", &target("argoproj.io/v1alpha1", "Rollout", "shop", "canary"))),
    ];
    stage.start(&all).await;
    let moves = paths.map(|(name, path)| (name, Moves::of(&stage.kubernetes, &path, "/spec/replicas")));

    stage.fail(3).await;
    for (_, moves) in &moves {
        moves.until(4).await;
    }
    // It helps, so more is added; up to the bound, which is less than the step.
    stage.fail(1).await;
    for (_, moves) in &moves {
        moves.until(5).await;
    }
    stage.fail(0).await;
    for (_, moves) in &moves {
        moves.until(2).await;
    }
    for (name, moves) in &moves {
        assert_eq!(moves.values(), [2, 4, 5, 4, 3, 2], "{name}");
        moves.kept(UP, DOWN);
        let view = stage.until_reason(name, "atRest").await;
        let done = lines(&view, "scaleWrite").filter(|line| line["body"]["outcome"] == "done");
        assert_eq!(done.count(), 5, "{view:#}");
        assert_eq!(view["seen"]["workload"]["ready"], 2);
        assert_eq!(stage.events(name, "SLOScaledUp").await.len(), 2, "{name}");
        let downs = stage.events(name, "SLOScaledDown").await;
        assert_eq!(downs.len(), 3, "{name}");
        assert!(downs[0]["note"].as_str().unwrap().contains("one is given back"), "{downs:#?}");
    }
    assert!(stage.told("web", "ReplicasAdded").await.contains("add 2"));
    stage.was_refused_nothing();
}
