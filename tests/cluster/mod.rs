//! Damper's hands on a real Kubernetes, with the rights that are shipped and no more.

mod direct;
mod faults;
mod floor;
mod keda;
mod login;
mod rights;

use std::time::Duration;

use damper::cluster::kubernetes::Kubernetes as Actuator;
use damper::cluster::{KubernetesSettings, Order};
use damper::engine::scale::{Lever, Workload};
use damper::slo::policy::Target;
use damper::slo::time::Ts;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::support::kubernetes::Kubernetes;
use crate::support::kubernetes::client::Patch;
use crate::support::wait_until;

const LIMIT: Duration = Duration::from_secs(60);
const SHOP: &str = "/apis/apps/v1/namespaces/shop";
const AUTOSCALERS: &str = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers";
const SCALED_OBJECTS: &str = "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects";

async fn shop() -> Kubernetes {
    let kubernetes = Kubernetes::start().await;
    kubernetes.namespace("shop").await;
    kubernetes
}

/// An actuator in a role, and what ends its watches.
async fn hands(kubernetes: &Kubernetes, role: &str) -> (Actuator, DropGuard) {
    let settings = KubernetesSettings { kubeconfig: Some(kubernetes.kubeconfig(role)), context: None };
    let stop = CancellationToken::new();
    let actuator = Actuator::connect(
        "scaling.kubernetes",
        &settings,
        damper::service::clock::now,
        &TaskTracker::new(),
        &stop,
    )
    .await
    .unwrap();
    (actuator, stop.drop_guard())
}

fn target(api_version: &str, kind: &str, name: &str) -> Target {
    let own = |text: &str| text.to_owned();
    Target::Kubernetes {
        api_version: own(api_version),
        kind: own(kind),
        namespace: own("shop"),
        name: own(name),
    }
}

fn checkout() -> Target {
    target("apps/v1", "Deployment", "checkout")
}

/// A move of what was seen.
fn order(seen: &Workload, to: u32) -> Order {
    let (lever, from) = (seen.lever.clone(), seen.position());
    Order { id: "x".into(), policy: "checkout".into(), lever, from, to, until: Ts(1_900_000_000) }
}

fn count(from: u32, to: u32) -> Order {
    Order {
        id: "x".into(),
        policy: "checkout".into(),
        lever: Lever::Count,
        from,
        to,
        until: Ts(1_900_000_000),
    }
}

/// Waits until a look satisfies `is`.
async fn seen(actuator: &Actuator, target: &Target, what: &str, is: impl Fn(&Workload) -> bool) -> Workload {
    wait_until(LIMIT, what, async || actuator.look(target).await.ok().filter(&is)).await
}

/// Somebody else sets a number.
async fn set(kubernetes: &Kubernetes, path: &str, pointer: &str, to: u32) {
    let patch = json!([{"op": "add", "path": pointer, "value": to}]);
    kubernetes.admin().patch(path, Patch::Json, &patch).await.ok();
}

async fn number(kubernetes: &Kubernetes, path: &str, pointer: &str) -> Option<u64> {
    kubernetes.admin().get(path).await.ok().pointer(pointer).and_then(Value::as_u64)
}
