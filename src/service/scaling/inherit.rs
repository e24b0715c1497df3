//! What a policy remembers begins with what was known of its workload: a policy that takes another
//! one's place, under another name or in another file, takes its cooldown and what it raised with it.

use std::collections::BTreeSet;

use super::keep::id;
use super::state::{Kept, Scaling};
use crate::engine::plan::Plan;
use crate::engine::scale::{Observed, State};
use crate::slo::policy::ScalePolicy;

/// The states of a plan's policies before a round, in their order.
pub(super) fn states(plan: &Plan, scaling: &Scaling) -> Vec<State> {
    let defined: BTreeSet<String> = plan.policies.iter().map(|policy| id(policy)).collect();
    let state = |policy: &ScalePolicy| {
        let own = scaling.policies.get(&id(policy)).map(|kept| kept.state.clone()).unwrap_or_default();
        if own.seen.is_some() {
            return own;
        }
        let of_it = |kept: &&Kept| kept.target.workload() == policy.target.workload();
        let gone = scaling.policies.iter().filter(|(id, _)| !defined.contains(*id)).map(|(_, kept)| kept);
        // The one that wrote last, should there be several.
        let before = gone.filter(of_it).max_by_key(|kept| kept.state.cooldown_until);
        before.map_or(own.clone(), |before| {
            let paused = own.paused || before.state.paused;
            let cooldown_until = own.cooldown_until.max(before.state.cooldown_until);
            State { paused, cooldown_until, ..before.state.clone() }
        })
    };
    plan.policies.iter().map(|policy| state(policy)).collect()
}

/// Whether a decision begins or goes on with what a policy remembers. One that never fitted waits: the
/// policy whose place it is to take is still there, and so is what that one raised.
pub(super) fn may_begin(observed: &Observed, before: &State) -> bool {
    observed.misfit.is_none() || before.seen.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing;
    use crate::slo::policy::Target;
    use crate::slo::time::{Step, Ts};
    use crate::slo::{Context, SourceFile, load_accepted};

    fn policy(name: &str, workload: &str) -> ScalePolicy {
        let text = testing::policy(name, "one");
        let text = text.replace(&format!("shop, name: {name}"), &format!("shop, name: {workload}"));
        let context = Context::without_settings(Step::DEFAULT);
        let loaded = load_accepted(&SourceFile { path: "p".into(), text }, &context);
        loaded.policies().next().unwrap().clone()
    }

    fn plan(policies: &[ScalePolicy]) -> Plan {
        let policies = policies.iter().cloned().map(std::sync::Arc::new).collect();
        Plan { policies, ..Plan::default() }
    }

    fn kept(policy: &ScalePolicy, state: State) -> (String, Kept) {
        (id(policy), Kept::of(state, policy.target.clone()))
    }

    /// After an action.
    fn acted() -> State {
        State { base: Some(3), seen: Some(5), cooldown_until: Some(Ts(900)), ..State::default() }
    }

    #[test]
    fn a_policy_that_takes_anothers_place_takes_its_cooldown_once_that_one_is_gone() {
        let (old, new, other) = (policy("web", "web"), policy("shop-web", "web"), policy("cart", "cart"));
        let known = |own: State| Scaling {
            policies: [kept(&old, acted()), kept(&new, own)].into(),
            ..Scaling::default()
        };
        // Both are in force while it is not settled that the old one is gone.
        let both = plan(&[old.clone(), new.clone()]);
        assert_eq!(states(&both, &known(State::default())), [acted(), State::default()]);
        let alone = plan(&[new.clone(), other]);
        assert_eq!(states(&alone, &known(State::default())), [acted(), State::default()]);
        let paused = State { paused: true, ..State::default() };
        assert!(states(&alone, &known(paused))[0].paused, "what was said to the new one holds");
        let own = State { seen: Some(7), ..State::default() };
        assert_eq!(states(&alone, &known(own.clone())), [own, State::default()]);
    }

    #[test]
    fn another_version_of_the_same_kind_is_the_same_workload() {
        let old = policy("web", "web");
        let mut new = old.clone();
        if let Target::Kubernetes { api_version, .. } = &mut new.target {
            *api_version = "apps/v2".into();
        }
        let scaling = Scaling { policies: [kept(&old, acted())].into(), ..Scaling::default() };
        assert_eq!(states(&plan(&[new]), &scaling), [acted()]);
    }

    #[test]
    fn one_that_never_fitted_does_not_begin() {
        let unfit = Observed { misfit: Some("x".into()), ..Observed::default() };
        assert!(!may_begin(&unfit, &State::default()));
        assert!(may_begin(&unfit, &acted()), "it goes on following what burns");
        assert!(may_begin(&Observed::default(), &State::default()));
    }
}
