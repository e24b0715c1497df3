//! Whether steps up helped. That they did is seen at once. That they did not is said only once the
//! workload is no longer full: while it is, there is simply too much load for what was added so far.

use super::look::Look;
use super::observed::Burning;
use super::state::{State, Trial, Useless};
use crate::slo::time::{Span, Ts};

/// Burn has fallen where it is at most this share of what it was.
const FALLEN: f64 = 0.8;
/// Where no saturation tells of load: replicas that bring at least this share of what as many before
/// them did were needed, however much still fails.
const SERVES: f64 = 0.5;
/// Steps in a row that may fail to help.
const MOST_USELESS: u32 = 2;
/// How long nothing is added after that; twice as long each time, up to a limit.
const HOLD: Span = Span::from_mins(30);
const LONGEST_HOLD: Span = Span::from_hours(8);

/// What there is before a step up that this SLO asks for.
pub(super) fn trial(look: &Look<'_>, slo: &str) -> Trial {
    let burning = of(look, slo);
    Trial {
        slo: slo.to_owned(),
        before: burning.map_or(0.0, |burning| burning.rates().0),
        good: burning.map_or(0.0, Burning::good),
        ready: look.workload.ready,
        from: look.workload.position(),
        steps: 0,
        at: look.now,
    }
}

/// Judges the steps that were not judged yet; all replicas are ready and have settled.
pub(super) fn judge(look: &Look<'_>, state: &mut State) {
    let Some(trial) = state.trial.take() else { return };
    // The policy watches that SLO no more.
    let Some(burning) = of(look, &trial.slo) else { return };
    let after = burning.rates().0;
    let has_fallen = after <= trial.before * FALLEN || state.calm_since.is_some();
    if has_fallen || serves_more(look, &trial, burning) {
        state.useless = None;
    } else if is_full(look) {
        state.trial = Some(trial);
    } else {
        state.useless = Some(one_more(look.now, &trial, after, state.useless));
    }
}

fn of<'a>(look: &Look<'a>, slo: &str) -> Option<&'a Burning> {
    look.observed.burns.iter().find(|burn| burn.slo == slo)?.known.as_ref()
}

fn is_full(look: &Look<'_>) -> bool {
    look.policy
        .saturation
        .as_ref()
        .is_some_and(|saturation| look.observed.saturation.is_none_or(|seen| seen >= saturation.scale_above))
}

fn serves_more(look: &Look<'_>, trial: &Trial, burning: &Burning) -> bool {
    let added = f64::from(look.workload.ready) / f64::from(trial.ready.max(1)) - 1.0;
    let good = burning.good();
    let is_more = good > trial.good && good >= trial.good * (1.0 + added * SERVES);
    look.policy.saturation.is_none() && added > 0.0 && is_more
}

fn one_more(now: Ts, trial: &Trial, after: f64, last: Option<Useless>) -> Useless {
    let last = last.unwrap_or(Useless {
        steps: 0,
        from: trial.from,
        before: trial.before,
        after,
        hold_until: None,
        hold: Span::ZERO,
    });
    let steps = last.steps.saturating_add(trial.steps);
    let useless = Useless { steps, from: last.from.min(trial.from), after, ..last };
    if steps < MOST_USELESS {
        return useless;
    }
    let doubled = Span::from_secs_saturating(last.hold.secs() * 2);
    let hold = doubled.max(HOLD).min(LONGEST_HOLD);
    Useless { steps: 0, hold_until: Some(now.plus(hold)), hold, ..useless }
}
