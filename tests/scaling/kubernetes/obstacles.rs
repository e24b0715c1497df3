//! Replicas that cannot be had, and versions that are new.

use serde_json::{Value, json};

use super::moves::Moves;
use super::{DEPLOYMENTS, Stage, deployment, policy, target};
use crate::support::kubernetes::client::Patch;
use crate::support::kubernetes::objects;

#[tokio::test]
async fn what_keeps_replicas_from_helping_holds_and_is_told() {
    let mut stage = Stage::open("direct").await;
    // In each namespace something else is in the way.
    for (namespace, name) in [("shop", "web"), ("far", "cart"), ("slow", "search")] {
        if namespace != "shop" {
            stage.kubernetes.namespace(namespace).await;
        }
        stage.kubernetes.admin().create(&objects::deployment(namespace, name, 2)).await.ok();
        stage.kubernetes.ready(namespace, &format!("app={name}"), 2).await;
    }
    let _nodes = (stage.kubernetes.nodes("shop", 30), stage.kubernetes.nodes("far", 3));
    stage.kubernetes.admin().create(&objects::quota("shop", 3)).await.ok();
    let used = |quota: &Value| (quota["status"]["used"]["pods"] == "2").then_some(());
    let quota = "/api/v1/namespaces/shop/resourcequotas/pods";
    stage.kubernetes.admin().wait_for(quota, "the quota to be counted", used).await;
    let all = [
        ("web", policy("web", "auto", &deployment("web"))),
        ("cart", policy("cart", "auto", &target("apps/v1", "Deployment", "far", "cart"))),
        ("search", policy("search", "auto", &target("apps/v1", "Deployment", "slow", "search"))),
    ];
    stage.start(&all).await;
    let moves = |path: &str| Moves::of(&stage.kubernetes, path, "/spec/replicas");
    let web = moves(&format!("{DEPLOYMENTS}/web"));
    let cart = moves("/apis/apps/v1/namespaces/far/deployments/cart");
    let search = "/apis/apps/v1/namespaces/slow/deployments/search";
    let slow = moves(search);

    // A new version, whose pods do not become ready; then it burns.
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:2"}]}}}});
    stage.kubernetes.admin().patch(search, Patch::Strategic, &image).await.ok();
    let second = |view: &Value| view["seen"]["workload"]["version"] == "revision 2";
    stage.until("search", "the new version", second).await;
    stage.fail(3).await;
    let why = async |policy: &str, code: &str| {
        let view = stage.until_reason(policy, code).await;
        view["decision"]["reason"]["why"].as_str().unwrap().to_owned()
    };
    assert!(why("search", "suspectVersion").await.contains("shortly after revision 2"));
    assert!(stage.told("search", "ScalingSuspectVersion").await.contains("revision 2"));
    stage.ask("search", "resume").await;
    why("search", "rolling").await;
    assert_eq!(slow.values(), [2]);
    let _slow = stage.kubernetes.nodes("slow", 30);
    slow.until_above(2).await;

    for (policy, words) in [("web", "exceeded quota"), ("cart", "0/3 nodes are available")] {
        let why = why(policy, "blocked").await;
        assert!(why.contains(words), "{why}");
    }
    assert_eq!(
        (web.values(), cart.values()),
        (vec![2, 4], vec![2, 4]),
        "nothing is added to what cannot be had"
    );
    stage.fail(0).await;
    for moves in [&web, &cart, &slow] {
        moves.until(2).await;
    }
    assert_eq!((web.values(), cart.values()), (vec![2, 4, 3, 2], vec![2, 4, 3, 2]));
    stage.was_refused_nothing();
}
