//! The floor of the autoscaler that owns the count.

use damper::cluster::{Fault, Released};
use damper::engine::scale::Lever;
use serde_json::{Value, json};

use super::{AUTOSCALERS, SCALED_OBJECTS, SHOP, checkout, count, hands, number, order, seen, set, shop};
use crate::support::kubernetes::objects::{self, CUSTOM, deployment};
use crate::support::kubernetes::{Kubernetes, client::Patch};

async fn with_autoscaler() -> Kubernetes {
    let kubernetes = shop().await;
    let workload = deployment("shop", "checkout", 2);
    kubernetes.admin().create(&workload).await.ok();
    kubernetes.admin().create(&objects::autoscaler("shop", "hpa", &workload, 2, 6)).await.ok();
    kubernetes
}

async fn annotations(kubernetes: &Kubernetes, path: &str) -> Vec<String> {
    let object = kubernetes.admin().get(path).await.ok();
    let all = object["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    all.keys().filter(|name| name.starts_with("damper.dev/")).cloned().collect()
}

#[tokio::test]
async fn a_raised_floor_is_followed_and_put_back_from_what_the_object_says() {
    let kubernetes = with_autoscaler().await;
    let _nodes = kubernetes.nodes("shop", 10);
    let (damper, _stop) = hands(&kubernetes, "floor").await;
    let found = seen(&damper, &checkout(), "two ready", |w| w.ready == 2).await;
    let owner = "HorizontalPodAutoscaler hpa".to_owned();
    assert_eq!(found.lever, Lever::Floor { at: 2, most: 6, owner, original: None });
    damper.write(&checkout(), &order(&found, 4)).await.unwrap();
    let raised = seen(&damper, &checkout(), "the autoscaler to follow", |w| w.ready == 4).await;
    assert_eq!((raised.position(), raised.wanted), (4, 4));
    assert!(raised.writer.as_ref().is_some_and(|writer| writer.name == "damper"));
    let path = format!("{AUTOSCALERS}/hpa");
    assert_eq!(annotations(&kubernetes, &path).await.len(), 4);
    damper.write(&checkout(), &order(&raised, 5)).await.unwrap();

    // Another process, without any memory of it.
    let (other, _stop) = hands(&kubernetes, "floor").await;
    assert_eq!(other.release(&checkout()).await, Ok(Released::Back(Some(2))));
    assert_eq!(number(&kubernetes, &path, "/spec/minReplicas").await, Some(2));
    assert!(annotations(&kubernetes, &path).await.is_empty());
    assert_eq!(other.release(&checkout()).await, Ok(Released::Nothing));
}

#[tokio::test]
async fn the_count_of_an_owned_workload_is_not_touched() {
    let kubernetes = with_autoscaler().await;
    let (damper, _stop) = hands(&kubernetes, "direct").await;
    let outcome = damper.write(&checkout(), &count(2, 4)).await;
    assert!(matches!(&outcome, Err(Fault::Conflict { .. })), "{outcome:?}");
    assert_eq!(number(&kubernetes, &format!("{SHOP}/deployments/checkout"), "/spec/replicas").await, Some(2));
    let floor = order(&damper.look(&checkout()).await.unwrap(), 4);
    let fault = damper.write(&checkout(), &floor).await.unwrap_err();
    assert!(matches!(fault, Fault::Refused { status: Some(403), .. }), "{fault}");
}

#[tokio::test]
async fn a_floor_that_somebody_else_moved_is_a_conflict_and_survives_a_release() {
    let kubernetes = with_autoscaler().await;
    let (damper, _stop) = hands(&kubernetes, "floor").await;
    let found = damper.look(&checkout()).await.unwrap();
    damper.write(&checkout(), &order(&found, 4)).await.unwrap();
    let raised = damper.look(&checkout()).await.unwrap();
    let path = format!("{AUTOSCALERS}/hpa");
    set(&kubernetes, &path, "/spec/minReplicas", 3).await;
    let outcome = damper.write(&checkout(), &order(&raised, 5)).await;
    assert!(matches!(&outcome, Err(Fault::Conflict { at: Some(3), .. })), "{outcome:?}");
    assert_eq!(damper.release(&checkout()).await, Ok(Released::LeftAlone { at: 3 }));
    assert_eq!(number(&kubernetes, &path, "/spec/minReplicas").await, Some(3));
    assert!(annotations(&kubernetes, &path).await.is_empty());
}

#[tokio::test]
async fn a_floor_above_the_autoscalers_maximum_is_refused_with_its_words() {
    let kubernetes = with_autoscaler().await;
    let (damper, _stop) = hands(&kubernetes, "floor").await;
    let found = damper.look(&checkout()).await.unwrap();
    let fault = damper.write(&checkout(), &order(&found, 7)).await.unwrap_err();
    assert!(matches!(fault, Fault::Refused { status: Some(422), .. }), "{fault}");
    assert!(fault.to_string().contains("maxReplicas"), "{fault}");
    assert!(annotations(&kubernetes, &format!("{AUTOSCALERS}/hpa")).await.is_empty(), "all or nothing");
}

#[tokio::test]
async fn an_order_of_keda_is_raised_instead_of_its_autoscaler() {
    let kubernetes = shop().await;
    kubernetes.define(CUSTOM).await;
    let workload = deployment("shop", "checkout", 2);
    kubernetes.admin().create(&workload).await.ok();
    let mut scaled = objects::scaled_object("shop", "so", &workload, 1, 9);
    scaled["spec"].as_object_mut().unwrap().remove("minReplicaCount");
    let made = kubernetes.admin().create(&scaled).await.ok();
    let mut autoscaler = objects::autoscaler("shop", "keda-hpa-so", &workload, 1, 9);
    autoscaler["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "so",
        "uid": made["metadata"]["uid"], "controller": true,
    }]);
    kubernetes.admin().create(&autoscaler).await.ok();

    let (damper, _stop) = hands(&kubernetes, "floor").await;
    let found = damper.look(&checkout()).await.unwrap();
    assert_eq!(found.lever, Lever::Floor { at: 0, most: 9, owner: "ScaledObject so".into(), original: None });
    damper.write(&checkout(), &order(&found, 3)).await.unwrap();
    let path = format!("{SCALED_OBJECTS}/so");
    assert_eq!(number(&kubernetes, &path, "/spec/minReplicaCount").await, Some(3));
    assert_eq!(
        number(&kubernetes, &format!("{AUTOSCALERS}/keda-hpa-so"), "/spec/minReplicas").await,
        Some(1)
    );
    assert_eq!(damper.release(&checkout()).await, Ok(Released::Back(None)));
    let object = kubernetes.admin().get(&path).await.ok();
    assert_eq!(object.pointer("/spec/minReplicaCount"), None::<&Value>);
}

#[tokio::test]
async fn two_owners_of_one_workload_are_refused() {
    let kubernetes = with_autoscaler().await;
    let workload = deployment("shop", "checkout", 2);
    kubernetes.admin().create(&objects::autoscaler("shop", "other", &workload, 1, 3)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "floor").await;
    let fault = damper.look(&checkout()).await.unwrap_err();
    assert!(fault.to_string().contains("both scale Deployment checkout"), "{fault}");
}

#[tokio::test]
async fn everything_raised_is_found_and_released_without_a_policy() {
    let kubernetes = with_autoscaler().await;
    let cart = deployment("shop", "cart", 1);
    kubernetes.admin().create(&cart).await.ok();
    kubernetes.admin().create(&objects::autoscaler("shop", "cart", &cart, 1, 6)).await.ok();
    let (damper, _stop) = hands(&kubernetes, "floor").await;
    let found = damper.look(&checkout()).await.unwrap();
    damper.write(&checkout(), &order(&found, 4)).await.unwrap();
    // The workload itself is gone; its autoscaler is not.
    kubernetes.admin().delete(&format!("{SHOP}/deployments/checkout")).await.ok();

    let (other, _stop) = hands(&kubernetes, "floor").await;
    for namespaces in [vec![], vec!["shop".to_owned()]] {
        let (raised, faults) = other.raised(&namespaces).await;
        assert!(faults.is_empty() && raised.len() == 1, "{raised:?} {faults:?}");
        assert_eq!(raised[0].object, "HorizontalPodAutoscaler shop/hpa");
        assert_eq!((raised[0].at, raised[0].original, raised[0].by.as_str()), (4, Some(2), "checkout"));
    }
    let (outcomes, _) = other.release_all(&[], |_| false).await;
    assert!(outcomes.is_empty());
    let (outcomes, _) = other.release_all(&[], |_| true).await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0].1, Ok(Released::Back(Some(2))));
    assert_eq!(number(&kubernetes, &format!("{AUTOSCALERS}/hpa"), "/spec/minReplicas").await, Some(2));
}

#[tokio::test]
async fn marks_are_added_beside_the_annotations_of_others() {
    let kubernetes = with_autoscaler().await;
    let path = format!("{AUTOSCALERS}/hpa");
    let theirs = json!({"metadata": {"annotations": {"team": "shop"}}});
    kubernetes.admin().patch(&path, Patch::Merge, &theirs).await.ok();
    let (damper, _stop) = hands(&kubernetes, "floor").await;
    let found = damper.look(&checkout()).await.unwrap();
    damper.write(&checkout(), &order(&found, 4)).await.unwrap();
    let raised = damper.look(&checkout()).await.unwrap();
    damper.write(&checkout(), &order(&raised, 2)).await.unwrap();
    let object = kubernetes.admin().get(&path).await.ok();
    assert_eq!(object["metadata"]["annotations"]["team"], "shop");
    assert!(annotations(&kubernetes, &path).await.is_empty(), "the last step down takes them off");
}
