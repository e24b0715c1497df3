//! Time slices: any query, one verdict per slice and group.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Ask, AskId, Grid, query};
use crate::engine::fact::{Facts, GroupFact, SlotFact, SlotState, Tier, Trust};
use crate::engine::plan::{Form, QueryGroup, Take, Wanted, form, group_of};
use crate::engine::sample::{Answer, Frame, Reading};
use crate::slo::model::{Comparison, Labels, Reduce};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// The query at every step inside the slices that end in the grid.
pub(super) fn ask(group: &QueryGroup, grid: &Grid, slice: Span) -> Option<Ask> {
    let every = group.step.span();
    let last = grid.last.floor_to(slice);
    let first = first_end(grid, slice);
    let range = (first.minus(slice).plus(every), last);
    let promql = form::main(group, group.selector(), grid.slot);
    (first <= last).then(|| Ask { id: AskId(0), query: query(group, promql, range, every) })
}

fn first_end(grid: &Grid, slice: Span) -> Ts {
    grid.first.minus(grid.slot).floor_to(slice).plus(slice)
}

/// Verdicts of one slot: how many slices, how many of them bad.
#[derive(Clone, Copy, Default)]
struct Verdicts {
    all: i64,
    bad: i64,
}

/// Facts at the slots in which a slice ends; other slots are none of this query's business. Frames
/// whose labels go beyond the group's are judged one by one, and the worst verdict is the group's.
pub(super) fn facts(group: &QueryGroup, grid: &Grid, answer: &Answer) -> Vec<Facts> {
    let Form::Timeslice { good, slice, reduce, .. } = &group.form else { return Vec::new() };
    let frames = match answer {
        Answer::Frames { frames, .. } => Some(frames.as_slice()),
        Answer::Failed(_) => None,
    };
    let groups: BTreeSet<Labels> =
        frames.unwrap_or_default().iter().map(|frame| group_of(frame, &group.by)).collect();
    let mut slots: BTreeMap<Ts, BTreeMap<&Labels, Verdicts>> = BTreeMap::new();
    for end in super::ask::ends(first_end(grid, *slice), grid.last.floor_to(*slice), *slice) {
        let slot = slots.entry(slot_of(end, grid)).or_default();
        for labels in &groups {
            let own = frames.unwrap_or_default().iter().filter(|frame| group_of(frame, &group.by) == *labels);
            let Some(bad) = own.filter_map(|frame| is_bad(frame, end, (*good, *slice, *reduce))).max() else {
                continue;
            };
            let verdicts = slot.entry(labels).or_default();
            verdicts.all += 1;
            verdicts.bad += i64::from(bad);
        }
    }
    group.wanted().map(|w| series(w, grid.tier, &slots, &groups, frames.is_none())).collect()
}

/// The slot a slice's end lies in.
fn slot_of(end: Ts, grid: &Grid) -> Ts {
    Ts(end.0 - 1).floor_to(grid.slot).plus(grid.slot)
}

/// `None` without a number in the slice: what is not a number says nothing.
fn is_bad(frame: &Frame, end: Ts, (good, slice, reduce): (Comparison, Span, Reduce)) -> Option<bool> {
    let start = end.minus(slice);
    let inside = frame.points.iter().filter(|(at, _)| start < *at && *at <= end);
    let values: Vec<f64> = inside
        .filter_map(|(_, reading)| match reading {
            Reading::Value(value) => Some(value.get()),
            Reading::NotANumber => None,
        })
        .collect();
    reduced(&values, reduce).map(|value| !good.holds(value))
}

#[expect(clippy::cast_precision_loss, reason = "a handful of points")]
fn reduced(values: &[f64], reduce: Reduce) -> Option<f64> {
    let values_ = values.iter().copied();
    match reduce {
        Reduce::Last => values.last().copied(),
        Reduce::Max => values_.reduce(f64::max),
        Reduce::Min => values_.reduce(f64::min),
        Reduce::Avg => (!values.is_empty()).then(|| values_.map(|v| v / values.len() as f64).sum()),
    }
}

fn series(
    wanted: &Wanted,
    tier: Tier,
    slots: &BTreeMap<Ts, BTreeMap<&Labels, Verdicts>>,
    groups: &BTreeSet<Labels>,
    failed: bool,
) -> Facts {
    let fact = |labels: &Labels, verdicts: Option<&Verdicts>| GroupFact {
        group: labels.clone(),
        raw: verdicts
            .map_or(Events::ZERO, |v| Events::whole(if wanted.take == Take::Bad { v.bad } else { v.all })),
        withheld: Events::ZERO,
        trust: if verdicts.is_some() { Trust::Counted } else { Trust::Stale },
    };
    let slot = |(end, verdicts): (&Ts, &BTreeMap<&Labels, Verdicts>)| {
        let state = match verdicts.is_empty() {
            _ if failed => SlotState::Unknown,
            true => SlotState::Absent,
            false => {
                SlotState::Known(groups.iter().map(|labels| fact(labels, verdicts.get(labels))).collect())
            }
        };
        SlotFact { end: *end, state }
    };
    Facts { series: wanted.series, tier, slots: slots.iter().map(slot).collect() }
}
