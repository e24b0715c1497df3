//! What burned while nothing was known. After an outage a tick knows the newest slices first, and the
//! present is judged on them at once; what lies between comes later, piece by piece. When it is
//! there, the moments that were passed over are judged in order, each with its own time, and what
//! opened and closed meanwhile is told once. Incidents that were told already are left alone.
//!
//! `told`: what people know meanwhile. `debts`: how it is remembered by the store until then.

mod debts;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub(super) use debts::{Debts, PREFIX, is_readable, restore, rows};

use super::missed::{Moment, missed};
use super::replay::steps;
use super::state::World;
use crate::engine::alert::{AlertKey, AlertState};
use crate::engine::ledger::Ledger;
use crate::engine::plan::{Plan, Planned};
use crate::engine::step::{Control, Delta, Inputs, Transition, groups};
use crate::engine::window::Book;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Step, Ts};
use told::Told;

/// Moments judged at most in one go; beyond it some are passed over.
const MOST_MISSED: usize = 240;
/// The same times the groups judged at each, and the moments that are judged however many these are.
const MOST_JUDGED: usize = 24_000;
const FEWEST: usize = 12;
/// What is not known so long after it was missed is summed up without.
const PATIENCE: Span = Span::from_hours(1);
/// How long a tick may sum up; the rest is for the next one.
const SUMMING: Duration = Duration::from_millis(250);

/// The gap of one SLO.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owed {
    /// Until when it was judged before.
    since: Ts,
    /// When the gap was found.
    found: Ts,
    /// How many moments of it are judged, by the groups there were.
    most: usize,
    /// Its alerts as they were then.
    before: Vec<(AlertKey, AlertState)>,
    /// What people know of its alerts: what fired then, and what they were told since.
    told: Told,
}

/// The gaps that are still to be summed up, by SLO.
pub(super) type Arrears = BTreeMap<String, Owed>;

/// Gaps that were summed up.
pub(super) struct Summed {
    /// What people do not know yet.
    pub delta: Delta,
    /// SLOs by id that nothing is owed for any more, once that is committed.
    pub slos: BTreeSet<String>,
}

impl Owed {
    /// A gap from `since` on, of an SLO whose alerts are as the world has them.
    fn of(world: &World, planned: &Planned, since: Ts, found: Ts) -> Self {
        let alerts = world.control.of_slo(&planned.id).into_iter().flatten();
        let before = alerts.map(|(key, state)| (key.clone(), state.clone())).collect();
        let told = Told::of_firing(&planned.id, &world.control);
        Self { since, found, most: most(&world.ledger, [planned]), before, told }
    }

    /// Until when the SLO was judged at least.
    pub(super) fn since(&self) -> Ts {
        self.since
    }

    /// Remembers what people are told.
    pub(super) fn note(&mut self, transition: &Transition) {
        self.told.note(transition);
    }

    /// The moments of the gap, which are the same however late it is summed up, and those since.
    fn moments(&self, at: Ts, step: Step) -> Vec<Moment> {
        let gap = missed(Some(self.since), self.found, step, self.most);
        gap.into_iter().chain(missed(Some(self.found), at, step, self.most)).collect()
    }

    /// What the gap held: every alert as it would be had all been known in time, apart from incidents
    /// that people know of.
    fn sum_up<'a>(
        &self,
        world: &World,
        planned: &Planned,
        moments: &[Moment],
        inputs: impl Fn(Moment) -> Inputs<'a>,
    ) -> Delta {
        let mut before = Control::default();
        self.before.iter().for_each(|(key, state)| before.put(key.clone(), state.clone()));
        let fires = Told::of_firing(&planned.id, &world.control);
        self.told.news(&fires, steps(&[planned], &world.ledger, &before, moments, inputs))
    }
}

/// The gap behind an SLO that is judged at `at`, if it has one. One that is owed already stays as it
/// is: nothing of it was summed up.
pub(super) fn gap(arrears: &Arrears, world: &World, planned: &Planned, at: Ts, step: Step) -> Option<Owed> {
    let since = world.judged.get(&planned.id).copied()?;
    let is_new = !arrears.contains_key(&planned.id) && has_gap(&world.ledger, planned, since, at, step);
    is_new.then(|| Owed::of(world, planned, since, at))
}

/// The same of an SLO that is not judged, of which the ledger knows more than was judged: history
/// learned it, or only targets were not answered. A restart takes what the ledger knows for judged.
pub(super) fn ahead(arrears: &Arrears, world: &World, planned: &Planned) -> Option<Owed> {
    let since = world.judged.get(&planned.id).copied()?;
    let known = known_until(&world.ledger, planned).filter(|known| *known > since)?;
    (!arrears.contains_key(&planned.id)).then(|| Owed::of(world, planned, since, known))
}

/// Until when everything that an SLO counts is known, perhaps with gaps.
pub(super) fn known_until(ledger: &Ledger, planned: &Planned) -> Option<Ts> {
    Book::open(ledger, &planned.bad, &planned.total, &Labels::new())?.known_until()
}

/// Sums up the gaps in which all is known by now, or will not be.
pub(super) fn sum_up<'a>(
    arrears: &Arrears,
    world: &World,
    plan: &Plan,
    step: Step,
    inputs: impl Fn(Moment) -> Inputs<'a>,
) -> Summed {
    let began = Instant::now();
    let mut summed = Summed { delta: Delta::default(), slos: BTreeSet::new() };
    if arrears.is_empty() {
        return summed;
    }
    let defined: BTreeMap<&str, &Planned> = plan.slos.iter().map(|p| (p.id.as_str(), p)).collect();
    for (id, owed) in arrears {
        let Some(planned) = defined.get(id.as_str()) else {
            // One whose definition cannot be read may come back.
            if !plan.holds(id) {
                summed.slos.insert(id.clone());
            }
            continue;
        };
        // Until it was judged again nobody knows how its alerts stand.
        let Some(at) = world.judged.get(id).filter(|at| **at >= owed.found) else { continue };
        let over = is_whole(&world.ledger, planned, owed.since, *at) || at.since(owed.found) >= PATIENCE;
        if over && began.elapsed() < SUMMING {
            let moments = owed.moments(*at, step);
            summed.delta.extend(owed.sum_up(world, planned, &moments, &inputs));
            summed.slos.insert(id.clone());
        }
    }
    summed
}

/// The moments to judge now: those that were missed, `most` of them, if their slices are known, else
/// the present alone.
pub(super) fn moments(
    ledger: &Ledger,
    planned: &Planned,
    since: Option<Ts>,
    at: Ts,
    step: Step,
    most: usize,
) -> Vec<Moment> {
    let since = since.filter(|since| !has_gap(ledger, planned, *since, at, step));
    missed(since, at, step, most)
}

/// How many moments may be judged of SLOs that are behind: the more groups, the fewer, for nothing
/// else is decided meanwhile.
pub(super) fn most<'a>(ledger: &Ledger, behind: impl IntoIterator<Item = &'a Planned>) -> usize {
    let groups: usize = behind.into_iter().map(|planned| groups(planned, ledger).len().max(1)).sum();
    (MOST_JUDGED / groups.max(1)).clamp(FEWEST, MOST_MISSED)
}

/// Whether slices between `since` and the newest are not known. A composite is judged although its own
/// newest slice is not known of all of its parts, so that this one counts too.
fn has_gap(ledger: &Ledger, planned: &Planned, since: Ts, at: Ts, step: Step) -> bool {
    let is_behind = at.since(since) > step.span() || planned.parts.is_some();
    is_behind && !is_whole(ledger, planned, since, at)
}

/// Whether everything that an SLO counts is known from `since` to `at`.
fn is_whole(ledger: &Ledger, planned: &Planned, since: Ts, at: Ts) -> bool {
    let mut series = planned.bad.iter().chain(&planned.total).filter_map(|(_, ix)| ledger.series(*ix));
    series.all(|series| {
        let grid = series.keep().key.grid();
        let (from, to) = (since.floor_to(grid), at.floor_to(grid));
        series.answered().overlap(from, to) >= to.since(from).secs()
    })
}

#[cfg(test)]
mod tests;
