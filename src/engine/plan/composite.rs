//! Composites: SLOs that are made of others, and where the numbers of those come from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Planned;
use super::build::ONCE;
use crate::engine::fact::SeriesIx;
use crate::engine::window::Signal;
use crate::slo::composite::{Combine, Composite, Part, misfit, shortest_window};
use crate::slo::model::{Sli, Slo, SloId};
use crate::slo::unit::Weight;

/// What a composite is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// How their error ratios become one.
    pub how: Combine,
    /// In the order of the definition.
    pub parts: Vec<PlannedPart>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct PlannedPart {
    /// What the composite says of it.
    pub named: Part,
    /// Where its numbers come from; or why it has none.
    pub member: Result<Box<Planned>, String>,
}

impl PlannedPart {
    /// Its share of all weights, 0 to 1; 1 where they do not count.
    pub fn share(&self, of: &Parts) -> f64 {
        match of.how {
            Combine::Worst => 1.0,
            Combine::Weighted => {
                let all: f64 = of.parts.iter().map(|part| part.named.weight.value()).sum();
                self.named.weight.value() / all
            }
        }
    }

    /// What it counts for.
    pub fn weight(&self) -> Weight {
        self.named.weight
    }
}

/// Finds the parts of every composite among the others. One that is not there, or that cannot be a
/// part any more, stays a part: without it nothing is known of the whole.
pub(in crate::engine) fn find(slos: &mut [Planned]) {
    let named: BTreeSet<SloId> = slos.iter().flat_map(|planned| named_by(&planned.slo)).cloned().collect();
    if named.is_empty() {
        return;
    }
    let others: BTreeMap<SloId, Planned> = slos
        .iter()
        .filter(|planned| named.contains(&planned.slo.id))
        .map(|planned| (planned.slo.id.clone(), planned.clone()))
        .collect();
    for planned in slos {
        let slo = Arc::clone(&planned.slo);
        if let Sli::Composite(composite) = &slo.sli {
            fill(planned, composite, &slo, &others);
        }
    }
}

fn named_by(slo: &Slo) -> impl Iterator<Item = &SloId> {
    let of = match &slo.sli {
        Sli::Composite(composite) => composite.of.as_slice(),
        _ => &[],
    };
    of.iter().map(|part| &part.slo)
}

fn fill(planned: &mut Planned, composite: &Composite, slo: &Slo, others: &BTreeMap<SloId, Planned>) {
    let shortest = shortest_window(slo);
    let part = |named: &Part| {
        let member = others.get(&named.slo);
        let member = member.ok_or_else(|| format!("no definition of {} is in force", named.slo));
        let member = member.and_then(|member| match misfit(named, &member.slo, shortest) {
            None => Ok(Box::new(member.clone())),
            Some((why, _)) => Err(why.replace('`', "")),
        });
        PlannedPart { named: named.clone(), member }
    };
    let parts: Vec<PlannedPart> = composite.of.iter().map(part).collect();
    let members = || parts.iter().filter_map(|part| part.member.as_deref().ok());
    planned.bad = all(members().flat_map(|member| &member.bad));
    planned.total = all(members().flat_map(|member| &member.total));
    if let Some(first) = members().next() {
        planned.source.clone_from(&first.source);
    }
    planned.parts = Some(Parts { how: composite.how, parts });
}

/// Every series once.
fn all<'a>(signal: impl Iterator<Item = &'a (i64, SeriesIx)>) -> Signal {
    let mut all: Vec<_> = signal.map(|(_, ix)| (ONCE, *ix)).collect();
    all.sort_unstable();
    all.dedup();
    all
}
