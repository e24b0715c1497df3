//! The rights that are shipped against what Damper asks for: none is missing, and none is for nothing.

use std::time::{Duration, Instant};

use damper::cluster::kubernetes::Kubernetes as Actuator;
use damper::cluster::{Fault, Remark};
use damper::slo::policy::Target;
use damper::slo::time::Ts;

use super::{LIMIT, count, hands, order, seen, shop, target};
use crate::support::kubernetes::Kubernetes;
use crate::support::kubernetes::audit::granted;
use crate::support::kubernetes::objects::{self, CUSTOM, deployment, rollout, stateful_set};
use crate::support::wait::pass;

/// Workloads that nobody owns, and two that an autoscaler does.
async fn workloads(kubernetes: &Kubernetes) -> ([Target; 3], [Target; 2]) {
    kubernetes.define(CUSTOM).await;
    let (cart, search) = (deployment("shop", "cart", 2), deployment("shop", "search", 2));
    for object in [
        &deployment("shop", "checkout", 2),
        &stateful_set("shop", "queue", 2),
        &rollout("shop", "canary", 2),
        &cart,
        &search,
        &objects::autoscaler("shop", "cart", &cart, 2, 6),
        &objects::scaled_object("shop", "search", &search, 2, 6),
    ] {
        kubernetes.admin().create(object).await.ok();
    }
    let free = [
        target("apps/v1", "Deployment", "checkout"),
        target("apps/v1", "StatefulSet", "queue"),
        target("argoproj.io/v1alpha1", "Rollout", "canary"),
    ];
    (free, ["cart", "search"].map(|name| target("apps/v1", "Deployment", name)))
}

#[tokio::test]
async fn every_right_that_is_shipped_is_used_and_none_is_missing() {
    let kubernetes = shop().await;
    let (free, owned) = workloads(&kubernetes).await;
    for role in ["observe", "floor", "direct"] {
        let (damper, _stop) = hands(&kubernetes, role).await;
        for target in [&free[0], &free[1], &owned[0], &owned[1]] {
            seen(&damper, target, "its version", |found| found.version.is_some()).await;
        }
        match role {
            "direct" => scale(&damper, &free).await,
            "floor" => raise(&damper, &owned).await,
            _ => {}
        }
        let mut unused = granted(role);
        let began = Instant::now();
        while !unused.is_empty() {
            assert!(began.elapsed() < LIMIT, "{role} has rights for nothing: {unused:?}");
            for target in free.iter().chain(&owned) {
                damper.look(target).await.unwrap();
            }
            pass(Duration::from_millis(200)).await;
            let (asked, refused) = kubernetes.asked(role);
            assert!(refused.is_empty(), "{role} may not {refused:?}");
            unused.retain(|right| !asked.contains(right));
        }
        let (asked, granted) = (kubernetes.asked(role).0, granted(role));
        let more: Vec<_> = asked.difference(&granted).collect();
        assert!(more.is_empty(), "{role} asks for more: {more:?}");
    }
}

async fn scale(damper: &Actuator, targets: &[Target]) {
    for target in targets {
        // Somebody was faster: it looks where the count stands.
        let late = damper.write(target, &count(7, 8)).await;
        assert!(matches!(&late, Err(Fault::Conflict { .. })), "{late:?}");
        let found = damper.look(target).await.unwrap();
        damper.write(target, &order(&found, 3)).await.unwrap();
        tell(damper, target).await;
    }
}

async fn raise(damper: &Actuator, targets: &[Target]) {
    for target in targets {
        let found = damper.look(target).await.unwrap();
        damper.write(target, &order(&found, 3)).await.unwrap();
        damper.release(target).await.unwrap();
        tell(damper, target).await;
    }
}

async fn tell(damper: &Actuator, target: &Target) {
    let own = |text: &str| text.to_owned();
    let remark = Remark {
        reason: own("SLOHold"),
        action: own("Hold"),
        note: own("no room"),
        is_warning: true,
        at: Ts(1_780_000_000),
    };
    damper.tell(target, &remark).await.unwrap();
}
