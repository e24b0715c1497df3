//! Somebody sets the count by hand.

use std::time::{Duration, Instant};

use super::moves::Moves;
use super::{DEPLOYMENTS, Stage, deployment, policy, replicas};
use crate::support::kubernetes::objects;

#[tokio::test]
async fn a_count_set_by_hand_is_respected_for_its_time_shown_and_then_no_more() {
    let mut stage = Stage::open("direct").await;
    stage.kubernetes.admin().create(&objects::deployment("shop", "web", 2)).await.ok();
    let _nodes = stage.kubernetes.nodes("shop", 30);
    stage.start(&[("web", policy("web", "auto", &deployment("web")))]).await;
    let path = format!("{DEPLOYMENTS}/web");
    let moves = Moves::of(&stage.kubernetes, &path, "/spec/replicas");
    stage.fail(3).await;
    moves.until(4).await;

    // As `kubectl scale` sends it.
    stage.set(&format!("{path}/scale"), "kubectl", &replicas(3)).await;
    let set = Instant::now();
    let view = stage.until_reason("web", "overridden").await;
    let reason = &view["decision"]["reason"];
    assert_eq!((&view["base"], &reason["numbers"]["to"]), (&3.into(), &3.into()));
    // Kubernetes 1.20 does not say who wrote through the scale subresource.
    assert!(reason["why"].as_str().unwrap().contains("Somebody else set it to 3"), "{reason:#}");
    assert_eq!(stage.told("web", "ScalingOverridden").await, reason["why"]);
    let wish = |view: &serde_json::Value| view["decision"]["runnerUp"]["code"] == "burning";
    stage.until("web", "the wish behind it", wish).await;

    moves.until(5).await;
    let waited = set.elapsed();
    assert!(waited >= Duration::from_mins(1), "after {waited:?}");
    assert_eq!(moves.values(), [2, 4, 3, 5]);

    stage.set(&path, "kubectl-edit", &replicas(4)).await;
    let by = |view: &serde_json::Value| view["decision"]["reason"]["numbers"]["by"] == "kubectl-edit";
    let view = stage.until("web", "who it was", by).await;
    let why = view["decision"]["reason"]["why"].as_str().unwrap();
    assert!(why.starts_with("kubectl-edit set it to 4"), "{why}");
    let events = stage.events("web", "SLOManualOverride").await;
    assert!(
        !events.is_empty() && events[0]["note"].as_str().unwrap().contains("damper scale resume"),
        "{events:#?}"
    );
    // Somebody who knows better than to wait.
    stage.ask("web", "resume").await;
    moves.until(5).await;
    stage.was_refused_nothing();
}
