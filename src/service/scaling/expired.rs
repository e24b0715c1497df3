//! Floors that nobody means any more. A raised floor says on its object until when it is meant; who
//! means it says so anew long before that. What is past it was left by a Damper that is gone, or by a
//! policy that is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::state::Scaling;
use crate::cluster::{Actuators, Fault, KubernetesSettings, Raised, Released};
use crate::engine::plan::Plan;
use crate::service::clock;
use crate::service::shared::Shared;
use crate::slo::policy::{ScaleMode, ScalePolicy, Target};
use crate::slo::time::Ts;

/// How often it is looked for them.
const EVERY: Duration = Duration::from_hours(1);
/// How long that may take.
const LONGEST: Duration = Duration::from_secs(20);

/// Looks for them when its time has come, for the first time right after the first round.
pub(super) async fn put_back(shared: &Shared, actuators: &Actuators, looked: &mut Option<Instant>) {
    let is_due = looked.is_none_or(|at| at.elapsed() >= EVERY);
    if !is_due || shared.epoch().is_none() || !is_used(shared) || super::stopped(shared).is_some() {
        return;
    }
    *looked = Some(Instant::now());
    if tokio::time::timeout(LONGEST, put_back_all(shared, actuators)).await.is_err() {
        tracing::warn!("floors past their time were not all looked at: no answer in time");
    }
}

/// Whether there is a cluster to look at: nobody is logged in to one that only happens to be configured
/// on this machine.
fn is_used(shared: &Shared) -> bool {
    let is_aimed = |policy: &Arc<ScalePolicy>| matches!(policy.target, Target::Kubernetes { .. });
    shared.settings.scaling.kubernetes != KubernetesSettings::default()
        || shared.world.read().plan.policies.iter().any(is_aimed)
}

async fn put_back_all(shared: &Shared, actuators: &Actuators) {
    let Some(kubernetes) = &actuators.kubernetes else { return };
    let plan = Arc::clone(&shared.world.read().plan);
    let own = Own::of(&plan, &shared.scaling.read(), shared.settings.scaling.mode);
    let now = clock::now();
    let chosen = |raised: &Raised| own.is_left(raised, now);
    let (mut outcomes, mut faults) = kubernetes.release_all(&[], chosen).await;
    // Where it may not look everywhere, at least where its policies are.
    if !faults.is_empty() && !own.namespaces.is_empty() {
        let namespaces: Vec<String> = own.namespaces.iter().cloned().collect();
        let (more, still) = kubernetes.release_all(&namespaces, chosen).await;
        outcomes.extend(more);
        faults = still;
    }
    for fault in faults {
        tracing::warn!(%fault, "floors past their time cannot be looked for everywhere");
    }
    for (raised, outcome) in &outcomes {
        tell(raised, outcome);
    }
}

fn tell(Raised { object, by, at, .. }: &Raised, outcome: &Result<Released, Fault>) {
    match outcome {
        Ok(released) => tracing::info!(object, by, at, ?released, "a floor past its time is put back"),
        Err(fault) => tracing::warn!(object, by, at, %fault, "a floor past its time is not put back"),
    }
}

/// What this Damper knows of floors.
struct Own {
    /// Policies in force.
    defined: BTreeSet<String>,
    /// Those of them that hold a floor up.
    meant: BTreeSet<String>,
    /// Where they are.
    namespaces: BTreeSet<String>,
    mode: ScaleMode,
}

impl Own {
    fn of(plan: &Plan, scaling: &Scaling, mode: ScaleMode) -> Self {
        let is_meant = |policy: &&Arc<ScalePolicy>| {
            let kept = scaling.policies.get(&super::id(policy));
            policy.mode == ScaleMode::Auto && kept.is_some_and(|kept| kept.state.raised().is_some())
        };
        let names = |policy: &Arc<ScalePolicy>| policy.name.clone();
        // Nobody removed a policy that cannot be read any more.
        let held = plan.held_policies.iter().cloned();
        let targets = plan.policies.iter().map(|policy| &policy.target);
        let targets = targets.chain(scaling.policies.values().map(|kept| &kept.target));
        let namespace = |target: &Target| match target {
            Target::Kubernetes { namespace, .. } => Some(namespace.clone()),
            Target::Webhook { .. } => None,
        };
        Self {
            defined: plan.policies.iter().map(names).collect(),
            meant: plan.policies.iter().filter(is_meant).map(names).chain(held).collect(),
            namespaces: targets.filter_map(namespace).collect(),
            mode,
        }
    }

    /// Whether nobody means a floor any more.
    ///
    /// Only one that is past its time: of a policy that is not known here another Damper may have
    /// raised it, and that one renews it every quarter of an hour for an hour. A floor of ours is past
    /// it too after two hours in which Damper was down, or in which the cluster did not answer; as
    /// long as the policy acts and its state in the store says that it stands where the policy
    /// brought it, it is meant all the same, and is renewed with the next look. What is left are
    /// policies that are gone, act no more, or forgot. One whose time nobody can read stays. A Damper
    /// that acts on nothing puts back only what policies of its own names raised while they acted.
    fn is_left(&self, raised: &Raised, now: Ts) -> bool {
        let is_past = raised.until.is_some_and(|until| until < now);
        let is_ours = self.mode == ScaleMode::Auto || self.defined.contains(&raised.by);
        is_past && is_ours && !self.meant.contains(&raised.by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::scale::{Intent, State};
    use crate::service::scaling::state::Kept;
    use crate::service::testing::{plan, policy, slo};
    use crate::slo::time::Step;
    use crate::slo::{Context, SourceFile, load};

    const NOW: Ts = Ts(1_790_000_000);

    fn raised(by: &str, until: Option<i64>) -> Raised {
        Raised {
            object: "HorizontalPodAutoscaler shop/x".into(),
            namespace: "shop".into(),
            by: by.into(),
            until: until.map(|after| Ts(NOW.0 + after)),
            at: 5,
            original: Some(2),
            is_moved: false,
        }
    }

    /// `web` holds a floor up, `idle` does not; both are defined.
    fn own(mode: ScaleMode) -> Own {
        let files = [("a", slo("one")), ("b", policy("web", "one")), ("c", policy("idle", "one"))];
        let files = files.map(|(path, text)| {
            let text = text.replace("  replicas:", "  mode: auto\n  saturation: none\n  replicas:");
            SourceFile { path: path.into(), text }
        });
        let loaded = load(&files, &Context::without_settings(Step::DEFAULT));
        let limited = |policy: &ScalePolicy| match mode {
            ScaleMode::Auto => Arc::new(policy.clone()),
            ScaleMode::DryRun => Arc::new(ScalePolicy { mode, ..policy.clone() }),
        };
        let policies: Vec<_> = loaded.policies().map(limited).collect();
        assert_eq!(policies.len(), 2, "{loaded:?}");
        let last = Intent { at: NOW, from: 2, to: 5, until: NOW };
        let up = State { base: Some(2), seen: Some(5), last: Some(last), ..State::default() };
        let kept = |policy: &Arc<ScalePolicy>| {
            let state = if policy.name == "web" { up.clone() } else { State::default() };
            (super::super::id(policy), Kept::of(state, policy.target.clone()))
        };
        let scaling = Scaling { policies: policies.iter().map(kept).collect(), ..Scaling::default() };
        let held_policies = vec!["broken".to_owned()];
        Own::of(&Plan { policies, held_policies, ..plan(&slo("one")) }, &scaling, mode)
    }

    #[test]
    fn only_what_is_past_its_time_and_means_nothing_to_us_is_put_back() {
        let own = own(ScaleMode::Auto);
        assert!(own.is_left(&raised("gone", Some(-1)), NOW));
        assert!(!own.is_left(&raised("gone", Some(1)), NOW), "another Damper renews it");
        assert!(!own.is_left(&raised("gone", None), NOW), "nobody can read until when");
        assert!(!own.is_left(&raised("web", Some(-7200)), NOW), "we were down for two hours");
        assert!(own.is_left(&raised("idle", Some(-1)), NOW), "the store forgot it");
        assert!(!own.is_left(&raised("broken", Some(-1)), NOW), "nobody removed it");
        assert_eq!(own.namespaces.iter().collect::<Vec<_>>(), ["shop"]);
    }

    #[test]
    fn a_dry_run_puts_back_its_own_alone() {
        let own = own(ScaleMode::DryRun);
        assert!(!own.is_left(&raised("gone", Some(-1)), NOW));
        assert!(own.is_left(&raised("web", Some(-1)), NOW), "it acts no more, so nobody renews it");
    }
}
