//! Floors that are put back: of policies that are not defined any more, where somebody asks for it,
//! and when Damper ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::commands::Commands;
use super::keep;
use super::state::Kept;
use crate::cluster::{Actuators, Released};
use crate::engine::plan::Plan;
use crate::engine::scale::State;
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
    let all: Vec<(String, Kept)> = {
        let scaling = shared.scaling.read();
        let kept = scaling.policies.iter().map(|(name, kept)| (name.clone(), kept.clone()));
        kept.filter(|(id, _)| !defined.contains(id) || asked.contains(id)).collect()
    };
    let taken: BTreeSet<[&str; 4]> = plan.policies.iter().map(|policy| policy.target.workload()).collect();
    let now = shared.world.read().now();
    let (mut gone, mut let_go) = (Vec::new(), Vec::new());
    for (id, kept) in all {
        if defined.contains(&id) {
            put_back(actuators, &id, &kept.target).await;
        } else if taken.contains(&kept.target.workload()) {
            // Another policy goes on with what it raised.
            gone.push(id);
        } else if is_let_go(&kept.state) || put_back(actuators, &id, &kept.target).await {
            // Whoever defines one for this workload again soon still has to wait.
            match kept.state.is_cooling(now) {
                true => let_go.push((id, Kept { state: kept.state.let_go(), ..kept })),
                false => gone.push(id),
            }
        }
    }
    let_go.retain(|(id, kept)| shared.scaling.read().policies.get(id).is_none_or(|k| k.state != kept.state));
    if gone.is_empty() && let_go.is_empty() {
        return Ok(());
    }
    let removed = gone.iter().map(|id| keep::key(id)).collect();
    let states = let_go.iter().filter_map(|(id, kept)| keep::kept(id, kept)).collect();
    shared.scaling.write().in_doubt = true;
    commit(shared, epoch, &Delta::default(), Decisions { removed, states, ..Decisions::default() }).await?;
    let mut scaling = shared.scaling.write();
    scaling.in_doubt = false;
    scaling.policies.retain(|name, _| !gone.contains(name));
    scaling.policies.extend(let_go);
    Ok(())
}

/// Whether all that is remembered is when it was written.
fn is_let_go(state: &State) -> bool {
    *state == state.let_go()
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
