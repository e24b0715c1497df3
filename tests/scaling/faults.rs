//! A real API server that refuses, asks for patience, hangs, dies and comes back under Damper: what is
//! remembered stays right, each is told, and no tick is late for it.

use std::time::Duration;

use serde_json::{Value, json};

use super::lenient;
use crate::e2e::shop::{SOON, Shop, told, until_told, until_whole};
use crate::support::damper::Damper;
use crate::support::kubernetes::Kubernetes;
use crate::support::kubernetes::client::Patch;
use crate::support::kubernetes::front::{Front, Writes};
use crate::support::kubernetes::objects::deployment;
use crate::support::kubernetes::pods::Nodes;
use crate::support::prometheus::Version;
use crate::support::wait_until;

const CHECKOUT: &str = "/apis/apps/v1/namespaces/shop/deployments/checkout";
/// The binding of the role that may write counts.
const BINDING: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/damper-direct-to-direct";
/// For several decisions with cooldowns between them.
const LIMIT: Duration = Duration::from_secs(180);
/// After a step up.
const COOLDOWN: i64 = 30;
/// Damper tells its decisions apart from those of clocks that are so far off.
const SKEW: i64 = 10;

/// A shop whose checkout runs in a cluster, and Damper in the role `direct`.
struct Cluster {
    kubernetes: Kubernetes,
    shop: Shop,
    damper: Damper,
    _nodes: Nodes,
}

/// One outcome of a write in history.
#[derive(Debug)]
struct Outcome {
    from: u64,
    to: u64,
    outcome: String,
    error: String,
}

#[tokio::test]
async fn writes_that_are_refused_put_off_or_lost_leave_the_count_and_what_is_known_of_it_right() {
    let kubernetes = Kubernetes::start().await;
    let front = Front::start(&kubernetes, "direct");
    let kubeconfig = front.kubeconfig();
    let cluster = Cluster::start(kubernetes, &kubeconfig.display().to_string()).await;
    too_many_requests(&cluster, &front).await;
    conflicts(&cluster, &front).await;
    overtaken(&cluster, &front).await;
    without_an_answer(&cluster, &front).await;
    into_a_hung_server(&cluster, &front).await;
    cluster.shop.traffic.fail("web", 0);
    cluster.until_count(4).await;
    cluster.until_reason("atRest").await;
    // Each write that was made began where the one before had ended, somebody else's in between.
    let made: Vec<_> = cluster.outcomes().await.into_iter().filter(|one| one.outcome == "done").collect();
    assert!(made.windows(2).all(|pair| pair[0].to == pair[1].from || pair[1].from == 4), "{made:#?}");
}

/// Nothing was written, so it costs no cooldown; and the wish of the API server is kept.
async fn too_many_requests(cluster: &Cluster, front: &Front) {
    front.writes(Writes::Throttle(10));
    cluster.shop.traffic.fail("web", 9);
    wait_until(LIMIT, "a write", async || (!front.seen().is_empty()).then_some(())).await;
    let put_off = cluster.until_outcome("throttled").await;
    assert_eq!((put_off.from, put_off.to, cluster.count().await), (3, 5, 3));
    assert!(put_off.error.contains("429") && put_off.error.contains("too many requests"), "{put_off:?}");
    front.writes(Writes::Pass);
    cluster.until_count(5).await;
    let seen = front.seen();
    let apart = (seen[1] - seen[0]) / 1000;
    assert!((10..COOLDOWN + SKEW).contains(&apart), "tried again after {apart}s");
    assert_eq!(seen.len(), 2);
}

/// An object that somebody else wrote, though not its count, is written again at once.
async fn conflicts(cluster: &Cluster, front: &Front) {
    let before = front.seen().len();
    front.writes(Writes::Conflict(2));
    cluster.shop.traffic.fail("web", 7);
    cluster.until_count(7).await;
    let seen = front.seen();
    assert_eq!(seen.len(), before + 3);
    assert!(seen[before + 2] - seen[before] < 5000, "{seen:?}");
    cluster.until_made(5, 7).await;
}

/// Somebody else sets the count after Damper looked and before it writes.
async fn overtaken(cluster: &Cluster, front: &Front) {
    let before = front.seen().len();
    front.writes(Writes::Hold);
    cluster.shop.traffic.fail("web", 5);
    wait_until(LIMIT, "a write", async || (front.seen().len() > before).then_some(())).await;
    cluster.set(4).await;
    front.writes(Writes::Pass);
    let overtaken = cluster.until_outcome("conflict").await;
    assert!(overtaken.error.contains("stands at 4, not at 7"), "{overtaken:?}");
    let view = cluster.until_reason("overridden").await;
    let numbers = &view["decision"]["reason"]["numbers"];
    assert_eq!(
        (&numbers["by"], &numbers["to"], &view["base"]),
        (&json!("kubectl-edit"), &json!(4), &json!(4))
    );
    assert_eq!(cluster.count().await, 4);
    cluster.ask("resume").await;
}

/// It is made, and the answer never comes.
async fn without_an_answer(cluster: &Cluster, front: &Front) {
    front.writes(Writes::Mute);
    cluster.shop.traffic.fail("web", 3);
    cluster.until_count(6).await;
    front.writes(Writes::Pass);
    cluster.until_made(4, 6).await;
    let view = cluster.view().await;
    assert_eq!(view["base"], 4);
    assert_ne!(view["decision"]["reason"]["code"], "overridden", "{view:#}");
}

/// It may be made once the server goes on, or not: either is recognised, and nobody else is blamed.
async fn into_a_hung_server(cluster: &Cluster, front: &Front) {
    let before = front.seen().len();
    front.writes(Writes::Hold);
    cluster.shop.traffic.fail("web", 2);
    wait_until(LIMIT, "a write", async || (front.seen().len() > before).then_some(())).await;
    cluster.kubernetes.hang();
    front.writes(Writes::Pass);
    let lost = cluster.until_outcome("unreachable").await;
    assert_eq!((lost.from, lost.to), (6, 8));
    cluster.kubernetes.resume();
    let found = |view: &Value| outcomes(view).pop().filter(|last| last.outcome != "unreachable");
    let found = cluster.until("what became of it", found).await;
    assert!(matches!(found.outcome.as_str(), "done" | "notMade"), "{found:?}");
    assert_eq!((found.from, found.to), (6, 8));
    let is_made = found.outcome == "done";
    eprintln!("a write into a hung server was made: {is_made}");
    assert_eq!(cluster.count().await, if is_made { 8 } else { 6 });
    assert_eq!(cluster.view().await["base"], 4);
}

#[tokio::test]
async fn without_permission_or_an_api_server_it_is_told_alerts_are_in_time_and_scaling_goes_on_after() {
    let kubernetes = Kubernetes::start().await;
    let kubeconfig = kubernetes.kubeconfig("direct").display().to_string();
    let mut cluster = Cluster::start(kubernetes, &kubeconfig).await;
    forbidden(&cluster).await;
    cluster.shop.traffic.fail("web", 0);
    cluster.until_count(3).await;
    cluster.until_reason("atRest").await;
    until_told(&cluster.shop.receiver, LIMIT, "web", "resolved").await;
    hung(&cluster).await;
    restarted(&mut cluster).await;
    let outcomes = cluster.outcomes().await;
    let made = outcomes.iter().filter(|one| one.outcome == "done").collect::<Vec<_>>();
    assert!(made.windows(2).all(|pair| pair[0].to == pair[1].from), "{outcomes:#?}");
}

/// The role is taken away and given back while Damper runs.
async fn forbidden(cluster: &Cluster) {
    let (admin, direct) = (cluster.kubernetes.admin(), cluster.kubernetes.client("direct"));
    let binding = admin.get(BINDING).await.ok();
    admin.delete(BINDING).await.ok();
    let may = async |it: bool| (direct.may("patch", "apps", "deployments/scale").await == it).then_some(());
    wait_until(SOON, "the permission to be gone", async || may(false).await).await;
    cluster.shop.traffic.fail("web", 9);
    let refused = cluster.until_outcome("refused").await;
    for part in ["403", "cannot patch", "deployments/scale", "shop", "damper-direct"] {
        assert!(refused.error.contains(part), "no {part:?} in {refused:?}");
    }
    let view = cluster.until_reason("refused").await;
    let why = view["decision"]["reason"]["why"].as_str().unwrap();
    assert!(why.contains("cannot patch") && why.contains("damper-direct"), "{view:#}");
    assert_eq!(cluster.count().await, 3);

    let again = json!({
        "apiVersion": binding["apiVersion"], "kind": binding["kind"],
        "metadata": {"name": binding["metadata"]["name"]},
        "roleRef": binding["roleRef"], "subjects": binding["subjects"],
    });
    admin.create(&again).await.ok();
    cluster.until_count(5).await;
    cluster.until_outcome("done").await;
}

/// Alerts go on as if nothing were, and the first answer is acted on.
async fn hung(cluster: &Cluster) {
    cluster.kubernetes.hang();
    let view = cluster.until_reason("workloadUnknown").await;
    let missing = view["seen"]["missing"].to_string();
    assert!(missing.contains("Kubernetes API") || missing.contains("workload's API"), "{view:#}");
    let skipped = cluster.ticks().await["skipped"].clone();
    cluster.shop.traffic.fail("web", 9);
    until_told(&cluster.shop.receiver, SOON, "web", "firing").await;
    let health = cluster.health().await.unwrap();
    assert_eq!(health["status"], "degraded", "{health}");
    assert!(health["detail"].as_str().unwrap().contains("1 of 1 workloads do not answer"), "{health}");
    let ticks = cluster.ticks().await;
    assert_eq!(ticks["skipped"], skipped, "{ticks}");
    assert!(ticks["lagSeconds"].as_f64() < Some(5.0), "{ticks}");
    assert_eq!(told(&cluster.shop.receiver, "SourceBlind", "ticket").len(), 0);
    cluster.kubernetes.resume();
    cluster.until_count(5).await;
    cluster.until_outcome("done").await;
    let is_well = async || (cluster.health().await?["status"] == "ok").then_some(());
    wait_until(SOON, "scaling to be well", is_well).await;
}

/// What changes while it is away is seen once it is back.
async fn restarted(cluster: &mut Cluster) {
    cluster.kubernetes.kill();
    cluster.until_reason("workloadUnknown").await;
    cluster.shop.traffic.fail("web", 0);
    cluster.kubernetes.start_again().await;
    cluster.until_count(3).await;
    let view = cluster.until_reason("atRest").await;
    assert_eq!((&view["base"], &view["seen"]["workload"]["position"]), (&json!(3), &json!(3)));
    cluster.set(5).await;
    let view = cluster.until_reason("overridden").await;
    assert_eq!(view["decision"]["reason"]["numbers"]["by"], "kubectl-edit");
}

impl Cluster {
    /// Starts with three ready replicas of a version that is trusted, and nothing to do.
    async fn start(kubernetes: Kubernetes, kubeconfig: &str) -> Self {
        kubernetes.namespace("shop").await;
        kubernetes.admin().create(&deployment("shop", "checkout", 3)).await.ok();
        let nodes = kubernetes.nodes("shop", 20);
        let shop = Shop::open(Version::New, &["web"]).await;
        let settings = shop.settings(&shop.prometheus.url());
        let scaling = format!("scaling: {{kubernetes: {{kubeconfig: '{kubeconfig}'}}}}\n");
        let mut damper = Damper::new(&format!("{settings}{scaling}"));
        damper.definition("web.yaml", &lenient("web"));
        damper.definition("policy.yaml", &policy());
        damper.start().await;
        until_whole(&damper, "web").await;
        let cluster = Self { kubernetes, shop, damper, _nodes: nodes };
        cluster.until_reason("atRest").await;
        cluster.ask("resume").await;
        cluster
    }

    /// Asks something of the policy, and waits until it is done.
    async fn ask(&self, word: &str) {
        let done = |view: &Value| {
            let told = lines(view).filter(|line| line["kind"] == "scaleCommand");
            told.filter_map(|line| line["atMs"].as_i64()).max()
        };
        let before = done(&self.view().await);
        let url = self.damper.url(&format!("/api/v1/scale/web/{word}"));
        let answer = reqwest::Client::new().post(url).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        self.until(&format!("{word} to be done"), |view| (done(view) > before).then_some(())).await;
    }

    async fn view(&self) -> Value {
        self.damper.get("/api/v1/scale/web").await
    }

    /// What `/healthz` says of scaling.
    async fn health(&self) -> Option<Value> {
        let (status, text) = self.damper.try_get("/healthz").await?;
        assert!(status.is_success(), "{status}: no restart of Damper mends a cluster");
        let health: Value = serde_json::from_str(&text).unwrap();
        health["components"].as_array()?.iter().find(|one| one["name"] == "scaling").cloned()
    }

    async fn ticks(&self) -> Value {
        self.damper.get("/api/v1/status").await["ticks"].clone()
    }

    async fn until<T>(&self, what: &str, is: impl Fn(&Value) -> Option<T>) -> T {
        self.damper.wait_for(LIMIT, "/api/v1/scale/web", what, is).await
    }

    async fn until_reason(&self, code: &str) -> Value {
        let is = |view: &Value| (view["decision"]["reason"]["code"] == code).then(|| view.clone());
        self.until(&format!("{code} to be the reason"), is).await
    }

    /// Waits until the newest outcome is this one.
    async fn until_outcome(&self, outcome: &str) -> Outcome {
        let is = |view: &Value| outcomes(view).pop().filter(|last| last.outcome == outcome);
        self.until(&format!("a write that was {outcome}"), is).await
    }

    /// The count moves before history has it.
    async fn until_made(&self, from: u64, to: u64) {
        let is = |one: &Outcome| (one.from, one.to, one.outcome.as_str()) == (from, to, "done");
        let last = |view: &Value| outcomes(view).pop().filter(is).map(drop);
        self.until(&format!("the write from {from} to {to}"), last).await;
    }

    async fn outcomes(&self) -> Vec<Outcome> {
        outcomes(&self.view().await)
    }

    /// The count as the cluster has it.
    async fn count(&self) -> u64 {
        self.kubernetes.admin().get(CHECKOUT).await.ok()["spec"]["replicas"].as_u64().unwrap()
    }

    async fn until_count(&self, count: u64) {
        let is = |object: &Value| (object["spec"]["replicas"] == count).then_some(());
        let read = async || {
            let answer = self.kubernetes.admin().try_get(CHECKOUT).await.ok()?;
            answer.status.is_success().then(|| is(&answer.body))?
        };
        wait_until(LIMIT, &format!("{count} replicas"), read).await;
    }

    /// Somebody sets the count.
    async fn set(&self, count: u64) {
        let patch = json!([{"op": "replace", "path": "/spec/replicas", "value": count}]);
        let path = format!("{CHECKOUT}?fieldManager=kubectl-edit");
        self.kubernetes.admin().patch(&path, Patch::Json, &patch).await.ok();
    }
}

fn lines(view: &Value) -> impl Iterator<Item = &Value> {
    view["history"].as_array().into_iter().flatten()
}

/// What history tells of writes, oldest first.
fn outcomes(view: &Value) -> Vec<Outcome> {
    let read = |line: &Value| {
        let body = &line["body"];
        let number = |key: &str| body[key].as_u64().unwrap();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        Outcome { from: number("from"), to: number("to"), outcome: text("outcome"), error: text("error") }
    };
    let mut all: Vec<_> = lines(view).filter(|line| line["kind"] == "scaleWrite").map(read).collect();
    all.reverse();
    all
}

fn policy() -> String {
    format!(
        "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: web}}\nspec:\n  slos: [shop/web]\n\
         \x20 target: {{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: checkout}}\n\
         \x20 mode: auto\n  replicas: {{min: 2, max: 10}}\n\
         \x20 up: [{{burnRate: 0.9, add: 2, cooldown: {COOLDOWN}s}}]\n\
         \x20 down: {{burnRate: 0.5, remove: 1, calm: 0s, cooldown: 10s}}\n\
         \x20 windows: {{short: 10s, long: 20s}}\n  settle: 0s\n  saturation: none\n"
    )
}
