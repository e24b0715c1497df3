//! Error ratios, exact enough for every threshold, and how several become one.

use crate::engine::plan::Parts;
use crate::slo::composite::Combine;
use crate::slo::unit::{BurnRate, Events, Objective};

/// An error ratio in units of 10⁻¹⁸, rounded down. A threshold `rate · budget` is a whole number of
/// 10⁻¹⁵, so that rounding moves no ratio over one: one part alone is judged as by its counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Ratio(i128);

/// All is bad.
const ONE: i128 = 1_000_000_000_000_000_000;
/// What a unit of `rate · budget` is.
const THRESHOLD: i128 = 1_000;

impl Ratio {
    /// Of `total` events; nothing is bad where there are none. More bad events than events, by which
    /// two scrapes may differ, are all.
    pub(super) fn of(bad: Events, total: Events) -> Self {
        if total <= Events::ZERO || bad <= Events::ZERO {
            return Self::default();
        }
        let parts = i128::from(bad.thousandths()) * ONE / i128::from(total.thousandths());
        Self(parts.min(ONE))
    }
}

/// Whether the ratios of all parts, in their order, together burn at or above a rate.
pub(super) fn reaches(
    of: &Parts,
    ratios: impl Iterator<Item = Ratio>,
    rate: BurnRate,
    objective: Objective,
) -> bool {
    let threshold =
        i128::from(rate.millionths()).saturating_mul(i128::from(objective.budget_ppb()) * THRESHOLD);
    let weights = of.parts.iter().map(|part| i128::from(part.named.weight.millionths()));
    match of.how {
        Combine::Worst => ratios.max().is_some_and(|Ratio(worst)| worst >= threshold),
        Combine::Weighted => {
            let all: i128 = weights.clone().sum();
            let sum: i128 = weights.zip(ratios).map(|(weight, Ratio(ratio))| weight * ratio).sum();
            sum >= threshold.saturating_mul(all)
        }
    }
}

/// The same for people: the ratios of all parts, in their order, as one.
pub(super) fn combined(of: &Parts, ratios: impl Iterator<Item = f64>) -> f64 {
    match of.how {
        Combine::Worst => ratios.fold(f64::NEG_INFINITY, f64::max),
        Combine::Weighted => of.parts.iter().zip(ratios).map(|(part, ratio)| part.share(of) * ratio).sum(),
    }
}
