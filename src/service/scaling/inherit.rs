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
            State { paused, ..before.state.clone() }
        })
    };
    plan.policies.iter().map(|policy| state(policy)).collect()
}

/// Whether a decision begins or goes on with what a policy remembers. One that never fitted waits: the
/// policy whose place it is to take is still there, and so is what that one raised.
pub(super) fn may_begin(observed: &Observed, before: &State) -> bool {
    observed.misfit.is_none() || before.seen.is_some()
}
