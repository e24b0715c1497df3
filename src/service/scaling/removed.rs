//! Floors that are put back: of policies that are not defined any more, where somebody asks for it,
//! and when Damper ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::commands::Commands;
use super::fair::fairly;
use super::state::Kept;
use super::{keep, stopped};
use crate::cluster::{Actuators, Released};
use crate::engine::plan::Plan;
use crate::engine::scale::State;
use crate::engine::step::Delta;
use crate::service::decide::commit;
use crate::service::shared::Shared;
use crate::slo::policy::{ScaleMode, ScalePolicy, Target};
use crate::store::{Decisions, StoreError};

/// How long all that is put back at one time may take.
const LONGEST: Duration = Duration::from_secs(12);

/// Puts back what people asked to be, and what was raised by policies that only rehearse now; gives the
/// policies whose floor is not back yet.
pub(super) async fn release(
    shared: &Shared,
    actuators: &Actuators,
    plan: &Plan,
    commands: &Commands,
) -> BTreeSet<String> {
    let asked: BTreeSet<&str> = commands.released().collect();
    let stopped = stopped(shared).is_some();
    let is_due = |policy: &&Arc<ScalePolicy>| {
        let scaling = shared.scaling.read();
        scaling.policies.get(&keep::id(policy)).is_some_and(|kept| {
            let rehearses = policy.mode == ScaleMode::DryRun && !stopped;
            asked.contains(policy.name.as_str()) || rehearses && holds_up(&kept.state)
        })
    };
    let end = Instant::now() + LONGEST;
    let one = async |policy: &ScalePolicy| {
        let is_back = put_back(actuators, &policy.name, &policy.target, end).await;
        (!is_back).then(|| policy.name.clone())
    };
    let due = plan.policies.iter().filter(is_due);
    let late = fairly(due.map(|policy| (policy.target.actuator(), one(policy)))).await;
    late.into_iter().flatten().collect()
}

/// Whether a floor is up because Damper raised it.
fn holds_up(state: &State) -> bool {
    state.owner.is_some() && state.raised().is_some()
}

/// Puts back what policies raised that are gone, and forgets them once that is done.
pub(super) async fn forget(
    shared: &Shared,
    actuators: &Actuators,
    epoch: i64,
    plan: &Plan,
) -> Result<(), StoreError> {
    if stopped(shared).is_some() {
        return Ok(());
    }
    let defined: BTreeSet<String> = plan.policies.iter().map(|policy| keep::id(policy)).collect();
    let left: Vec<(String, Kept)> = {
        let scaling = shared.scaling.read();
        let kept = scaling.policies.iter().map(|(name, kept)| (name.clone(), kept.clone()));
        kept.filter(|(id, _)| !defined.contains(id) && !is_held(plan, id)).collect()
    };
    let taken: BTreeSet<[&str; 4]> = plan.policies.iter().map(|policy| policy.target.workload()).collect();
    let now = shared.world.read().now();
    let (mut gone, mut let_go) = (Vec::new(), Vec::new());
    let end = Instant::now() + LONGEST;
    for (id, kept) in left {
        // An API that hangs keeps no other policy waiting; what is left is put back after the next round.
        if Instant::now() >= end {
            break;
        }
        if taken.contains(&kept.target.workload()) {
            // Another policy goes on with what it raised.
            gone.push(id);
        } else if is_let_go(&kept.state) || put_back(actuators, &id, &kept.target, end).await {
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
    let forgotten = Decisions { removed, states, ..Decisions::default() };
    during!("forgetting a policy", commit(shared, epoch, &Delta::default(), forgotten)).await?;
    let mut scaling = shared.scaling.write();
    scaling.in_doubt = false;
    scaling.policies.retain(|name, _| !gone.contains(name));
    scaling.policies.extend(let_go);
    Ok(())
}

/// Whether it is a policy that is defined, though nobody can read how: nobody removed it.
fn is_held(plan: &Plan, id: &str) -> bool {
    keep::name_of(id).is_some_and(|name| plan.held_policies.iter().any(|held| held == name))
}

/// Whether all that is remembered is when it was written.
fn is_let_go(state: &State) -> bool {
    *state == state.let_go()
}

/// Puts back every floor that any policy raised, as far as there is time. Whoever leads next holds them
/// up, so a process that was replaced leaves them alone.
pub(super) async fn release_all(shared: &Shared, actuators: &Actuators) {
    if shared.epoch().is_none() {
        return;
    }
    let mut all: Vec<(String, Kept)> = {
        let scaling = shared.scaling.read();
        scaling.policies.iter().map(|(name, kept)| (name.clone(), kept.clone())).collect()
    };
    // Those that are known to be up come first; of the others a store that was lost may not know.
    all.sort_by_key(|(_, kept)| kept.state.raised().is_none());
    let end = Instant::now() + LONGEST;
    let each =
        all.iter().map(|(name, kept)| (kept.target.actuator(), put_back(actuators, name, &kept.target, end)));
    fairly(each).await;
}

async fn put_back(actuators: &Actuators, policy: &str, target: &Target, end: Instant) -> bool {
    let released = tokio::time::timeout_at(end, actuators.release(target)).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::clock;
    use crate::service::scaling::restore;
    use crate::service::testing::Service;
    use crate::slo::time::Span;
    use crate::store::StatePut;

    /// A service whose store knows a policy on a workload behind a webhook that is defined no more.
    async fn left(cooldown: Span) -> Service {
        let service = Service::start().await;
        let target = Target::Webhook { actuator: "local".into(), name: "shop".into() };
        let now = clock::now();
        let state = State {
            base: Some(3),
            seen: Some(5),
            cooldown_until: Some(now.plus(cooldown)),
            writes: vec![now],
            ..State::default()
        };
        let put: StatePut = keep::kept("shop at local of web", &Kept::of(state, target)).unwrap();
        let decided = Decisions { states: vec![put], ..Decisions::default() };
        service.shared.store.commit(service.shared.epoch().unwrap(), &decided).await.unwrap();
        restore(&service.shared).await.unwrap();
        service
    }

    async fn forgotten(service: &Service) -> Vec<State> {
        let epoch = service.shared.epoch().unwrap();
        forget(&service.shared, &Actuators::default(), epoch, &Plan::default()).await.unwrap();
        let in_memory: Vec<State> = states(service);
        restore(&service.shared).await.unwrap();
        assert_eq!(states(service), in_memory, "the store knows the same");
        in_memory
    }

    fn states(service: &Service) -> Vec<State> {
        service.shared.scaling.read().policies.values().map(|kept| kept.state.clone()).collect()
    }

    #[tokio::test]
    async fn a_policy_that_is_gone_is_forgotten_with_nothing_to_put_back_behind_a_webhook() {
        assert_eq!(forgotten(&left(Span::ZERO).await).await.len(), 1, "the clocks of two leaders differ");
        let service = left(Span::ZERO).await;
        for kept in service.shared.scaling.write().policies.values_mut() {
            kept.state.cooldown_until = Some(clock::now().minus(Span::from_mins(1)));
        }
        assert_eq!(forgotten(&service).await, []);
    }

    #[tokio::test]
    async fn a_policy_that_nobody_can_read_any_more_is_not_gone() {
        let service = left(Span::ZERO).await;
        let plan = Plan { held_policies: vec!["web".to_owned()], ..Plan::default() };
        let before = states(&service);
        let epoch = service.shared.epoch().unwrap();
        forget(&service.shared, &Actuators::default(), epoch, &plan).await.unwrap();
        assert_eq!((states(&service), before[0].base), (before.clone(), Some(3)));
    }

    #[tokio::test]
    async fn its_cooldown_is_kept_until_it_is_over_and_what_it_raised_is_not() {
        let service = left(Span::from_mins(3)).await;
        for _ in 0..2 {
            let [state] = &forgotten(&service).await[..] else { panic!("one policy") };
            assert!(state.is_cooling(clock::now()) && state.writes.len() == 1);
            assert_eq!((state.base, state.seen), (None, None));
        }
    }
}
