//! What people and mishaps do to scaling: the ways to stop it, policies that are renamed or do not fit
//! any more, a store that cannot be written, floors that nobody means.

use std::str::FromStr as _;

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::{COOLDOWN, SOON, Scaled, policy};
use crate::e2e::shop::{PAGE, Shop, until_whole};
use crate::support::damper::Damper;
use crate::support::kubernetes::Kubernetes;
use crate::support::kubernetes::client::Patch;
use crate::support::kubernetes::objects;
use crate::support::prometheus::Version;
use crate::support::wait_until;

const AUTOSCALERS: &str = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers";

fn code(view: &Value) -> &str {
    view["decision"]["reason"]["code"].as_str().unwrap_or_default()
}

/// With little budget left three are added at once: room for several moves.
fn roomy() -> String {
    policy("auto", "").replace("max: 6", "max: 20")
}

/// Adds lines to the settings; they count from the next start.
fn settings(damper: &Damper, more: &str) {
    let path = damper.path("damper.yaml");
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, before + more).unwrap();
}

async fn say(damper: &Damper, path: &str) {
    let answer = reqwest::Client::new().post(damper.url(path)).send().await.unwrap();
    assert_eq!(answer.status(), 202);
}

/// The component `scaling` of `/healthz`, once it is so.
async fn health(damper: &Damper, status: &str, words: &str) {
    let what = format!("scaling to be {status}: {words}");
    let is = |view: &Value| {
        let all = view["components"].as_array()?;
        let scaling = all.iter().find(|component| component["name"] == "scaling")?;
        (scaling["status"] == *status && scaling["detail"].as_str()?.contains(words)).then_some(())
    };
    damper.wait_for(SOON, "/healthz", &what, is).await;
}

impl Scaled {
    /// Whether no move came sooner after the one before than the cooldown allows.
    fn cooled(&self) {
        let moves = self.workload.moves();
        assert!(moves.windows(2).all(|pair| pair[1].at - pair[0].at >= COOLDOWN), "{moves:?}");
    }

    /// Stops scaling, however it is done, while it wants more.
    async fn until_stopped(&self, by: &str) {
        let stopped =
            |view: &Value| code(view) == "stopped" && view["decision"]["runnerUp"]["code"].is_string();
        let view = self.until("scaling to be stopped", stopped).await;
        assert!(view["decision"]["reason"]["why"].as_str().unwrap().contains(by), "{view}");
        health(&self.damper, "degraded", by).await;
        assert_eq!(self.damper.metric("damper_scale_stopped").await, Some(1.0));
    }
}

#[tokio::test]
async fn what_is_stopped_by_file_or_by_word_stays_so_until_somebody_starts_it() {
    let mut scaled = Scaled::start(&roomy()).await;
    scaled.damper.stop().await;
    let settings = std::fs::read_to_string(scaled.damper.path("damper.yaml")).unwrap();
    let settings = settings.replace("scaling:\n", "scaling:\n  stopFile: stop-scaling\n");
    std::fs::write(scaled.damper.path("damper.yaml"), settings).unwrap();
    std::fs::write(scaled.damper.path("stop-scaling"), "").unwrap();
    scaled.damper.start().await;
    scaled.shop.traffic.fail("web", 5);
    scaled.until("the wish", |view| view["decision"]["runnerUp"]["code"] == "burning").await;
    scaled.until_stopped("the file stop-scaling").await;
    assert!(scaled.workload.moves().is_empty());
    std::fs::remove_file(scaled.damper.path("stop-scaling")).unwrap();
    scaled.until_moved(1).await;

    say(&scaled.damper, "/api/v1/scaling/stop").await;
    scaled.until_stopped("damper scale stop").await;
    let before = scaled.workload.moves().len();
    scaled.damper.kill();
    scaled.damper.start().await;
    scaled.until_stopped("damper scale stop").await;
    // The cooldown is over, and it would move.
    scaled.until("the wish", |view| view["decision"]["runnerUp"]["code"] == "burning").await;
    assert_eq!(scaled.workload.moves().len(), before);
    say(&scaled.damper, "/api/v1/scaling/start").await;
    scaled.until("scaling to go on", |view| code(view) != "stopped" && !code(view).is_empty()).await;
    health(&scaled.damper, "ok", "1 policies, 1 of which act").await;
    scaled.cooled();
}

#[tokio::test]
async fn a_policy_under_a_new_name_goes_on_with_the_cooldown_and_the_base_of_the_old_one() {
    let scaled = Scaled::start(&roomy()).await;
    scaled.until("rest", |view| code(view) == "atRest").await;
    scaled.shop.traffic.fail("web", 5);
    scaled.until_moved(1).await;
    let before = scaled.until("the cooldown", |view| view["cooldownUntil"].is_i64()).await;
    scaled.damper.definition("policy.yaml", &roomy().replace("{name: web}", "{name: other}"));
    let known = |view: &Value| view["seen"].is_object().then(|| view.clone());
    let decided = |view: &Value| known(view).filter(|view| code(view) != "misfit" && view["base"].is_u64());
    let after = scaled.damper.wait_for(SOON, "/api/v1/scale/other", "the new name", decided).await;
    assert_eq!(after["base"], 3, "not the count that the old one brought it to: {after}");
    assert!(after["cooldownUntil"].as_i64() >= before["cooldownUntil"].as_i64(), "{before} {after}");
    assert!(scaled.damper.try_get("/api/v1/scale/web").await.unwrap().0.is_client_error());
    scaled.until_moved(2).await;
    scaled.cooled();
    // Gone for good: forgotten, with nothing to put back behind a webhook.
    let at = scaled.workload.replicas();
    std::fs::remove_file(scaled.damper.path("slos/policy.yaml")).unwrap();
    let none = |page: &Value| page["items"].as_array().is_some_and(Vec::is_empty).then_some(());
    scaled.damper.wait_for(SOON, "/api/v1/scale", "no policy", none).await;
    let metrics = scaled.damper.try_get("/metrics").await.unwrap().1;
    assert!(!metrics.contains("damper_scale_verdict{"), "{metrics}");
    assert_eq!(scaled.workload.replicas(), at);
}

#[tokio::test]
async fn a_policy_that_does_not_fit_any_more_moves_nothing_and_says_why() {
    let scaled = Scaled::start(&roomy()).await;
    scaled.until("rest", |view| code(view) == "atRest").await;
    // Its file is broken, and what is in force of it stays; another one wants the same workload.
    scaled.damper.definition("policy.yaml", "kind: [\n");
    let second = roomy().replace("{name: web}", "{name: other}");
    scaled.damper.definition("second.yaml", &second);
    let view = scaled.until("both to hold", |view| code(view) == "misfit").await;
    assert!(view["decision"]["reason"]["why"].as_str().unwrap().contains("policy other at"), "{view}");
    assert_eq!(view["history"][0]["body"]["decision"]["reason"]["code"], "misfit", "{view}");
    let other = scaled.damper.get("/api/v1/scale/other").await;
    assert!(other["decision"]["reason"]["why"].as_str().unwrap().contains("policy web at"), "{other}");
    scaled.shop.traffic.fail("web", 5);
    scaled.until("the wish", |view| view["decision"]["runnerUp"]["code"] == "burning").await;
    health(&scaled.damper, "degraded", "2 of 2 policies do not fit").await;
    assert!(scaled.workload.moves().is_empty());
    scaled.shop.traffic.fail("web", 0);
    scaled.until("no wish any more", |view| view["decision"]["runnerUp"]["code"] == "atRest").await;
    std::fs::remove_file(scaled.damper.path("slos/second.yaml")).unwrap();
    scaled.damper.definition("policy.yaml", &roomy());
    scaled.until("rest again", |view| code(view) == "atRest").await;

    std::fs::remove_file(scaled.damper.path("slos/web.yaml")).unwrap();
    let gone = |view: &Value| {
        let why = view["decision"]["reason"]["why"].as_str().unwrap_or_default();
        code(view) == "misfit" && why.contains("there is no SLO shop/web any more")
    };
    scaled.until("the SLO to be missed", gone).await;
    scaled.damper.definition("web.yaml", &Shop::slo("web", &[PAGE]));
    scaled.until("rest once more", |view| code(view) == "atRest").await;
    assert!(scaled.workload.moves().is_empty());
}

#[tokio::test]
async fn while_the_store_cannot_be_written_nothing_moves_and_no_cooldown_is_lost() {
    let scaled = Scaled::start(&roomy()).await;
    scaled.until("rest", |view| code(view) == "atRest").await;
    let address = format!("sqlite:{}", scaled.damper.path("damper.db").display());
    let options = SqliteConnectOptions::from_str(&address).unwrap().busy_timeout(SOON);
    for round in 1..=2 {
        let mut lock = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("begin exclusive").execute(&mut lock).await.unwrap();
        let moves = scaled.workload.moves().len();
        scaled.shop.traffic.fail("web", 5);
        wait_until(SOON, "the store to be degraded", async || {
            let health = scaled.damper.try_get("/healthz").await?.1;
            let health: Value = serde_json::from_str(&health).ok()?;
            let all = health["components"].as_array()?;
            let store = all.iter().find(|component| component["name"] == "store")?;
            (store["status"] == "degraded").then_some(())
        })
        .await;
        scaled.damper.ticks_on(SOON, 2).await;
        assert_eq!(scaled.workload.moves().len(), moves, "round {round}");
        sqlx::query("rollback").execute(&mut lock).await.unwrap();
        drop(lock);
        scaled.until_moved(moves + 1).await;
        scaled.cooled();
    }
}

/// An autoscaler of a workload of this name whose floor says that a policy raised it.
async fn raised(kubernetes: &Kubernetes, name: &str, until: &str) {
    let workload = objects::deployment("shop", name, 4);
    kubernetes.admin().create(&workload).await.ok();
    let mut autoscaler = objects::autoscaler("shop", name, &workload, 4, 6);
    autoscaler["metadata"]["annotations"] = json!({
        "damper.dev/original-floor": "2", "damper.dev/raised-to": "4",
        "damper.dev/raised-by": "another", "damper.dev/raised-until": until,
    });
    kubernetes.admin().create(&autoscaler).await.ok();
}

async fn until_floor(kubernetes: &Kubernetes, name: &str, floor: u64) {
    let is = |object: &Value| (object["spec"]["minReplicas"] == floor).then_some(());
    let what = format!("a floor of {floor} under {name}");
    kubernetes.admin().wait_for(&format!("{AUTOSCALERS}/{name}"), &what, is).await;
}

#[tokio::test]
async fn floors_that_nobody_means_are_put_back_and_its_own_when_it_ends() {
    let (shop, kubernetes) = tokio::join!(Shop::open(Version::New, &["web"]), Kubernetes::start());
    kubernetes.namespace("shop").await;
    let _nodes = kubernetes.nodes("shop", 20);
    raised(&kubernetes, "left", "2026-01-01T00:00:00Z").await;
    raised(&kubernetes, "theirs", "2096-01-01T00:00:00Z").await;
    let workload = objects::deployment("shop", "web", 2);
    kubernetes.admin().create(&workload).await.ok();
    kubernetes.admin().create(&objects::autoscaler("shop", "web", &workload, 2, 6)).await.ok();
    kubernetes.ready("shop", "app=web", 2).await;

    let mut damper = shop.damper(&shop.prometheus.url());
    let config = kubernetes.kubeconfig("floor");
    let scaling =
        format!("scaling: {{releaseOnShutdown: true, kubernetes: {{kubeconfig: {}}}}}\n", config.display());
    settings(&damper, &scaling);
    damper.definition("web.yaml", &Shop::slo("web", &[PAGE]));
    let target = "{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: web}";
    damper.definition("policy.yaml", &policy("auto", "").replace("{actuator: local, name: shop}", target));
    damper.start().await;
    until_whole(&damper, "web").await;
    until_floor(&kubernetes, "left", 2).await;
    let at_rest = |view: &Value| (code(view) == "atRest").then_some(());
    damper.wait_for(SOON, "/api/v1/scale/web", "rest", at_rest).await;
    // It was made a moment ago, and burn that begins now would be its version's.
    say(&damper, "/api/v1/scale/web/resume").await;
    shop.traffic.fail("web", 5);
    until_floor(&kubernetes, "web", 4).await;
    // As after two hours in which nobody renewed it: it is past its time, and meant all the same.
    damper.kill();
    let past = json!({"metadata": {"annotations": {"damper.dev/raised-until": "2026-01-01T00:00:00Z"}}});
    let path = format!("{AUTOSCALERS}/web");
    kubernetes.admin().patch(&path, Patch::Merge, &past).await.ok();
    damper.start().await;
    let renewed = |object: &Value| {
        let until = object["metadata"]["annotations"]["damper.dev/raised-until"].as_str()?;
        assert!(object["spec"]["minReplicas"].as_u64() >= Some(4), "{object}");
        (until > "2026-01-01T00:00:00Z").then_some(())
    };
    kubernetes.admin().wait_for(&path, "the floor to be meant anew", renewed).await;
    damper.stop().await;
    until_floor(&kubernetes, "web", 2).await;
    until_floor(&kubernetes, "theirs", 4).await;
}
