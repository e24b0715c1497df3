//! The groups beyond the limit, which are counted together.

use crate::engine::fact::{GroupFact, Trust};
use crate::slo::model::Labels;
use crate::slo::unit::Events;

/// The label value that stands for all groups beyond the limit.
pub const OTHER: &str = "other";

/// Whether these are the labels of all groups beyond the limit together.
pub fn is_other(labels: &Labels) -> bool {
    !labels.is_empty() && labels.values().all(|value| value == OTHER)
}

/// The labels of all groups beyond the limit together, for those of one of them.
pub(super) fn of_other(labels: &Labels) -> Labels {
    labels.keys().map(|label| (label.clone(), OTHER.to_owned())).collect()
}

/// Groups beyond the limit are one group: their events add up, their trust is the worst of all.
pub(super) fn fold(sum: Option<GroupFact>, fact: &GroupFact) -> GroupFact {
    let mut sum = sum.unwrap_or_else(|| GroupFact {
        group: of_other(&fact.group),
        raw: Events::ZERO,
        withheld: Events::ZERO,
        trust: fact.trust,
    });
    sum.raw = sum.raw.plus(fact.raw);
    sum.withheld = sum.withheld.plus(fact.withheld);
    // The sum is stale where all are; a part withheld makes it partial.
    sum.trust = match (sum.trust, fact.trust) {
        (Trust::Open, _) | (_, Trust::Open) => Trust::Open,
        (_, Trust::Partial) | (Trust::Partial, _) => Trust::Partial,
        (Trust::Stale, other) => other,
        (sum, _) => sum,
    };
    sum
}
