//! The proof of births: a series counts whole only with proof that it began or restarted.
//!
//! Differences between samples are facts. What a slot holds beyond them, newborn and reset
//! series, is booked as it is while it is small. A slot that exceeds what its group usually does
//! is suspicious: first its newborn part is asked, and if that alone is too large, the targets
//! are investigated and the slot is ruled on (see [`super::evidence`]). A recorded sum has no births
//! and no targets; what it returned by, after it had fallen, is withheld.

use std::collections::{BTreeMap, BTreeSet};

use super::LookUp;
use super::counted::{Counted, Range};
use super::evidence::Evidence;
use super::judge::Judge;
use super::needs::Needs;
use super::read;
use super::spread::{self, Spread};
use super::table::{Cell, Key, Table};
use crate::engine::plan::{Form, QueryGroup};
use crate::engine::sample::Frame;
use crate::slo::time::Ts;
use crate::slo::unit::Events;

/// Slots investigated per collect at most; the newborn part of further ones is withheld. A tick has three
/// or four; backfill of many services that are asked together has births in many.
const INVESTIGATIONS: usize = 200;

/// What has been learned about births.
#[derive(Debug, Default)]
pub(super) struct Births {
    newborn: BTreeMap<(Key, Ts), Events>,
    asked: Vec<Asked>,
    pub(super) evidence: BTreeMap<(usize, Ts), Option<Evidence>>,
    /// Slots investigated.
    slots: BTreeSet<Ts>,
    /// The first slot in which each member exists.
    begins: Option<BTreeMap<usize, Ts>>,
}

#[derive(Debug)]
struct Asked {
    members: BTreeSet<usize>,
    range: Range,
    answered: bool,
}

/// What is known of something asked for.
pub(super) enum Known<T> {
    NotAsked,
    Failed,
    Is(T),
}

impl Births {
    pub(super) fn newborn(
        &mut self,
        group: &QueryGroup,
        members: BTreeSet<usize>,
        range: Range,
        frames: Option<&[Frame]>,
    ) {
        for (key, points) in read::points(group, frames.unwrap_or_default()) {
            for (at, point) in points {
                // What is not a number cannot be small: it stays above every limit.
                let part = |name: &str| match read::value(&point, name) {
                    Some(part) => Events::from_f64(part.unwrap_or_default()),
                    None => None,
                };
                let all = part("d").zip(part("r")).map(|(born, back)| born.plus(back));
                self.newborn.insert((key.clone(), at), all.unwrap_or(Events::from_thousandths(i64::MAX)));
            }
        }
        self.asked.push(Asked { members, range, answered: frames.is_some() });
    }

    pub(super) fn evidence(
        &mut self,
        group: &QueryGroup,
        members: BTreeSet<usize>,
        at: Ts,
        frames: Option<&[Frame]>,
    ) {
        let evidence = frames.map(|frames| Evidence::read(group, frames));
        for member in members {
            self.evidence.insert((member, at), evidence.clone());
        }
    }

    pub(super) fn returning(
        &mut self,
        group: &QueryGroup,
        members: &BTreeSet<usize>,
        at: Ts,
        frames: Option<&[Frame]>,
    ) {
        for member in members {
            if let Some(Some(evidence)) = self.evidence.get_mut(&(*member, at)) {
                evidence.complete(group, frames);
            }
        }
    }

    /// The newborn part of a slot.
    pub(super) fn newborn_of(&self, key: &Key, at: Ts, cell: &Cell) -> Known<Events> {
        if cell.all_new {
            return Known::Is(cell.count);
        }
        let covers = |a: &&Asked| a.members.contains(&key.0) && a.range.0 <= at && at <= a.range.1;
        match self.asked.iter().find(covers) {
            None => Known::NotAsked,
            Some(asked) if !asked.answered => Known::Failed,
            Some(_) => {
                Known::Is(self.newborn.get(&(key.clone(), at)).copied().unwrap_or_default().min(cell.count))
            }
        }
    }
}

/// Rules on every slot with what is known, pessimistically where something is missing, and says
/// what is. Called again after each round of answers, until nothing is missing.
pub(super) fn judge(counted: &mut Counted, past: LookUp<'_>) -> Needs {
    let mut needs = Needs::default();
    if !matches!(counted.group.form, Form::Counter | Form::Native { .. } | Form::Aggregated) {
        return needs;
    }
    let mut spread = Spread::default();
    let begins = counted.births.begins.take().unwrap_or_else(|| begins(&counted.table));
    let mut table = std::mem::take(&mut counted.table);
    for (key, row) in &mut table {
        if let Some(judge) = Judge::of(counted, key, &begins, past) {
            judge.row(row, &mut needs, &mut spread);
        }
    }
    bound(&mut needs, &mut counted.births.slots);
    if needs.is_empty() {
        for (key, at) in spread.without_cell(&table) {
            let empty = Judge::of(counted, &key, &begins, past).map(|judge| judge.empty(at));
            table.entry(key).or_default().extend(empty.unwrap_or_default());
        }
    }
    counted.table = table;
    counted.births.begins = Some(begins);
    if needs.is_empty() {
        spread::apply(counted, &spread);
    }
    needs
}

fn begins(table: &Table) -> BTreeMap<usize, Ts> {
    let mut begins = BTreeMap::new();
    for ((member, _), row) in table {
        let Some(first) = row.keys().next() else { continue };
        begins.entry(*member).and_modify(|at: &mut Ts| *at = (*at).min(*first)).or_insert(*first);
    }
    begins
}

/// Keeps investigations within bounds; the rest stays withheld.
fn bound(needs: &mut Needs, slots: &mut BTreeSet<Ts>) {
    needs.evidence.retain(|at, _| {
        let room = slots.len() < INVESTIGATIONS || slots.contains(at);
        if room {
            slots.insert(*at);
        }
        room
    });
}
