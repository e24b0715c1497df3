//! `damper check --kube`: what only the cluster, or the service behind an actuator, can tell about
//! scale policies.
//!
//! | file       | asks                                                                  |
//! |------------|-----------------------------------------------------------------------|
//! | `target`   | is it there, who owns its count, what stands in the way               |
//! | `rights`   | may Damper do what it does there                                      |
//! | `actuator` | does the service of a webhook target know it                          |
//! | `workload` | what was found, for people and programs                               |
//!
//! Nothing is written, not even tried.

mod actuator;
mod rights;
mod target;
mod workload;

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::place::Findings;
use super::{Checked, policies};
use crate::cluster::kubernetes::Kubernetes;
use crate::cluster::{ActuatorConfig, KubernetesSettings};
use crate::service::clock;
use crate::slo::policy::{ScaleMode, Target};
use rights::Known;
pub use workload::Workload;

/// Whom to ask.
#[derive(Debug)]
pub struct Asks {
    /// Where the cluster is written: `--kubeconfig`, or a key of the settings.
    pub at: &'static str,
    /// The cluster.
    pub kubernetes: KubernetesSettings,
    /// The actuators of the settings; `None` without settings.
    pub actuators: Option<Vec<ActuatorConfig>>,
    /// The most that a policy's own mode can do.
    pub most: ScaleMode,
}

/// What was said.
#[derive(Debug, Default)]
pub struct Kube {
    /// What was found of each policy's workload, by the policy's name.
    pub policies: BTreeMap<String, Workload>,
    /// Why the rest was not asked; the files themselves were checked.
    pub gave_up: Option<String>,
}

/// Asks about every good policy; problems are added to `checked`.
pub async fn ask(checked: &mut Checked, asks: &Asks) {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    // Watches that a look begins end with it.
    let _stop = stop.clone().drop_guard();
    let mut kube = Kube::default();
    let is_there = |target: &Target| matches!(target, Target::Kubernetes { .. });
    let mut cluster = None;
    if checked.loaded.policies().any(|policy| is_there(&policy.target)) {
        match greeted(asks, &tasks, &stop).await {
            Ok(found) => cluster = Some(found),
            Err(why) => kube.gave_up = Some(why),
        }
    }
    let mut known = Known::default();
    let mut problems = Vec::new();
    for (document, policy) in policies(&checked.loaded) {
        let mut findings = Findings::about(document, &policy.name);
        let found = match (&policy.target, &cluster) {
            (Target::Kubernetes { .. }, None) => continue,
            (Target::Kubernetes { .. }, Some(cluster)) => {
                let acts = policy.mode == ScaleMode::Auto && asks.most == ScaleMode::Auto;
                target::check(cluster, &mut known, policy, acts, &mut findings).await
            }
            (Target::Webhook { actuator, name }, _) => {
                Ok(actuator::check(asks.actuators.as_deref(), actuator, name, &mut findings).await)
            }
        };
        problems.extend(findings.finish());
        match found {
            Ok(found) => kube.policies.extend(found.map(|found| (policy.name.clone(), found))),
            Err(fault) => {
                kube.gave_up = Some(fault.to_string());
                cluster = None;
            }
        }
    }
    checked.more.extend(problems);
    checked.kube = Some(kube);
}

async fn greeted(asks: &Asks, tasks: &TaskTracker, stop: &CancellationToken) -> Result<Kubernetes, String> {
    let cluster = Kubernetes::connect(asks.at, &asks.kubernetes, clock::now, tasks, stop).await;
    let cluster = cluster.map_err(|problem| problem.to_string())?;
    cluster.greet().await.map_err(|fault| fault.to_string())?;
    Ok(cluster)
}
