//! The decision. What forbids it stands in the order in which it counts: the first is the reason,
//! the next the runner-up.

use super::look::{Look, Wish};
use super::observed::{Burn, Observed};
use super::state::{Intent, Rehearsed, State, Trial};
use super::verdict::{Decision, Reason, Verdict};
use super::{effect, fall, gates, rise, seen};
use crate::slo::policy::{ScaleMode, ScalePolicy};
use crate::slo::time::{Span, Ts};

/// Decides about one policy. A write that the decision asks for is void after `valid`.
pub fn decide(
    now: Ts,
    valid: Span,
    observed: &Observed,
    state: &State,
    policy: &ScalePolicy,
) -> (State, Decision) {
    let mut state = state.clone();
    state.forget(now);
    if policy.mode == ScaleMode::Auto {
        state.rehearsed = Rehearsed::default();
    }
    let mut reasons = gates::before(observed, &state, policy);
    let verdict = match &observed.workload {
        Some(workload) => {
            let look = Look { now, observed, workload, policy };
            weigh(&look, valid, &mut state, &mut reasons)
        }
        None => {
            (state.calm_since, state.ready_since, state.unready_since) = (None, None, None);
            reasons.push(Reason::WorkloadUnknown);
            Verdict::Hold
        }
    };
    let mut reasons = reasons.into_iter();
    let reason = reasons.next().unwrap_or(Reason::WorkloadUnknown);
    let adds = added(observed, verdict);
    (state, Decision { at: now, verdict, reason, others: reasons.collect(), adds })
}

fn weigh(look: &Look<'_>, valid: Span, state: &mut State, reasons: &mut Vec<Reason>) -> Verdict {
    seen::take_in(look, state);
    follow(look, state);
    reasons.extend(gates::held(look, state));
    if gates::is_settled(look, state) {
        effect::judge(look, state);
    }
    let useless = fall::useless(look, state);
    let Some(wish) = useless.or_else(|| rise::rise(look, state)).or_else(|| fall::calm(look, state)) else {
        state.refused = None;
        reasons.push(rest(look, state));
        return Verdict::Hold;
    };
    let from = look.workload.position();
    if wish.to < from && wish.against.is_empty() {
        gates::pass_unready(look, state, reasons);
    }
    reasons.extend(gates::rate_limit(look, state));
    reasons.extend(wish.against.iter().cloned());
    let verdict = if reasons.is_empty() {
        act(look, valid, &wish, state);
        Verdict::Scale { from, to: wish.to }
    } else {
        Verdict::Hold
    };
    reasons.push(wish.reason);
    verdict
}

/// Keeps the times since when it has been calm, burning and ready.
fn follow(look: &Look<'_>, state: &mut State) {
    let known = || look.observed.burns.iter().map(|burn| burn.known.as_ref());
    let below = look.policy.down.burn_rate;
    let is_calm = known().all(|burning| burning.is_some_and(|burning| burning.is_below(below)));
    let asks = look.policy.up.iter().map(|step| step.burn_rate).min();
    let burns = asks.is_some_and(|rate| known().flatten().any(|burning| burning.reaches(rate)));
    state.calm_since = is_calm.then(|| state.calm_since.unwrap_or(look.now));
    if is_calm {
        state.burning_since = None;
        if state.calm_since.is_some_and(|since| look.now >= since.plus(look.policy.down.calm)) {
            state.useless = None;
        }
    } else if burns {
        state.burning_since.get_or_insert(look.now);
    }
    let is_ready = look.workload.is_ready();
    state.ready_since = is_ready.then(|| state.ready_since.unwrap_or(look.now));
    state.unready_since = (!is_ready).then(|| state.unready_since.unwrap_or(look.now));
}

/// The write is counted before it is made: a cooldown holds also where it never comes.
fn act(look: &Look<'_>, valid: Span, wish: &Wish, state: &mut State) {
    let (now, from) = (look.now, look.workload.position());
    if look.policy.mode == ScaleMode::DryRun {
        state.rehearsed.cooldown_until = Some(now.plus(wish.cooldown));
        state.rehearsed.writes.push(now);
        return;
    }
    state.cooldown_until = Some(now.plus(wish.cooldown));
    state.writes.push(now);
    state.intent = Some(Intent { at: now, from, to: wish.to, until: now.plus(valid) });
    if wish.to < from {
        // Calm: whatever was tried has helped. Useless: it is being taken back.
        state.trial = None;
        return;
    }
    state.added_for = Some(wish.reason.clone());
    if let Reason::Burning { slo, .. } = &wish.reason {
        let trial = state.trial.take().unwrap_or_else(|| effect::trial(look, slo));
        state.trial = Some(Trial { steps: trial.steps.saturating_add(1), at: now, ..trial });
    }
}

/// Replicas that come of it. What an autoscaler runs above its floor is there already.
fn added(observed: &Observed, verdict: Verdict) -> u32 {
    match (verdict, &observed.workload) {
        (Verdict::Scale { to, .. }, Some(workload)) => to.saturating_sub(workload.expected()),
        _ => 0,
    }
}

fn rest(look: &Look<'_>, state: &State) -> Reason {
    let at = look.workload.position();
    let uncalm = |burn: &Burn| Some((burn.slo.clone(), burn.known.as_ref()?.uncalm?));
    if let Some((slo, why)) = look.observed.burns.iter().find_map(uncalm) {
        let base = state.goes_back_to(look.policy.replicas);
        if base.is_some_and(|base| at > base) {
            return Reason::BurnUnknown { slo, why: format!("{why}, so nothing is given back") };
        }
    }
    let calm = Reason::AtRest { at, base: state.goes_back_to(look.policy.replicas).unwrap_or(at) };
    let is_quiet = |burn: &Burn| burn.known.as_ref().is_some_and(|b| b.is_quiet(look.policy.down.burn_rate));
    if look.observed.burns.iter().all(is_quiet) { calm } else { rise::between(look.observed).unwrap_or(calm) }
}
