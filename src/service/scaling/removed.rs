//! Floors that are put back: of policies that are not defined any more, where somebody asks for it,
//! and when Damper ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::Instant;

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

/// Floors put back at once.
const AT_ONCE: usize = 8;
/// How long one floor may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Puts back what people asked to be; gives the policies whose floor is not back yet.
pub(super) async fn release(
    shared: &Shared,
    actuators: &Actuators,
    plan: &Plan,
    commands: &Commands,
) -> BTreeSet<String> {
    let asked: BTreeSet<&str> = commands.released().collect();
    let asked = plan.policies.iter().filter(|policy| asked.contains(policy.name.as_str()));
    let asked = asked.filter(|policy| shared.scaling.read().policies.contains_key(&keep::id(policy)));
    let asked: Vec<(&String, &Target)> = asked.map(|policy| (&policy.name, &policy.target)).collect();
    let each = asked.iter().map(|(name, target)| async move {
        let is_back = put_back(actuators, name, target).await;
        (!is_back).then(|| (*name).clone())
    });
    let each: Vec<_> = each.collect();
    let late = futures_util::stream::iter(each).buffer_unordered(AT_ONCE);
    late.filter_map(std::future::ready).collect().await
}

/// Puts back what policies raised that are gone, and forgets them once that is done.
pub(super) async fn forget(
    shared: &Shared,
    actuators: &Actuators,
    epoch: i64,
    plan: &Plan,
) -> Result<(), StoreError> {
    let defined: BTreeSet<String> = plan.policies.iter().map(|policy| keep::id(policy)).collect();
    let left: Vec<(String, Kept)> = {
        let scaling = shared.scaling.read();
        let kept = scaling.policies.iter().map(|(name, kept)| (name.clone(), kept.clone()));
        kept.filter(|(id, _)| !defined.contains(id)).collect()
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
    put_back_all(actuators, all.iter().map(|(name, target)| (name, target))).await;
}

async fn put_back_all<'a>(actuators: &Actuators, all: impl Iterator<Item = (&'a String, &'a Target)>) {
    let each = all.map(|(policy, target)| put_back(actuators, policy, target));
    let each: Vec<_> = each.collect();
    futures_util::stream::iter(each).buffer_unordered(AT_ONCE).collect::<Vec<bool>>().await;
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
    async fn its_cooldown_is_kept_until_it_is_over_and_what_it_raised_is_not() {
        let service = left(Span::from_mins(3)).await;
        for _ in 0..2 {
            let [state] = &forgotten(&service).await[..] else { panic!("one policy") };
            assert!(state.is_cooling(clock::now()) && state.writes.len() == 1);
            assert_eq!((state.base, state.seen), (None, None));
        }
    }
}
