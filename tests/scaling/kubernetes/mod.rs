//! Damper itself in front of a real Kubernetes, with the rights that are shipped and nothing more: burn
//! on a real Prometheus moves real replicas.

mod direct;
mod dry_run;
mod fight;
mod floor;
mod human;
#[cfg(debug_assertions)]
mod killed;
mod moves;
mod obstacles;

use std::time::Duration;

use serde_json::{Value, json};

use crate::e2e::shop::{PAGE, Shop, until_whole};
use crate::support::damper::Damper;
use crate::support::kubernetes::Kubernetes;
use crate::support::kubernetes::client::Patch;
use crate::support::now_ms;
use crate::support::prometheus::Version;
use crate::support::receiver::Request;
use crate::support::wait::pass;

/// For what takes several decisions.
const SOON: Duration = Duration::from_secs(150);
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";
/// No write sooner than this after a step up, nor after one down.
const UP: Duration = Duration::from_secs(15);
const DOWN: Duration = Duration::from_secs(5);

/// A shop whose requests fail when told to, a cluster, and Damper in one of its roles.
struct Stage {
    shop: Shop,
    kubernetes: Kubernetes,
    damper: Damper,
    role: &'static str,
}

/// A policy on the shop's SLO that moves within seconds, between 2 and 5.
fn policy(name: &str, mode: &str, target: &str) -> String {
    format!(
        "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: {name}}}\nspec:\n  slos: [shop/web]\n\
         \x20 target: {target}\n  mode: {mode}\n  replicas: {{min: 2, max: 5}}\n\
         \x20 up:\n    - {{burnRate: 2.0, add: 2, cooldown: 15s}}\n    - {{burnRate: 1.5, add: 1, cooldown: 15s}}\n\
         \x20 down: {{burnRate: 0.8, remove: 1, calm: 10s, cooldown: 5s}}\n\
         \x20 windows: {{short: 10s, long: 20s}}\n  settle: 5s\n  respectOverride: 1m\n  saturation: none\n"
    )
}

/// The target of a policy.
fn target(version: &str, kind: &str, namespace: &str, name: &str) -> String {
    format!("{{apiVersion: {version}, kind: {kind}, namespace: {namespace}, name: {name}}}")
}

/// The Deployment of a name in the namespace `shop`.
fn deployment(name: &str) -> String {
    target("apps/v1", "Deployment", "shop", name)
}

impl Stage {
    /// All but the workloads and the policies. Damper does not run yet.
    async fn open(role: &'static str) -> Self {
        let (shop, kubernetes) = tokio::join!(Shop::open(Version::New, &["web"]), Kubernetes::start());
        kubernetes.namespace("shop").await;
        let damper = shop.damper(&shop.prometheus.url());
        let settings = std::fs::read_to_string(damper.path("damper.yaml")).unwrap();
        // All of a test's policies are on one SLO, so that all want more at once.
        let scaling = format!(
            "scaling:\n  maxPoliciesUp: \"100%\"\n  kubernetes: {{kubeconfig: {}}}\n",
            kubernetes.kubeconfig(role).display()
        );
        std::fs::write(damper.path("damper.yaml"), settings + &scaling).unwrap();
        damper.definition("web.yaml", &Shop::slo("web", &[PAGE]));
        Self { shop, kubernetes, damper, role }
    }

    /// Starts Damper, and waits until each policy is at rest. All workloads were made a moment ago,
    /// which would make their versions suspect: they are said to be trusted.
    async fn start(&mut self, policies: &[(&str, String)]) {
        for (name, text) in policies {
            self.damper.definition(&format!("policy-{name}.yaml"), text);
        }
        self.damper.start().await;
        until_whole(&self.damper, "web").await;
        for (name, _) in policies {
            self.until_reason(name, "atRest").await;
            self.ask(name, "resume").await;
        }
    }

    /// So many of ten requests fail, from the beginning of a slice on: a part of one could burn so
    /// little that the smaller step is taken first.
    async fn fail(&self, of_ten: u32) {
        let left = 5000 - now_ms().rem_euclid(5000);
        pass(Duration::from_millis(u64::try_from(left).unwrap())).await;
        self.shop.traffic.fail("web", of_ten);
    }

    async fn view(&self, policy: &str) -> Value {
        self.damper.get(&format!("/api/v1/scale/{policy}")).await
    }

    async fn until(&self, policy: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let of = |view: &Value| is(view).then(|| view.clone());
        self.damper.wait_for(SOON, &format!("/api/v1/scale/{policy}"), what, of).await
    }

    /// Waits until a policy's newest decision has this reason.
    async fn until_reason(&self, policy: &str, code: &str) -> Value {
        self.until(policy, &format!("{policy}: {code}"), |view| view["decision"]["reason"]["code"] == code)
            .await
    }

    /// Asks something of a policy, and waits until it was taken up.
    async fn ask(&self, policy: &str, word: &str) {
        let asked = |view: &Value| {
            lines(view, "scaleCommand").filter(|line| line["body"]["asked"][0] == *word).count()
        };
        let before = asked(&self.view(policy).await);
        let url = self.damper.url(&format!("/api/v1/scale/{policy}/{word}"));
        let answer = reqwest::Client::new().post(url).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        self.until(policy, &format!("{word} to be taken up"), |view| asked(view) > before).await;
    }

    /// Somebody sets a number of an object, as `manager`.
    async fn set(&self, path: &str, manager: &str, body: &Value) {
        let path = format!("{path}?fieldManager={manager}");
        self.kubernetes.admin().patch(&path, Patch::Merge, body).await.ok();
    }

    /// The Events that Damper wrote about an object.
    async fn events(&self, name: &str, reason: &str) -> Vec<Value> {
        let all = self.kubernetes.admin().get("/apis/events.k8s.io/v1/namespaces/shop/events").await.ok();
        let ours = |event: &&Value| event["regarding"]["name"] == *name && event["reason"] == *reason;
        all["items"].as_array().unwrap().iter().filter(ours).cloned().collect()
    }

    /// Waits until the receiver was told of a policy under this name, and gives the alert's summary.
    async fn told(&self, policy: &str, alert: &str) -> String {
        let is = |request: &Request| {
            let labels = &request.json()["alerts"][0]["labels"];
            labels["alertname"] == *alert && labels["policy"] == *policy
        };
        let request = self.shop.receiver.wait_for(SOON, &format!("{alert} of {policy}"), is).await;
        request.json()["alerts"][0]["annotations"]["summary"].as_str().unwrap().to_owned()
    }

    /// Damper asked for nothing that it may not.
    fn was_refused_nothing(&self) {
        let (asked, refused) = self.kubernetes.asked(self.role);
        assert!(!asked.is_empty() && refused.is_empty(), "{refused:?} of {asked:?}");
    }
}

/// The lines of a kind in a policy's history.
fn lines<'a>(view: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    view["history"].as_array().into_iter().flatten().filter(move |line| line["kind"] == kind)
}

/// The body that sets a count.
fn replicas(to: u32) -> Value {
    json!({"spec": {"replicas": to}})
}
