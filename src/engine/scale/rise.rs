//! Adding replicas: what asks for it, and what forbids it.

use super::burn::worst;
use super::look::{Look, Wish};
use super::observed::{Burn, Burning, Observed};
use super::state::State;
use super::verdict::Reason;
use crate::slo::policy::UpStep;
use crate::slo::time::Span;
use crate::slo::unit::BurnRate;

/// Replicas added at once at most where the saturation asks for more than the step does.
const MOST_AT_ONCE: u32 = 4;
/// A share of what there is, such as of CPU or of a pool, ends at 1: from here on it does not say how
/// much is missing. Percent and queues do not end there.
const FULL: f64 = 0.95;
/// Burn that begins so soon after a new version is the version's until proved otherwise.
const SUSPECT_FOR: Span = Span::from_mins(15);
/// A version with which it burns for so long lives like that.
const SUSPECT_UNTIL: Span = Span::from_hours(2);
/// With less budget left than this, one more is added.
const LITTLE_BUDGET: f64 = 0.1;

/// The steepest step that an SLO reaches with both windows.
pub(super) fn rise(look: &Look<'_>, state: &State) -> Option<Wish> {
    let (step, burn, burning) = steepest(look)?;
    let (short, long) = burning.rates();
    let little = burning.budget_left.is_some_and(|left| left.get() < LITTLE_BUDGET);
    let add = step.add.max(missing(look)).saturating_add(u32::from(little));
    let workload = look.workload;
    let expected = workload.expected();
    let most = look.policy.replicas.clamp(expected.saturating_add(add)).min(workload.most());
    let to = look.observed.room.map_or(most, |room| most.min(expected.saturating_add(room.left)));
    let rate = step.burn_rate.value();
    let reason = Reason::Burning { slo: burn.slo.clone(), short, long, rate, add };
    let against = [
        above_max(look),
        no_room(look, most),
        too_few(look, burn, burning),
        useless(look, state),
        not_load(look),
        vetoed(look),
        suspect(look, state),
        workload.rolling.then_some(Reason::Rolling),
        at_max(look, most),
    ];
    let against = against.into_iter().flatten().collect();
    Some(Wish { to, cooldown: step.cooldown, reason, against })
}

/// What to say of burn that asks for nothing.
pub(super) fn between(observed: &Observed) -> Option<Reason> {
    let (burn, burning) = worst(&observed.burns)?;
    let (short, long) = burning.rates();
    Some(Reason::Between { slo: burn.slo.clone(), short, long })
}

fn steepest<'a>(look: &Look<'a>) -> Option<(UpStep, &'a Burn, &'a Burning)> {
    let asking = |rate: BurnRate| {
        let known = look.observed.burns.iter().filter_map(|burn| Some((burn, burn.known.as_ref()?)));
        known.filter(|(_, burning)| burning.reaches(rate)).max_by_key(|(_, burning)| burning.bad())
    };
    look.policy.up.iter().find_map(|step| {
        let (burn, burning) = asking(step.burn_rate)?;
        Some((*step, burn, burning))
    })
}

/// Replicas that are missing to bring the saturation down to where adding ends; of a workload that is
/// full, as many as may be added.
fn missing(look: &Look<'_>) -> u32 {
    let (Some(seen), Some(saturation)) = (look.observed.saturation, &look.policy.saturation) else {
        return 0;
    };
    if seen.get() >= FULL && saturation.scale_above.get() <= 1.0 {
        return MOST_AT_ONCE;
    }
    let needed = f64::from(look.workload.ready) * seen.get() / saturation.scale_above.get();
    let more = (needed.ceil() - f64::from(look.workload.expected())).clamp(0.0, f64::from(MOST_AT_ONCE));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 4; NaN gives 0")]
    let more = more as u32;
    more
}

fn above_max(look: &Look<'_>) -> Option<Reason> {
    let (at, max) = (look.workload.position(), look.policy.replicas.max());
    (at > max).then_some(Reason::AboveMax { at, max })
}

fn no_room(look: &Look<'_>, to: u32) -> Option<Reason> {
    let room = look.observed.room.filter(|room| room.left == 0)?;
    let reason = Reason::FleetLimit { added: room.added, most: room.most };
    (to > look.workload.expected()).then_some(reason)
}

fn too_few(look: &Look<'_>, burn: &Burn, burning: &Burning) -> Option<Reason> {
    let (bad, needed) = (burning.bad(), look.policy.min_bad_events);
    let reason = || Reason::TooFew { slo: burn.slo.clone(), bad: bad.as_f64(), needed: needed.as_f64() };
    (bad < needed).then(reason)
}

fn useless(look: &Look<'_>, state: &State) -> Option<Reason> {
    let useless = state.useless?;
    let until = useless.hold_until.filter(|until| look.now < *until)?;
    Some(Reason::Useless { before: useless.before, after: useless.after, until })
}

fn not_load(look: &Look<'_>) -> Option<Reason> {
    let saturation = look.policy.saturation.as_ref()?;
    let Some(seen) = look.observed.saturation else { return Some(Reason::SaturationUnknown) };
    let version = look.workload.version.as_ref().map(|version| version.name.clone());
    let reason = Reason::NotLoad { saturation: seen.get(), above: saturation.scale_above.get(), version };
    (seen < saturation.scale_above).then_some(reason)
}

fn vetoed(look: &Look<'_>) -> Option<Reason> {
    look.policy.unless.iter().enumerate().find_map(|(i, veto)| {
        let query = veto.query.clone();
        match look.observed.vetoes.get(i).copied().flatten() {
            None => Some(Reason::VetoUnknown { query }),
            Some(value) if value > veto.above => {
                Some(Reason::Vetoed { query, value: value.get(), above: veto.above.get() })
            }
            Some(_) => None,
        }
    })
}

/// Burn that began with a new version is not for want of replicas.
fn suspect(look: &Look<'_>, state: &State) -> Option<Reason> {
    let version = look.workload.version.as_ref().filter(|v| state.trusted.is_none_or(|at| at < v.since))?;
    let burning = state.burning_since?;
    let is_soon = version.since <= burning && burning.since(version.since) <= SUSPECT_FOR;
    let lasts = look.now.since(burning) < SUSPECT_UNTIL;
    let reason = || Reason::SuspectVersion { version: version.name.clone(), since: version.since, burning };
    (is_soon && lasts).then(reason)
}

fn at_max(look: &Look<'_>, to: u32) -> Option<Reason> {
    let (at, most, max) = (look.workload.position(), look.workload.most(), look.policy.replicas.max());
    let owner = look.workload.owner().filter(|_| most < max).map(str::to_owned);
    // A floor below what runs already adds nothing up to there.
    (to <= look.workload.expected().max(at)).then_some(Reason::AtMax { at, max: max.min(most), owner })
}
