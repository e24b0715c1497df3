//! Giving replicas back: one at a time, after a calm while, or because they did not help.

use super::look::{Look, Wish};
use super::observed::Lever;
use super::state::State;
use super::verdict::Reason;
use crate::slo::time::Span;

/// With less budget left than this, the calm must last twice as long.
const LITTLE_BUDGET: f64 = 0.1;

/// Steps that did not help are given back, also while it burns: they only cost.
pub(super) fn useless(look: &Look<'_>, state: &State) -> Option<Wish> {
    let useless = state.useless.filter(|_| state.is_useless(look.now))?;
    let at = look.workload.position();
    let base = useless.from.max(state.goes_back_to(look.policy.replicas)?);
    let to = at.checked_sub(1).filter(|to| *to >= base)?;
    let reason = Reason::GiveBackUseless { at, base };
    Some(Wish { to, cooldown: look.policy.down.cooldown, reason, against: needed(look, to) })
}

/// One replica after a calm while.
pub(super) fn calm(look: &Look<'_>, state: &State) -> Option<Wish> {
    let since = state.calm_since?;
    let base = state.goes_back_to(look.policy.replicas)?;
    let to = look.workload.position().checked_sub(1).filter(|to| *to >= base)?;
    let until = since.plus(calm_span(look));
    let pages = look.observed.burns.iter().find(|burn| burn.pages);
    let mut against: Vec<Reason> =
        pages.map(|burn| Reason::PageFires { slo: burn.slo.clone() }).into_iter().collect();
    if look.now < until {
        against.push(Reason::Calming { until });
    }
    against.extend(needed(look, to));
    let reason = Reason::Calm { since, base };
    Some(Wish { to, cooldown: look.policy.down.cooldown, reason, against })
}

/// What needs all of the replicas.
fn needed(look: &Look<'_>, to: u32) -> Vec<Reason> {
    let workload = look.workload;
    let rolling = workload.rolling.then_some(Reason::Rolling);
    // The owner of a floor looks after disruption budgets itself.
    let stays = workload.lever == Lever::Count && to < workload.must_stay;
    let must_stay = Reason::MustStay { at: workload.position(), least: workload.must_stay };
    [rolling, would_fill(look), stays.then_some(must_stay)].into_iter().flatten().collect()
}

fn calm_span(look: &Look<'_>) -> Span {
    let mut left = look.observed.burns.iter().filter_map(|burn| burn.known.as_ref()?.budget_left);
    let calm = look.policy.down.calm;
    let is_little = left.any(|left| left.get() < LITTLE_BUDGET);
    if is_little { Span::from_secs_saturating(calm.secs() * 2) } else { calm }
}

/// Whether those that stay could carry what all carry now.
fn would_fill(look: &Look<'_>) -> Option<Reason> {
    let saturation = look.policy.saturation.as_ref()?;
    let Some(seen) = look.observed.saturation else { return Some(Reason::SaturationUnknown) };
    if look.workload.position() < look.workload.wanted {
        // Nothing rests on this floor: how many run, its owner says.
        return None;
    }
    let left = look.workload.wanted.saturating_sub(1).max(1);
    let would_be = seen.get() * f64::from(look.workload.ready) / f64::from(left);
    let below = saturation.shrink_below.get();
    (would_be >= below).then_some(Reason::WouldFill { saturation: seen.get(), would_be, below })
}
