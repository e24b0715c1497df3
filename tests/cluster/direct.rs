//! The count itself, where nobody else owns it.

use damper::cluster::{Fault, Remark};
use damper::engine::scale::{Lever, Version, WriterKind};
use damper::slo::time::Ts;
use serde_json::json;

use super::{SHOP, checkout, count, hands, number, order, seen, set, shop, target};
use crate::support::kubernetes::client::Patch;
use crate::support::kubernetes::objects::{self, CUSTOM, deployment, rollout, stateful_set};

#[tokio::test]
async fn a_deployment_is_scaled_up_and_back_down() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "direct").await;
    kubernetes.ready("shop", "app=checkout", 3).await;
    let whole = seen(&damper, &checkout(), "three ready ones", |w| w.ready == 3 && !w.rolling).await;
    assert_eq!((whole.wanted, &whole.lever, whole.must_stay), (3, &Lever::Count, 0));
    assert_eq!(whole.version.as_ref().unwrap().name, "revision 1");
    assert!(whole.blocked.is_none() && whole.paused.is_none());

    let up = order(&whole, 5);
    damper.write(&checkout(), &up).await.unwrap();
    let wanted = damper.look(&checkout()).await.unwrap();
    assert_eq!((wanted.wanted, wanted.ready), (5, 3), "a look after a write sees it");
    damper.write(&checkout(), &up).await.unwrap();
    kubernetes.ready("shop", "app=checkout", 5).await;
    let whole = seen(&damper, &checkout(), "five ready ones", |w| w.ready == 5 && !w.rolling).await;
    assert_eq!(whole.version.as_ref().unwrap().name, "revision 1", "more replicas are no new version");
    damper.write(&checkout(), &order(&whole, 4)).await.unwrap();
    assert_eq!(number(&kubernetes, &format!("{SHOP}/deployments/checkout"), "/spec/replicas").await, Some(4));
}

#[tokio::test]
async fn a_stateful_set_and_a_custom_resource_are_scaled_alike() {
    let kubernetes = shop().await;
    kubernetes.define(CUSTOM).await;
    kubernetes.admin().create(&stateful_set("shop", "queue", 2)).await.ok();
    kubernetes.admin().create(&rollout("shop", "canary", 2)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "direct").await;
    for target in
        [target("apps/v1", "StatefulSet", "queue"), target("argoproj.io/v1alpha1", "Rollout", "canary")]
    {
        let found = damper.look(&target).await.unwrap();
        assert_eq!((found.wanted, found.ready), (2, 0), "{target:?}");
        damper.write(&target, &order(&found, 3)).await.unwrap();
        assert_eq!(damper.look(&target).await.unwrap().wanted, 3, "{target:?}");
    }
}

#[tokio::test]
async fn a_count_that_somebody_else_set_is_seen_and_never_overwritten() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "direct").await;
    let before = damper.look(&checkout()).await.unwrap();
    let path = format!("{SHOP}/deployments/checkout");
    set(&kubernetes, &format!("{path}?fieldManager=kubectl-edit"), "/spec/replicas", 7).await;
    let outcome = damper.write(&checkout(), &order(&before, 5)).await;
    assert!(matches!(&outcome, Err(Fault::Conflict { at: Some(7), .. })), "{outcome:?}");
    let after = damper.look(&checkout()).await.unwrap();
    assert_eq!(after.wanted, 7);
    let writer = after.writer.unwrap();
    assert_eq!((writer.name.as_str(), writer.kind), ("kubectl-edit", WriterKind::Person));
    // Through the scale subresource, Kubernetes 1.20 does not say who it was.
    set(&kubernetes, &format!("{path}/scale?fieldManager=kubectl"), "/spec/replicas", 6).await;
    let again = seen(&damper, &checkout(), "six", |w| w.wanted == 6).await;
    assert_eq!(again.writer, None);
}

#[tokio::test]
async fn a_change_reaches_a_look_without_a_question_of_its_own() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 1)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "observe").await;
    let path = format!("{SHOP}/deployments/checkout");
    for to in [4, 2, 9] {
        set(&kubernetes, &path, "/spec/replicas", to).await;
        seen(&damper, &checkout(), "the new count", |w| w.wanted == to).await;
    }
}

#[tokio::test]
async fn what_keeps_replicas_from_coming_is_told_in_the_clusters_words() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "observe").await;
    kubernetes.ready("shop", "app=checkout", 2).await;
    kubernetes.unschedulable("shop", "app=checkout", 1).await;
    let found = seen(&damper, &checkout(), "one without a node", |w| w.blocked.is_some()).await;
    assert!(found.blocked.unwrap().starts_with("1 pod has no node: 0/3 nodes are available"));

    kubernetes.admin().create(&deployment("shop", "cart", 1)).await.ok();
    kubernetes.ready("shop", "app=cart", 1).await;
    kubernetes.admin().create(&objects::quota("shop", 4)).await.ok();
    let used = |quota: &serde_json::Value| (quota["status"]["used"]["pods"] == "4").then_some(());
    kubernetes.admin().wait_for("/api/v1/namespaces/shop/resourcequotas/pods", "the quota", used).await;
    set(&kubernetes, &format!("{SHOP}/deployments/cart"), "/spec/replicas", 3).await;
    let cart = target("apps/v1", "Deployment", "cart");
    let found = seen(&damper, &cart, "the quota to be hit", |w| w.blocked.is_some()).await;
    assert!(found.blocked.unwrap().contains("exceeded quota"));
}

#[tokio::test]
async fn budgets_pauses_and_rollouts_are_seen() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    kubernetes.admin().create(&objects::disruption_budget("shop", "checkout", 2)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "observe").await;
    kubernetes.ready("shop", "app=checkout", 3).await;
    let whole = seen(&damper, &checkout(), "all ready", |w| w.ready == 3 && !w.rolling).await;
    assert_eq!(whole.must_stay, 2);

    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:2"}]}}},
                       "metadata": {"annotations": {"damper.dev/paused": "true"}}});
    kubernetes.admin().patch(&format!("{SHOP}/deployments/checkout"), Patch::Strategic, &image).await.ok();
    let is_second = |version: &Version| version.name == "revision 2";
    let target = checkout();
    let rolling =
        seen(&damper, &target, "the second version", |w| w.version.as_ref().is_some_and(is_second)).await;
    assert!(rolling.rolling && rolling.paused.is_some());
    assert!(rolling.version.unwrap().since >= whole.version.unwrap().since);
}

#[tokio::test]
async fn what_cannot_be_scaled_is_refused_in_words() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "observe").await;
    for (target, expected) in [
        (target("apps/v1", "Deployment", "nowhere"), "\"nowhere\" not found"),
        (target("apps/v1", "Deploymint", "checkout"), "Deploymint in apps/v1 is not served"),
        (target("apps/v1", "DaemonSet", "checkout"), "has no scale subresource"),
    ] {
        let fault = damper.look(&target).await.unwrap_err();
        assert!(matches!(fault, Fault::Refused { status: Some(404), .. }), "{fault}");
        assert!(fault.to_string().contains(expected), "{fault}");
    }
    let fault = damper.write(&checkout(), &count(3, 5)).await.unwrap_err();
    assert!(matches!(fault, Fault::Refused { status: Some(403), .. }), "{fault}");
    assert!(fault.to_string().contains("cannot patch resource \"deployments/scale\""), "{fault}");
}

#[tokio::test]
async fn an_event_is_told_on_the_workload() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "direct").await;
    let remark = Remark {
        reason: "SLOHold".into(),
        action: "Hold".into(),
        note: "checkout/availability burns 3.0×".into(),
        is_warning: true,
        at: Ts(1_780_000_000),
    };
    damper.tell(&checkout(), &remark).await.unwrap();
    let events = kubernetes.admin().get("/apis/events.k8s.io/v1/namespaces/shop/events").await.ok();
    let ours: Vec<_> =
        events["items"].as_array().unwrap().iter().filter(|event| event["reason"] == "SLOHold").collect();
    assert_eq!(ours.len(), 1);
    assert_eq!(ours[0]["regarding"]["name"], "checkout");
    assert_eq!((&ours[0]["type"], &ours[0]["note"]), (&json!("Warning"), &json!(remark.note)));
}
