//! Direct ratios in the ledger: one event per slot, bad by the ratio. Time-weighted.

use std::collections::BTreeMap;

use super::ask::{Ask, AskId, Grid, query};
use crate::engine::fact::{Facts, GroupFact, SlotFact, SlotState, Trust};
use crate::engine::plan::{QueryGroup, Take, form, group_of, keep_worst};
use crate::engine::sample::{Answer, Reading};
use crate::slo::model::Labels;
use crate::slo::time::Ts;
use crate::slo::unit::{Events, Finite};

/// The template over one slot, at every slot.
pub(super) fn ask(group: &QueryGroup, grid: &Grid) -> Option<Ask> {
    let promql = form::main(group, group.selector(), grid.slot);
    let range = (grid.first, grid.last);
    (grid.first <= grid.last).then(|| Ask { id: AskId(0), query: query(group, promql, range, grid.slot) })
}

/// One fact per slot and group with a ratio; the worst where labels beyond the group's differ.
pub(super) fn facts(group: &QueryGroup, grid: &Grid, answer: &Answer) -> Vec<Facts> {
    let mut slots: BTreeMap<Ts, BTreeMap<Labels, Finite>> = BTreeMap::new();
    if let Answer::Frames { frames, .. } = answer {
        for frame in frames {
            for (at, reading) in &frame.points {
                let Reading::Value(ratio) = reading else { continue };
                keep_worst(slots.entry(*at).or_default(), group_of(frame, &group.by), *ratio);
            }
        }
    }
    let state = |at: Ts, take: Take| match (answer, slots.get(&at)) {
        (Answer::Failed(_), _) => SlotState::Unknown,
        (_, None) => SlotState::Absent,
        (_, Some(groups)) => {
            SlotState::Known(groups.iter().map(|(labels, ratio)| fact(labels, *ratio, take)).collect())
        }
    };
    let series = |w: &crate::engine::plan::Wanted| {
        let slots = grid.ends().map(|end| SlotFact { end, state: state(end, w.take) }).collect();
        Facts { series: w.series, tier: grid.tier, slots }
    };
    group.wanted().map(series).collect()
}

fn fact(labels: &Labels, ratio: Finite, take: Take) -> GroupFact {
    let raw = match take {
        Take::Bad => Events::from_f64(ratio.get()).unwrap_or_default(),
        _ => Events::whole(1),
    };
    GroupFact { group: labels.clone(), raw, withheld: Events::ZERO, trust: Trust::Counted }
}
