//! Returning series: what they grew by while away is spread evenly over the slots they missed.
//!
//! A spread slot carries its share as a negative `withheld`, so that what is booked,
//! `raw − withheld`, is the same whenever the slot is asked again.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Grid, POINTS, ends};
use super::counted::{Counted, Range};
use super::table::{Key, Table};
use crate::engine::fact::{Tier, Trust};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// How far back slots may be filled: no farther than the tier is kept.
#[derive(Debug)]
pub(super) struct Reach {
    /// The oldest slot that may be given a share.
    oldest: Ts,
    /// The oldest slot that was given one, and the members concerned.
    wanted: Option<(Ts, BTreeSet<usize>)>,
    /// What was asked beyond the grid.
    asked: Option<(Range, BTreeSet<usize>)>,
}

impl Reach {
    pub(super) fn new(grid: &Grid) -> Self {
        let points = Span::from_secs_saturating(grid.slot.secs() * (POINTS - 1));
        let kept = if grid.tier == Tier::Fine { Span::from_hours(11) } else { Span::from_hours(24) };
        Self {
            oldest: grid.last.minus(points.min(kept)).floor_to(grid.slot).min(grid.first),
            wanted: None,
            asked: None,
        }
    }

    /// What must be asked so that every share has its slot; once.
    pub(super) fn wider(&mut self, grid: &Grid) -> Option<(BTreeSet<usize>, Range)> {
        let (first, members) = self.wanted.take()?;
        if self.asked.is_some() || first >= grid.first {
            return None;
        }
        let range = (first, grid.first.minus(grid.slot));
        self.asked = Some((range, members.clone()));
        Some((members, range))
    }

    /// Slots older than the grid that became known for a member.
    pub(super) fn slots_of(&self, member: usize, grid: &Grid) -> Vec<Ts> {
        match &self.asked {
            Some(((first, last), members)) if members.contains(&member) => {
                ends(*first, *last, grid.slot).collect()
            }
            _ => Vec::new(),
        }
    }

    fn floor(&self, counted: &Counted) -> Ts {
        match &self.asked {
            // Asked and not answered: what cannot be known cannot be filled.
            Some((range, _)) if counted.unknown.iter().any(|u| u.0 <= range.1) => counted.grid.first,
            Some(((first, _), _)) => *first,
            None => self.oldest,
        }
    }
}

/// Shares by group and slot, one per series wanted.
#[derive(Debug, Default)]
pub(super) struct Spread(BTreeMap<Key, BTreeMap<Ts, Vec<Events>>>);

impl Spread {
    /// Spreads the growth of a group's series that came back in the slot `at`; gives the share
    /// that stays there.
    pub(super) fn add(
        &mut self,
        counted: &Counted,
        key: &Key,
        at: Ts,
        seen: Option<Ts>,
        growth: &[Events],
    ) -> Vec<Events> {
        let slot = counted.grid.slot;
        let last_held =
            seen.map_or(at.minus(slot), |seen| seen.minus(Span::from_secs(1)).floor_to(slot).plus(slot));
        let first = last_held.plus(slot).max(counted.reach.floor(counted)).min(at);
        let slots: Vec<Ts> = ends(first, at, slot).collect();
        let shares: Vec<Vec<Events>> = growth.iter().map(|g| even(*g, slots.len())).collect();
        let row = self.0.entry(key.clone()).or_default();
        let share_of =
            |i: usize| shares.iter().map(|s| s.get(i).copied().unwrap_or_default()).collect::<Vec<_>>();
        let newest = slots.len().saturating_sub(1);
        for (i, end) in slots.iter().enumerate().take(newest) {
            let sum = row.entry(*end).or_insert_with(|| vec![Events::ZERO; growth.len()]);
            for (sum, share) in sum.iter_mut().zip(share_of(i)) {
                *sum = sum.plus(share);
            }
        }
        share_of(newest)
    }

    /// Slots that are given a share and have nothing else in them.
    pub(super) fn without_cell(&self, table: &Table) -> Vec<(Key, Ts)> {
        let has_cell = |key: &Key, at: &Ts| table.get(key).is_some_and(|row| row.contains_key(at));
        let slots = self.0.iter().flat_map(|(key, row)| row.keys().map(move |at| (key, at)));
        slots.filter(|(key, at)| !has_cell(key, at)).map(|(key, at)| (key.clone(), *at)).collect()
    }
}

/// Cuts a number into parts that differ by a thousandth at most and sum up to it.
fn even(whole: Events, parts: usize) -> Vec<Events> {
    let Ok(n) = i64::try_from(parts.max(1)) else { return Vec::new() };
    let (each, rest) = (whole.thousandths().div_euclid(n), whole.thousandths().rem_euclid(n));
    (0..n).map(|i| Events::from_thousandths(each + i64::from(i < rest))).collect()
}

/// Books all shares, and notes how far back slots are needed.
pub(super) fn apply(counted: &mut Counted, spread: &Spread) {
    for (key, row) in &spread.0 {
        if let Some(first) = row.keys().next() {
            let wanted = counted.reach.wanted.get_or_insert_with(|| (*first, BTreeSet::new()));
            wanted.0 = wanted.0.min(*first);
            wanted.1.insert(key.0);
        }
        for (at, shares) in row {
            let cell = counted.table.get_mut(key).and_then(|row| row.get_mut(at));
            let Some(cell) = cell.filter(|cell| !cell.unreadable) else { continue };
            for (withheld, share) in cell.withheld.iter_mut().zip(shares) {
                *withheld = withheld.minus(*share);
            }
            if cell.trust == Trust::Counted {
                cell.trust = Trust::Estimated;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_and_lose_nothing() {
        for whole in [0, 1, 7, -7, 2007, 1_000_003] {
            let parts = even(Events::from_thousandths(whole), 40);
            let sum = parts.iter().fold(Events::ZERO, |sum, part| sum.plus(*part));
            assert_eq!(sum, Events::from_thousandths(whole));
            assert!(
                parts.iter().max().unwrap().minus(*parts.iter().min().unwrap())
                    <= Events::from_thousandths(1)
            );
        }
    }
}
