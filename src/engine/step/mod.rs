//! The decision of one tick: pure, and committed as one transaction before memory changes.

mod burn;
mod composite;
mod control;
mod delta;
mod evidence;
mod health;
mod judge;
mod matters;
mod net;
mod observed;
mod scaling;
mod targets;
mod transition;

pub use composite::{composite_evidence, judge_composite};
pub use control::Control;
pub use delta::{Delta, Transition};
pub use evidence::{budget_of, evidence, groups};
pub use health::{retire, step_sources, step_unanswered};
pub(in crate::engine) use judge::targets_of_member;
pub use judge::{JudgedGroup, JudgedRule, judge_group, objective_of};
pub use net::net;
pub use observed::{DirectSeen, Observed, Unanswered};
pub use scaling::{Scaled, step_scaling};
pub use targets::Targets;

use super::composite::Pools;
use super::ledger::Ledger;
use super::plan::Planned;
use super::recipient::Shadow;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};

/// What a step reads besides the ledger and the present control state.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// End of the newest slice judged.
    pub at: Ts,
    /// How much of the time before `at` it speaks for: a slice, or several where some are passed over.
    pub step: Span,
    /// What else was seen at that time.
    pub observed: &'a Observed,
    /// `externalLabels` of the settings.
    pub external: &'a Labels,
    /// Names of the receivers that are told.
    pub receivers: &'a [String],
    /// Who is told nothing, and who is shown it.
    pub shadow: Shadow<'a>,
}

/// Judges a batch of SLOs at one moment. Nothing is remembered until the delta is committed and
/// applied with [`Control::apply`].
pub fn step<'a>(
    batch: impl IntoIterator<Item = &'a Planned>,
    ledger: &Ledger,
    control: &Control,
    inputs: &Inputs<'_>,
) -> Delta {
    let (mut delta, pools) = (Delta::default(), Pools::default());
    for planned in batch {
        if let Some(seen) = burn::step_slo(planned, ledger, control, inputs, &pools, &mut delta) {
            let alerts = control.of_slo(&planned.id);
            health::step_health(planned, &seen, alerts, inputs, &mut delta);
        }
    }
    delta
}

/// Judges a batch at a moment that has passed and was missed. Alerts about not knowing say what is
/// known now: they have moved while it was missed, and no moment before that moves them back.
pub fn step_missed<'a>(
    batch: impl IntoIterator<Item = &'a Planned>,
    ledger: &Ledger,
    control: &Control,
    inputs: &Inputs<'_>,
) -> Delta {
    let (mut delta, pools) = (Delta::default(), Pools::default());
    for planned in batch {
        let _seen = burn::step_slo(planned, ledger, control, inputs, &pools, &mut delta);
    }
    delta
}

#[cfg(test)]
mod tests;
