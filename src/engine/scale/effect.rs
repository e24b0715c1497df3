//! Whether steps up helped. A step is judged only once the workload is no longer full: while it is,
//! there is simply too much load for what was added so far.

use super::burn::fastest;
use super::look::Look;
use super::state::{State, Trial, Useless};
use crate::slo::time::{Span, Ts};

/// Burn has fallen where it is at most this share of what it was.
const FALLEN: f64 = 0.8;
/// Steps in a row that may fail to help.
const MOST_USELESS: u32 = 2;
/// How long nothing is added after that; twice as long each time, up to a limit.
const HOLD: Span = Span::from_mins(30);
const LONGEST_HOLD: Span = Span::from_hours(8);

/// Judges the steps that were not judged yet; all replicas are ready and have settled.
pub(super) fn judge(look: &Look<'_>, state: &mut State) {
    let Some(trial) = state.trial else { return };
    let is_full =
        look.policy.saturation.as_ref().is_some_and(|saturation| {
            look.observed.saturation.is_none_or(|seen| seen >= saturation.scale_above)
        });
    if is_full {
        return;
    }
    state.trial = None;
    let after = fastest(&look.observed.burns);
    state.useless = (after > trial.before * FALLEN).then(|| one_more(look.now, trial, after, state.useless));
}

fn one_more(now: Ts, trial: Trial, after: f64, last: Option<Useless>) -> Useless {
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
