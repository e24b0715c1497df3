//! A controller that keeps the count as it is written in Git.

use serde_json::{Value, json};

use super::moves::{Moves, Other};
use super::{DEPLOYMENTS, Stage, deployment, policy, replicas};
use crate::support::kubernetes::client::Patch;
use crate::support::kubernetes::objects;

#[tokio::test]
async fn two_reverts_are_a_fight_that_names_the_writer_and_the_setting_that_ends_it() {
    let mut stage = Stage::open("direct").await;
    for name in ["web", "cart"] {
        stage.kubernetes.admin().create(&objects::deployment("shop", name, 2)).await.ok();
    }
    let _nodes = stage.kubernetes.nodes("shop", 30);
    let patient =
        |name| policy(name, "auto", &deployment(name)).replace("respectOverride: 1m", "respectOverride: 1h");
    let all = ["web", "cart"].map(|name| (name, patient(name)));
    stage.start(&all).await;
    let paths = ["web", "cart"].map(|name| format!("{DEPLOYMENTS}/{name}"));
    let moves = paths.clone().map(|path| Moves::of(&stage.kubernetes, &path, "/spec/replicas"));
    // One patches what it finds different, as Argo CD does; one applies on the server, as Flux does.
    let manifest = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "shop", "name": "cart"}, "spec": {"replicas": 2}});
    let git = [
        Other::keeps(&stage.kubernetes, &paths[0], Patch::Merge, "argocd-controller", &replicas(2)),
        Other::keeps(&stage.kubernetes, &paths[1], Patch::Apply, "kustomize-controller", &manifest),
    ];
    stage.fail(3).await;
    let expected = [
        ("web", "argocd-controller put it back to 2 twice", "RespectIgnoreDifferences=true"),
        (
            "cart",
            "kustomize-controller put it back to 2 twice",
            "`driftIgnoreRules` with paths [/spec/replicas]",
        ),
    ];
    for (name, why, setting) in expected {
        let view = stage.until_reason(name, "fight").await;
        let reason = &view["decision"]["reason"];
        assert!(reason["why"].as_str().unwrap().contains(why), "{reason:#}");
        assert!(reason["wouldChange"].as_str().unwrap().contains(setting), "{reason:#}");
        // It goes on burning, and Damper goes on doing nothing.
        let at = view["decision"]["at"].as_i64().unwrap();
        let later = |view: &Value| {
            view["decision"]["at"].as_i64().unwrap() >= at + 35
                && view["decision"]["runnerUp"]["code"] == "burning"
        };
        let view = stage.until(name, "the wish, half a minute later", later).await;
        assert_eq!(view["decision"]["reason"]["code"], "fight");
        let events = stage.events(name, "SLOReplicaFight").await;
        let event = events.first().expect("an Event of the fight");
        assert!(event["note"].as_str().unwrap().contains(setting) && event["type"] == "Warning", "{event:#}");
    }
    for moves in &moves {
        // With little budget left it adds one more.
        let values = moves.values();
        assert!(matches!(values[..], [2, 4 | 5, 2, 4 | 5, 2]), "{values:?}");
    }
    drop(git);
    stage.ask("web", "resume").await;
    let again = |view: &Value| {
        view["decision"]["reason"]["code"] != "fight" && view["seen"]["workload"]["position"] != 2
    };
    stage.until("web", "replicas that stay", again).await;
    assert_eq!(moves[1].values().len(), 5, "the other still holds");
    stage.was_refused_nothing();
}
