//! The component `scaling`: whether policies can decide, and move what they decide about. No restart
//! mends any of it, so it is never worse than degraded.

use super::components::{component, late_after, since};
use super::health::{Component, Health};
use crate::engine::scale::Reason;
use crate::service::scaling::{self, Last};
use crate::service::shared::Shared;

/// How scaling is; `None` where there is nothing to scale and nothing wrong.
pub(super) fn scaling(shared: &Shared) -> Option<Component> {
    let plan = std::sync::Arc::clone(&shared.world.read().plan);
    let mut wrong = Vec::new();
    if let Some(error) = shared.troubles.read().get("scaling") {
        wrong.push(format!("Decisions cannot be committed, so nothing moves: {error}."));
    }
    if let Some(by) = scaling::stopped(shared) {
        wrong.push(format!("Stopped by {by}: nothing moves."));
    }
    if plan.policies.is_empty() && wrong.is_empty() {
        return None;
    }
    let known = shared.scaling.read();
    let last = |name: &str, id: &str| Some((name.to_owned(), known.policies.get(id)?.last.clone()?));
    let lasts = plan.policies.iter().filter_map(|policy| last(&policy.name, &scaling::id(policy)));
    let lasts: Vec<(String, Last)> = lasts.collect();
    drop(known);
    wrong.extend(late(shared, &lasts));
    wrong.extend(unseen(&lasts));
    wrong.extend(unfit(&lasts));
    let status = if wrong.is_empty() { Health::Ok } else { Health::Degraded };
    if wrong.is_empty() {
        let acting = plan.policies.iter().filter(|policy| policy.mode == crate::slo::policy::ScaleMode::Auto);
        wrong.push(format!("{} policies, {} of which act.", plan.policies.len(), acting.count()));
    }
    Some(component("scaling", status, wrong.join(" ")))
}

/// Decisions follow ticks whose own decisions were committed.
fn late(shared: &Shared, lasts: &[(String, Last)]) -> Option<String> {
    let newest = lasts.iter().map(|(_, last)| last.seen.at).max()?;
    let age = since(newest.0.saturating_mul(1000));
    (age > late_after(shared)).then(|| format!("The newest decision is {age} old."))
}

fn unseen(lasts: &[(String, Last)]) -> Option<String> {
    let unseen = || lasts.iter().filter(|(_, last)| last.seen.workload.is_none());
    let (policy, last) = unseen().next()?;
    let why = last.seen.missing.last().map_or("no answer", String::as_str);
    let (count, all) = (unseen().count(), lasts.len());
    Some(format!("{count} of {all} workloads do not answer, such as that of {policy}: {why}."))
}

fn unfit(lasts: &[(String, Last)]) -> Option<String> {
    let why = |(policy, last): &(String, Last)| match &last.decision.reason {
        Reason::Misfit { why } => Some((policy.clone(), why.clone())),
        _ => None,
    };
    let all: Vec<_> = lasts.iter().filter_map(why).collect();
    let (policy, why) = all.first()?;
    Some(format!("{} of {} policies do not fit, such as {policy}: {why}.", all.len(), lasts.len()))
}
