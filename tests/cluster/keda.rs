//! What KEDA does with a workload beside Damper. KEDA itself is not there: what it would write is written.

use damper::cluster::Released;
use serde_json::{Value, json};

use super::{AUTOSCALERS, SCALED_OBJECTS, checkout, hands, number, order, seen, shop};
use crate::support::kubernetes::Kubernetes;
use crate::support::kubernetes::client::Patch;
use crate::support::kubernetes::objects::{self, CUSTOM, deployment};

/// A workload and its ScaledObject, as it is made.
async fn with_scaled_object(least: u32) -> (Kubernetes, Value) {
    let kubernetes = shop().await;
    kubernetes.define(CUSTOM).await;
    let workload = deployment("shop", "checkout", 2);
    kubernetes.admin().create(&workload).await.ok();
    let made = objects::scaled_object("shop", "so", &workload, least, 9);
    let made = kubernetes.admin().create(&made).await.ok();
    (kubernetes, made)
}

#[tokio::test]
async fn a_scaled_object_that_is_paused_pauses_damper_in_its_words() {
    let (kubernetes, _) = with_scaled_object(1).await;
    let (damper, _stop) = hands(&kubernetes, "floor").await;
    assert_eq!(damper.look(&checkout()).await.unwrap().paused, None);
    for (name, value) in [("paused-replicas", "2"), ("paused", "true")] {
        let marks = json!({format!("autoscaling.keda.sh/{name}"): value});
        let marked = json!({"metadata": {"annotations": marks}});
        kubernetes.admin().patch(&format!("{SCALED_OBJECTS}/so"), Patch::Merge, &marked).await.ok();
        let found = seen(&damper, &checkout(), "the pause", |w| w.paused.is_some()).await;
        let expected = format!("the annotation autoscaling.keda.sh/{name} of so");
        assert_eq!(found.paused, Some(expected));
        let unmarked = json!({"metadata": {"annotations": null}});
        kubernetes.admin().patch(&format!("{SCALED_OBJECTS}/so"), Patch::Merge, &unmarked).await.ok();
        seen(&damper, &checkout(), "the end of the pause", |w| w.paused.is_none()).await;
    }
}

#[tokio::test]
async fn marks_that_keda_copied_to_its_hpa_are_not_released_there() {
    let (kubernetes, made) = with_scaled_object(0).await;
    let (damper, _stop) = hands(&kubernetes, "floor").await;
    let found = damper.look(&checkout()).await.unwrap();
    damper.write(&checkout(), &order(&found, 4)).await.unwrap();
    let marked = kubernetes.admin().get(&format!("{SCALED_OBJECTS}/so")).await.ok();
    let mut hpa = objects::autoscaler("shop", "keda-hpa-so", &deployment("shop", "checkout", 2), 4, 9);
    hpa["metadata"]["annotations"] = marked["metadata"]["annotations"].clone();
    hpa["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": "so",
        "uid": made["metadata"]["uid"], "controller": true,
    }]);
    kubernetes.admin().create(&hpa).await.ok();
    let (raised, _) = damper.raised(&[]).await;
    let objects: Vec<_> = raised.iter().map(|one| one.object.as_str()).collect();
    assert_eq!(objects, ["ScaledObject shop/so"]);
    let (outcomes, faults) = damper.release_all(&[], |_| true).await;
    let outcomes: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!((outcomes, faults), (vec![Ok(Released::Back(Some(0)))], Vec::new()));
    let floor = number(&kubernetes, &format!("{AUTOSCALERS}/keda-hpa-so"), "/spec/minReplicas").await;
    assert_eq!(floor, Some(4), "KEDA moves it");
}
