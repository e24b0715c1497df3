//! Moments that were passed over, judged in order; of what comes of it only the end is told.

use super::missed::Moment;
use crate::engine::ledger::Ledger;
use crate::engine::plan::Planned;
use crate::engine::step::{Control, Delta, Inputs, net, step, step_missed};

/// Judges SLOs at these moments, oldest first, from the alerts as they were `before`; the last one
/// is the present.
pub(super) fn replay<'a>(
    slos: &[&Planned],
    ledger: &Ledger,
    before: &Control,
    moments: &[Moment],
    inputs: impl Fn(Moment) -> Inputs<'a>,
) -> Delta {
    net(before, steps(slos, ledger, before, moments, inputs))
}

/// The same, each moment by itself.
pub(super) fn steps<'a>(
    slos: &[&Planned],
    ledger: &Ledger,
    before: &Control,
    moments: &[Moment],
    inputs: impl Fn(Moment) -> Inputs<'a>,
) -> Vec<Delta> {
    let Some((present, passed)) = moments.split_last() else { return Vec::new() };
    let batch = || slos.iter().copied();
    let mut deltas = Vec::with_capacity(moments.len());
    let mut control = None;
    for moment in passed {
        let now = control.as_ref().unwrap_or(before);
        let delta = step_missed(batch(), ledger, now, &inputs(*moment));
        // Of these alone: where nothing was known for long, thousands of others have alerts too.
        control.get_or_insert_with(|| before.only(slos.iter().map(|slo| &*slo.id))).apply(&delta);
        deltas.push(delta);
    }
    let now = control.as_ref().unwrap_or(before);
    deltas.push(step(batch(), ledger, now, &inputs(*present)));
    deltas
}
