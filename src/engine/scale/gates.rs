//! What holds a policy whatever burns.

use super::look::Look;
use super::observed::Observed;
use super::state::{SKEW, State};
use super::verdict::Reason;
use crate::slo::policy::ScalePolicy;
use crate::slo::time::{Span, Ts};

/// Replicas that are not ready for so long are not merely starting.
const STARTS_WITHIN: Span = Span::from_mins(10);

/// What holds it without a look at the workload.
pub(super) fn before(observed: &Observed, state: &State, policy: &ScalePolicy) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = observed.brake.iter().map(Reason::from).collect();
    if state.paused {
        let by = format!("damper scale pause {}", policy.name);
        reasons.push(Reason::Paused { by });
    }
    reasons.extend(observed.misfit.clone().map(|why| Reason::Misfit { why }));
    reasons
}

/// What holds it at this moment, the gravest first.
pub(super) fn held(look: &Look<'_>, state: &State) -> Vec<Reason> {
    let (now, workload) = (look.now, look.workload);
    let mut reasons = Vec::new();
    if let Some(by) = &workload.paused {
        reasons.push(Reason::Paused { by: by.clone() });
    }
    if workload.wanted == 0 {
        reasons.push(Reason::AtZero);
    }
    if let Some(intent) = state.intent {
        reasons.push(Reason::InFlight { to: intent.to, until: intent.until });
    }
    if let Some(fight) = state.fight.as_ref().filter(|fight| now < fight.until) {
        let owner = workload.owner().map(str::to_owned);
        reasons.push(Reason::Fight { by: fight.by.clone(), to: fight.to, until: fight.until, owner });
    }
    if let Some(other) = state.overridden.as_ref().filter(|other| now < other.until) {
        reasons.push(Reason::Overridden { by: other.by.clone(), to: other.to, until: other.until });
    }
    if let Some(burn) = look.observed.burns.iter().find(|burn| burn.known.is_none()) {
        reasons.push(Reason::BurnUnknown { slo: burn.slo.clone(), why: burn.why.clone() });
    }
    if let Some(why) = &workload.blocked {
        reasons.push(Reason::Blocked { why: why.clone() });
    }
    if workload.wanted > 0 && !workload.is_ready() {
        reasons.push(Reason::Starting { ready: workload.ready, wanted: workload.expected() });
    }
    if let Some(until) = cooldown(state).filter(|until| now < *until) {
        let refused = |why: &String| Reason::Refused { why: why.clone(), until };
        reasons.push(state.refused.as_ref().map_or(Reason::Cooldown { until }, refused));
    }
    if let Some(until) = settled_at(look, state).filter(|until| now < *until) {
        reasons.push(Reason::Settling { until });
    }
    reasons
}

/// Replicas that cannot be had never become ready, and some that can do not either; giving them back
/// waits for neither, or they would be asked for for ever.
pub(super) fn pass_unready(look: &Look<'_>, state: &State, reasons: &mut Vec<Reason>) {
    let is_long = state.unready_since.is_some_and(|since| look.now.since(since) >= STARTS_WITHIN);
    if look.workload.blocked.is_some() || is_long {
        reasons.retain(|reason| !matches!(reason, Reason::Blocked { .. } | Reason::Starting { .. }));
    }
}

/// Whether what was done last can be judged: everything is known, ready and quiet for long enough.
pub(super) fn is_settled(look: &Look<'_>, state: &State) -> bool {
    let known = look.observed.burns.iter().all(|burn| burn.known.is_some());
    let passed = |until: Option<Ts>| until.is_some_and(|until| look.now >= until);
    known && state.intent.is_none() && passed(settled_at(look, state)) && passed(cooldown(state))
}

fn cooldown(state: &State) -> Option<Ts> {
    state.cooldown_until.max(state.rehearsed.cooldown_until).map(|until| until.plus(SKEW))
}

/// When the workload will have settled; a step is seen once the short window holds nothing older.
fn settled_at(look: &Look<'_>, state: &State) -> Option<Ts> {
    let settle = look.policy.settle;
    let span = if state.trial.is_some() { settle.max(look.policy.windows.short) } else { settle };
    Some(state.ready_since?.plus(span))
}

/// Holds whatever is to be done; at rest it is nobody's concern.
pub(super) fn rate_limit(look: &Look<'_>, state: &State) -> Option<Reason> {
    let all = state.all_writes();
    let writes = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let most = look.policy.max_actions_per_hour;
    let surplus = usize::try_from(writes.checked_sub(most)?).ok()?;
    let until = all.get(surplus)?.plus(Span::from_hours(1));
    Some(Reason::RateLimit { writes, until })
}
