//! Replicas of a workload behind a webhook: burn on a real Prometheus adds them, calm gives them back.

mod account;
mod cli;
mod clock;
mod faults;
mod hands;
#[cfg(debug_assertions)]
mod kill;
mod kubernetes;

use std::time::Duration;

use serde_json::{Value, json};

use crate::e2e::shop::{PAGE, Shop, until_whole};
use crate::support::damper::Damper;
use crate::support::prometheus::Version;
use crate::support::wait_until;
use crate::support::workload::Workload;

/// Cooldowns, windows and the calm are seconds here: at a step of 5s a test sees all of it.
const COOLDOWN: Duration = Duration::from_secs(15);
/// For what needs several decisions.
const SOON: Duration = Duration::from_secs(120);

/// An SLO of a service of the shop that many errors leave a budget, of which the size of steps
/// depends; with a ticket, since a page would keep replicas from being given back.
fn lenient(service: &str) -> String {
    let slo = Shop::slo(service, &["{severity: ticket, burnRate: 1.2, long: 1m, short: 20s}"]);
    slo.replace("objective: 99", "objective: 80")
}

/// A shop that fails and a policy on it.
struct Scaled {
    shop: Shop,
    workload: Workload,
    damper: Damper,
}

fn policy(mode: &str, more: &str) -> String {
    format!(
        "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: web}}\nspec:\n  slos: [shop/web]\n\
         \x20 target: {{actuator: local, name: shop}}\n  mode: {mode}\n  replicas: {{min: 2, max: 6}}\n\
         \x20 up:\n    - {{burnRate: 2.0, add: 2, cooldown: 15s}}\n    - {{burnRate: 1.5, add: 1, cooldown: 15s}}\n\
         \x20 down: {{burnRate: 0.8, remove: 1, calm: 15s, cooldown: 15s}}\n\
         \x20 windows: {{short: 10s, long: 20s}}\n  settle: 5s\n  saturation: none\n{more}"
    )
}

impl Scaled {
    async fn start(policy: &str) -> Self {
        let shop = Shop::open(Version::New, &["web"]).await;
        let workload = Workload::start(3);
        let mut damper = shop.damper(&shop.prometheus.url());
        let settings = std::fs::read_to_string(damper.path("damper.yaml")).unwrap();
        let scaling =
            format!("scaling:\n  actuators: [{{name: local, webhook: {{url: \"{}\"}}}}]\n", workload.url());
        std::fs::write(damper.path("damper.yaml"), settings + &scaling).unwrap();
        damper.definition("web.yaml", &Shop::slo("web", &[PAGE]));
        damper.definition("policy.yaml", policy);
        damper.start().await;
        until_whole(&damper, "web").await;
        Self { shop, workload, damper }
    }

    async fn view(&self) -> Value {
        self.damper.get("/api/v1/scale/web").await
    }

    async fn until(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let of = |view: &Value| condition(view).then(|| view.clone());
        self.damper.wait_for(SOON, "/api/v1/scale/web", what, of).await
    }

    async fn until_moved(&self, moves: usize) {
        let what = format!("{moves} moves");
        wait_until(SOON, &what, async || (self.workload.moves().len() >= moves).then_some(())).await;
    }
}

#[tokio::test]
async fn burn_adds_replicas_and_calm_gives_them_back() {
    let scaled = Scaled::start(&policy("auto", "")).await;
    scaled.until("rest", |view| view["decision"]["reason"]["code"] == "atRest").await;
    scaled.shop.traffic.fail("web", 5);
    scaled.until_moved(1).await;
    let first = scaled.workload.moves()[0].clone();
    assert_eq!((first.from, first.to), (3, 5));
    scaled.shop.traffic.fail("web", 0);
    wait_until(SOON, "all given back", async || (scaled.workload.replicas() == 3).then_some(())).await;
    let moves = scaled.workload.moves();
    assert!(moves.windows(2).all(|pair| pair[1].at - pair[0].at >= COOLDOWN), "{moves:?}");
    assert!(moves.iter().all(|one| (2..=6).contains(&one.to)), "{moves:?}");
    let downs = moves.iter().filter(|one| one.to < one.from);
    assert!(downs.clone().count() >= 2 && downs.into_iter().all(|one| one.from - one.to == 1), "{moves:?}");

    let view = scaled.until("rest again", |view| view["decision"]["reason"]["code"] == "atRest").await;
    assert_eq!((&view["base"], &view["seen"]["workload"]["position"]), (&json!(3), &json!(3)));
    let lines = view["history"].as_array().unwrap();
    let acted = lines.iter().filter(|line| line["kind"] == "scaleWrite");
    assert_eq!(acted.clone().count(), moves.len());
    assert!(acted.into_iter().all(|line| line["body"]["outcome"] == "done"), "{view}");
}

#[tokio::test]
async fn a_dry_run_decides_and_touches_nothing() {
    let scaled = Scaled::start(&policy("dryRun", "")).await;
    scaled.shop.traffic.fail("web", 5);
    let acted = |view: &Value| {
        let lines = view["history"].as_array().into_iter().flatten();
        lines
            .into_iter()
            .any(|line| line["kind"] == "scaleDryRun" && line["body"]["decision"]["verdict"] != "hold")
    };
    let view = scaled.until("what it would have done", acted).await;
    assert_eq!(view["mode"], "dryRun");
    assert!(scaled.workload.moves().is_empty());
}

#[tokio::test]
async fn a_count_that_somebody_sets_is_left_alone_until_somebody_says_resume() {
    let scaled = Scaled::start(&policy("auto", "")).await;
    scaled.until("rest", |view| view["decision"]["reason"]["code"] == "atRest").await;
    scaled.workload.set(4);
    let view = scaled.until("an override", |view| view["decision"]["reason"]["code"] == "overridden").await;
    assert_eq!(view["base"], 4);
    scaled.shop.traffic.fail("web", 5);
    scaled.until("the wish behind it", |view| view["decision"]["runnerUp"]["code"] == "burning").await;
    assert!(scaled.workload.moves().is_empty());
    let client = reqwest::Client::new();
    let answer = client.post(scaled.damper.url("/api/v1/scale/web/resume")).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    scaled.until_moved(1).await;
    assert_eq!(scaled.workload.moves()[0].from, 4);
    assert!(scaled.view().await["decision"].is_object());
}
