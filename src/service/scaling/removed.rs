//! Floors that are put back: of policies that are not defined any more, where somebody asks for it,
//! and when Damper ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::commands::Commands;
use super::keep;
use crate::cluster::{Actuators, Released};
use crate::engine::plan::Plan;
use crate::engine::step::Delta;
use crate::service::decide::commit;
use crate::service::shared::Shared;
use crate::slo::policy::Target;
use crate::store::{Decisions, StoreError};

/// How long one floor may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Puts back what policies raised that are gone or were asked to; a gone one is forgotten once that
/// is done.
pub(super) async fn release(
    shared: &Shared,
    actuators: &Actuators,
    epoch: i64,
    plan: &Plan,
    commands: &Commands,
) -> Result<(), StoreError> {
    let defined: BTreeSet<String> = plan.policies.iter().map(|policy| keep::id(policy)).collect();
    let asked: BTreeSet<&str> = commands.released().collect();
    let asked = plan.policies.iter().filter(|policy| asked.contains(policy.name.as_str()));
    let asked: BTreeSet<String> = asked.map(|policy| keep::id(policy)).collect();
    let all: Vec<(String, Target)> = {
        let scaling = shared.scaling.read();
        let kept = scaling.policies.iter().map(|(name, kept)| (name.clone(), kept.target.clone()));
        kept.filter(|(id, _)| !defined.contains(id) || asked.contains(id)).collect()
    };
    let mut gone = Vec::new();
    for (id, target) in all {
        if put_back(actuators, &id, &target).await && !defined.contains(&id) {
            gone.push(id);
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    let removed = gone.iter().map(|id| keep::key(id)).collect();
    shared.scaling.write().in_doubt = true;
    commit(shared, epoch, &Delta::default(), Decisions { removed, ..Decisions::default() }).await?;
    let mut scaling = shared.scaling.write();
    scaling.in_doubt = false;
    scaling.policies.retain(|name, _| !gone.contains(name));
    Ok(())
}

/// Puts back every floor that any policy raised.
pub(super) async fn release_all(shared: &Arc<Shared>, actuators: &Arc<Actuators>) {
    let all: Vec<(String, Target)> = {
        let scaling = shared.scaling.read();
        scaling.policies.iter().map(|(name, kept)| (name.clone(), kept.target.clone())).collect()
    };
    for (name, target) in all {
        put_back(actuators, &name, &target).await;
    }
}

async fn put_back(actuators: &Actuators, policy: &str, target: &Target) -> bool {
    let released = tokio::time::timeout(LONGEST, actuators.release(target)).await;
    match released {
        Ok(Ok(Released::Nothing)) => true,
        Ok(Ok(released)) => {
            tracing::info!(policy, ?released, "the floor that was raised is put back");
            true
        }
        Ok(Err(error)) => {
            tracing::warn!(policy, %error, "the floor that was raised is not put back yet");
            false
        }
        Err(_) => {
            tracing::warn!(policy, "the floor that was raised is not put back yet: no answer in time");
            false
        }
    }
}
