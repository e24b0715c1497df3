//! The proof of births: a series counts whole only with proof that it began or restarted.
//!
//! Differences between samples are facts. What a slot holds beyond them, newborn and reset
//! series, is booked as it is while it is small. A slot that exceeds what its group usually does
//! is suspicious: first its newborn part is asked, and if that alone is too large, the targets
//! are investigated and the slot is ruled on (see [`super::evidence`]).

use std::collections::{BTreeMap, BTreeSet};

use super::counted::{Counted, Range};
use super::evidence::{Evidence, Verdict};
use super::needs::Needs;
use super::read;
use super::spread::{self, Spread};
use super::table::{Cell, Key, Row, Table};
use super::{LookUp, Past};
use crate::engine::fact::Trust;
use crate::engine::plan::{Form, QueryGroup, Wanted};
use crate::engine::sample::Frame;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// Slots investigated per collect at most; the newborn part of further ones is withheld. A tick has three
/// or four; backfill of many services that are asked together has births in many.
const INVESTIGATIONS: usize = 200;

/// What has been learned about births.
#[derive(Debug, Default)]
pub(super) struct Births {
    newborn: BTreeMap<(Key, Ts), Events>,
    asked: Vec<Asked>,
    evidence: BTreeMap<(usize, Ts), Option<Evidence>>,
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
enum Known<T> {
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
                let part = read::events(&point, "d").unwrap_or(Events::from_thousandths(i64::MAX));
                self.newborn.insert((key.clone(), at), part);
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

    fn newborn_of(&self, key: &Key, at: Ts, cell: &Cell) -> Known<Events> {
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
    if !matches!(counted.group.form, Form::Counter | Form::Native { .. }) {
        return needs;
    }
    let mut spread = Spread::default();
    let begins = counted.births.begins.take().unwrap_or_else(|| begins(&counted.table));
    let mut table = std::mem::take(&mut counted.table);
    for (key, row) in &mut table {
        let Some(member) = counted.group.members.get(key.0) else { continue };
        let judge = Judge {
            counted: &*counted,
            key,
            wanted: &member.wanted,
            begins: begins.get(&key.0).copied(),
            past,
        };
        judge.row(row, &mut needs, &mut spread);
    }
    bound(&mut needs, &mut counted.births.slots);
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

struct Judge<'a> {
    counted: &'a Counted,
    key: &'a Key,
    wanted: &'a [Wanted],
    begins: Option<Ts>,
    past: LookUp<'a>,
}

impl Judge<'_> {
    fn row(&self, row: &mut Row, needs: &mut Needs, spread: &mut Spread) {
        let mut largest = vec![Events::ZERO; self.wanted.len()];
        for (at, cell) in row.iter_mut().filter(|(_, cell)| !cell.unreadable) {
            let pasts: Vec<Past> =
                self.wanted.iter().map(|w| (self.past)(w.series, &self.key.1, *at)).collect();
            self.slot(*at, cell, &pasts, &largest, needs, spread);
            if cell.trust == Trust::Counted {
                for (largest, value) in largest.iter_mut().zip(cell.values.iter().zip(&cell.withheld)) {
                    *largest = (*largest).max(value.0.minus(*value.1));
                }
            }
        }
    }

    fn slot(
        &self,
        at: Ts,
        cell: &mut Cell,
        pasts: &[Past],
        largest: &[Events],
        needs: &mut Needs,
        spread: &mut Spread,
    ) {
        if pasts.iter().any(ruled) {
            return reuse(cell, pasts);
        }
        book(cell, Events::ZERO, Trust::Counted);
        if at < self.counted.grid.first {
            return;
        }
        let births = &self.counted.births;
        if self.is_first(at, pasts) {
            return match births.newborn_of(self.key, at, cell) {
                Known::Is(Events::ZERO) => {}
                Known::Is(newborn) => book(cell, newborn, Trust::Estimated),
                Known::Failed => doubt(cell, cell.count),
                Known::NotAsked => {
                    needs.newborn(self.key.0, at);
                    doubt(cell, cell.count);
                }
            };
        }
        let limits: Vec<Events> = (0..self.wanted.len()).map(|i| self.limit(i, at, pasts, largest)).collect();
        let exceeds = |values: &[Events]| values.iter().zip(&limits).any(|(value, limit)| value > limit);
        if !exceeds(&cell.values) {
            return;
        }
        match births.newborn_of(self.key, at, cell) {
            Known::Is(newborn) if !exceeds(&cell.share(newborn)) => {}
            Known::Is(newborn) => {
                doubt(cell, newborn);
                match births.evidence.get(&(self.key.0, at)) {
                    None => {
                        needs.evidence.entry(at).or_default().insert(self.key.0);
                    }
                    Some(None) => {}
                    Some(Some(evidence)) => {
                        if evidence.lacks_returning(self.key) {
                            needs.returning.entry(at).or_default().insert(self.key.0);
                        }
                        self.rule(at, cell, evidence, spread);
                    }
                }
            }
            Known::Failed => doubt(cell, cell.count),
            Known::NotAsked => {
                needs.newborn(self.key.0, at);
                doubt(cell, cell.count);
            }
        }
    }

    /// The first slot of all events ever seen: its series may have lived long before. Bad events
    /// are often born later than their total, and are only looked at when they are many.
    fn is_first(&self, at: Ts, pasts: &[Past]) -> bool {
        let role = |w: &Wanted| w.role.total || w.role.good_of.is_some();
        self.begins == Some(at) && pasts.iter().all(|p| !p.begun) && self.wanted.iter().any(role)
    }

    fn rule(&self, at: Ts, cell: &mut Cell, evidence: &Evidence, spread: &mut Spread) {
        let gap = (at.minus(self.gap()), at.plus(Span::from_mins(1)));
        let verdict: Verdict = evidence.rule(self.key, gap);
        book(cell, verdict.withheld.min(cell.count), verdict.trust);
        if verdict.returning > Events::ZERO {
            let shares = cell.share(verdict.returning);
            let here = spread.add(self.counted, self.key, at, verdict.seen, &shares);
            for (withheld, here) in cell.withheld.iter_mut().zip(&here) {
                *withheld = withheld.minus(*here);
            }
        }
    }

    /// A process that began within this time before a slot's end explains what is newborn in it.
    fn gap(&self) -> Span {
        let slot = self.counted.slot();
        Span::from_secs_saturating(slot.secs() + self.counted.group.lookback(slot).secs())
    }

    /// What a series may reach unasked. Good events are measured by their total, so that they are
    /// never in doubt while the total is not: that alone would turn them bad.
    fn limit(&self, i: usize, at: Ts, pasts: &[Past], largest: &[Events]) -> Events {
        let Some(wanted) = self.wanted.get(i) else { return Events::ZERO };
        let total = wanted.role.good_of.map(|total| (self.past)(total, &self.key.1, at).largest);
        let usual = [pasts.get(i).map(|p| p.largest), largest.get(i).copied(), total];
        let usual = usual.into_iter().flatten().max().unwrap_or_default();
        let floor = if wanted.role.bad { Events::whole(10) } else { Events::whole(100) };
        usual.scaled(3, 1).max(floor)
    }
}

/// Withholds a part of the count from every value alike.
fn book(cell: &mut Cell, withheld: Events, trust: Trust) {
    cell.withheld = cell.share(withheld);
    cell.trust = trust;
    cell.open = false;
}

/// Leaves a part of the count out until it is investigated.
fn doubt(cell: &mut Cell, part: Events) {
    book(cell, part, Trust::Partial);
    cell.open = true;
}

/// Nothing withheld is no ruling: what could not be read or investigated then is looked at anew.
fn ruled(past: &Past) -> bool {
    past.ruling.is_some_and(|ruling| ruling.withheld != Events::ZERO)
}

/// What was ruled before holds still, so that asking again changes nothing.
fn reuse(cell: &mut Cell, pasts: &[Past]) {
    cell.trust = Trust::Counted;
    cell.open = false;
    for (withheld, past) in cell.withheld.iter_mut().zip(pasts) {
        *withheld = past.ruling.map_or(Events::ZERO, |ruling| ruling.withheld);
        if let Some(ruling) = past.ruling
            && ruling.trust != Trust::Counted
        {
            cell.trust = ruling.trust;
        }
    }
}
