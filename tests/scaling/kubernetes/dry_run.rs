//! Policies that only say what they would do.

use serde_json::Value;

use super::moves::Other;
use super::{DEPLOYMENTS, Stage, deployment, lines, policy, target};
use crate::support::kubernetes::objects::{self, CUSTOM};

#[tokio::test]
async fn a_dry_run_decides_and_records_with_rights_to_read_alone() {
    let mut stage = Stage::open("observe").await;
    let kubernetes = &stage.kubernetes;
    kubernetes.define(CUSTOM).await;
    let cart = objects::deployment("shop", "cart", 2);
    for object in [
        &objects::deployment("shop", "web", 2),
        &cart,
        &objects::autoscaler("shop", "cart", &cart, 2, 9),
        &objects::stateful_set("shop", "queue", 2),
        &objects::rollout("shop", "canary", 2),
    ] {
        kubernetes.admin().create(object).await.ok();
    }
    let canary = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/canary";
    let _canary = Other::rolls_out(kubernetes, canary);
    let _nodes = kubernetes.nodes("shop", 30);
    let all = [
        ("web", policy("web", "dryRun", &deployment("web"))),
        ("cart", policy("cart", "dryRun", &deployment("cart"))),
        ("queue", policy("queue", "dryRun", &target("apps/v1", "StatefulSet", "shop", "queue"))),
        ("canary", policy("canary", "dryRun", &target("argoproj.io/v1alpha1", "Rollout", "shop", "canary"))),
    ];
    stage.start(&all).await;
    stage.fail(3).await;
    for (name, _) in &all {
        let would = |line: &&Value| line["body"]["decision"]["verdict"]["scale"]["to"] == 4;
        let acted = |view: &Value| lines(view, "scaleDryRun").any(|line| would(&line));
        let view = stage.until(name, "what it would have done", acted).await;
        assert_eq!((&view["mode"], lines(&view, "scaleWrite").count()), (&"dryRun".into(), 0));
    }
    let queue = "/apis/apps/v1/namespaces/shop/statefulsets/queue";
    for path in
        [format!("{DEPLOYMENTS}/web"), format!("{DEPLOYMENTS}/cart"), queue.to_owned(), canary.to_owned()]
    {
        assert_eq!(stage.kubernetes.admin().get(&path).await.ok()["spec"]["replicas"], 2, "{path}");
    }
    stage.was_refused_nothing();
    let asked = stage.kubernetes.asked("observe").0;
    assert!(asked.iter().all(|(verb, ..)| ["get", "list", "watch"].contains(&verb.as_str())), "{asked:?}");
}
