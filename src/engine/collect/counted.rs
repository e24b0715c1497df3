//! The machine behind every form that counts events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::LookUp;
use super::ask::{Ask, AskId, Grid, pieces, query};
use super::births::Births;
use super::needs::Needs;
use super::read::{self, Said};
use super::spread::Reach;
use super::table::{Cell, Key, Table};
use super::young::Gone;
use super::{births, emit, young};
use crate::engine::fact::Facts;
use crate::engine::plan::{Form, Narrow, QueryGroup, evidence, form};
use crate::engine::sample::{Answer, Frame};
use crate::slo::time::{Span, Ts};

/// A range of slots by their ends, both included.
pub(super) type Range = (Ts, Ts);

#[derive(Debug)]
pub(super) struct Counted {
    pub(super) group: Arc<QueryGroup>,
    pub(super) grid: Grid,
    pub(super) table: Table,
    /// Ranges whose main query failed or has not been answered.
    pub(super) unknown: Vec<Range>,
    pub(super) births: Births,
    /// Cells that wait for the joined form.
    doubtful: BTreeSet<(Key, Ts)>,
    /// How far back returning series may be spread.
    pub(super) reach: Reach,
    /// Slots without events in which nothing exists.
    pub(super) gone: Gone,
    stage: Stage,
    pending: BTreeMap<AskId, Purpose>,
    next: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Main,
    Joined,
    Births,
    Young,
}

#[derive(Clone, PartialEq, Debug)]
enum Purpose {
    Main(Range),
    Joined,
    Newborn(BTreeSet<usize>, Range),
    Evidence(BTreeSet<usize>, Ts),
    Returning(BTreeSet<usize>, Ts),
    Young(Range),
}

impl Counted {
    pub(super) fn begin(group: Arc<QueryGroup>, grid: Grid) -> (Self, Vec<Ask>) {
        let mut new = Self {
            reach: Reach::new(&grid),
            group,
            grid,
            table: Table::new(),
            unknown: Vec::new(),
            births: Births::default(),
            doubtful: BTreeSet::new(),
            gone: Gone::default(),
            stage: Stage::Main,
            pending: BTreeMap::new(),
            next: 0,
        };
        let all = Narrow { members: (0..new.group.members.len()).collect(), ..Narrow::default() };
        let asks = new.ask_main(&all, (grid.first, grid.last));
        (new, asks)
    }

    pub(super) fn is_done(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn finish(self) -> Vec<Facts> {
        emit::facts(&self)
    }

    pub(super) fn answer(&mut self, ask: AskId, answer: &Answer, past: LookUp<'_>) -> Vec<Ask> {
        let Some(purpose) = self.pending.remove(&ask) else { return Vec::new() };
        let frames = match answer {
            Answer::Frames { frames, .. } => Some(frames.as_slice()),
            Answer::Failed(_) => None,
        };
        self.take(purpose, frames);
        if self.pending.is_empty() { self.advance(past) } else { Vec::new() }
    }

    fn take(&mut self, purpose: Purpose, frames: Option<&[Frame]>) {
        match (purpose, frames) {
            (Purpose::Main(range), Some(frames)) => {
                self.unknown.retain(|other| *other != range);
                self.take_main(frames, range);
            }
            (Purpose::Joined, Some(frames)) => self.take_joined(frames),
            (Purpose::Newborn(members, range), frames) => {
                self.births.newborn(&self.group, members, range, frames)
            }
            (Purpose::Evidence(members, at), frames) => {
                self.births.evidence(&self.group, members, at, frames)
            }
            (Purpose::Returning(members, at), frames) => {
                self.births.returning(&self.group, &members, at, frames);
            }
            (Purpose::Young(range), Some(frames)) => young::take(self, range, frames),
            (Purpose::Main(_) | Purpose::Joined | Purpose::Young(_), None) => {}
        }
    }

    fn take_main(&mut self, frames: &[Frame], range: Range) {
        for (key, points) in read::points(&self.group, frames) {
            let Some(member) = self.group.members.get(key.0) else { continue };
            for (&at, point) in points.range(range.0..=range.1) {
                let before = points.get(&at.minus(self.grid.slot));
                let cell = match read::main(&self.group.form, member, point, before) {
                    Said::Nothing => continue,
                    Said::Cell(cell) => cell,
                    Said::Restarted(cell) => {
                        self.doubtful.insert((key.clone(), at));
                        cell
                    }
                    Said::Doubtful { all_new } => {
                        self.doubtful.insert((key.clone(), at));
                        Cell { all_new, ..Cell::unreadable(member.wanted.len()) }
                    }
                };
                self.table.entry(key.clone()).or_default().insert(at, cell);
            }
        }
    }

    fn take_joined(&mut self, frames: &[Frame]) {
        for (key, points) in read::points(&self.group, frames) {
            let Some(row) = self.table.get_mut(&key) else { continue };
            let member =
                self.group.members.get(key.0).filter(|_| matches!(self.group.form, Form::Native { .. }));
            for (at, point) in points {
                if let (Some(member), Some(cell)) = (member, row.get_mut(&at)) {
                    read::add_before_resets(cell, member, &point);
                    continue;
                }
                let Some(cell) = row.get_mut(&at).filter(|cell| cell.unreadable) else { continue };
                let Some(count) = read::events(&point, "d") else { continue };
                *cell = Cell::counted(count, vec![count; cell.values.len()], cell.all_new);
            }
        }
    }

    /// Goes on to the next stage that has something to ask.
    fn advance(&mut self, past: LookUp<'_>) -> Vec<Ask> {
        loop {
            let asks = match self.stage {
                Stage::Main => {
                    self.stage = Stage::Joined;
                    self.ask_joined()
                }
                Stage::Joined | Stage::Births => {
                    self.stage = Stage::Births;
                    let needs = births::judge(self, past);
                    self.ask_births(&needs)
                }
                Stage::Young => {
                    young::end(self, past);
                    return Vec::new();
                }
            };
            if !asks.is_empty() {
                return asks;
            }
            if self.stage == Stage::Births {
                return self.after_births();
            }
        }
    }

    /// Spreading may need slots older than the ones asked for: they are asked for once.
    fn after_births(&mut self) -> Vec<Ask> {
        if let Some((members, range)) = self.reach.wider(&self.grid) {
            self.stage = Stage::Main;
            return self.ask_main(&Narrow { members, ..Narrow::default() }, range);
        }
        self.stage = Stage::Young;
        self.ask_young()
    }

    fn ask_main(&mut self, narrow: &Narrow, range: Range) -> Vec<Ask> {
        let promql = form::main(&self.group, self.group.narrowed(narrow), self.grid.slot);
        let ranges = pieces(range.0, range.1, self.grid.slot);
        self.unknown.extend(&ranges);
        // The sums of counters are taken from those of a slot before.
        let lead = if self.group.form == Form::Counter { self.grid.slot } else { Span::ZERO };
        let mut ask = |piece: Range| {
            let points = (piece.0.minus(lead), piece.1);
            self.ask(Purpose::Main(piece), promql.clone(), points)
        };
        ranges.into_iter().map(&mut ask).collect()
    }

    fn ask_joined(&mut self) -> Vec<Ask> {
        let doubtful = std::mem::take(&mut self.doubtful);
        let Some((narrow, range)) = Needs::around(doubtful.iter().map(|(key, at)| (key, *at))) else {
            return Vec::new();
        };
        let promql = form::joined(&self.group, &narrow, self.grid.slot);
        self.ask_range(|_| Purpose::Joined, &promql, range)
    }

    fn ask_births(&mut self, needs: &Needs) -> Vec<Ask> {
        let slot = self.grid.slot;
        let of = |members: &BTreeSet<usize>| Narrow { members: members.clone(), ..Narrow::default() };
        let mut asks = Vec::new();
        if let Some((first, last)) = needs.newborn_range {
            let promql = evidence::newborn(&self.group, &of(&needs.newborn), slot);
            for piece in pieces(first, last, slot) {
                asks.push(self.ask(Purpose::Newborn(needs.newborn.clone(), piece), promql.clone(), piece));
            }
        }
        for (at, members) in &needs.evidence {
            let promql = evidence::evidence(&self.group, &of(members), slot);
            asks.push(self.ask(Purpose::Evidence(members.clone(), *at), promql, (*at, *at)));
        }
        for (at, members) in &needs.returning {
            let promql = evidence::returning(&self.group, &of(members), slot);
            asks.push(self.ask(Purpose::Returning(members.clone(), *at), promql, (*at, *at)));
        }
        asks
    }

    fn ask_young(&mut self) -> Vec<Ask> {
        let idle = young::doubt(&mut self.table, &self.group);
        let Some((narrow, range)) = Needs::around(idle.iter().map(|(key, at)| (key, *at))) else {
            return Vec::new();
        };
        let promql = form::young(&self.group, &narrow, self.grid.slot);
        self.ask_range(Purpose::Young, &promql, range)
    }

    fn ask_range(&mut self, purpose: fn(Range) -> Purpose, promql: &str, range: Range) -> Vec<Ask> {
        let ranges = pieces(range.0, range.1, self.grid.slot);
        ranges.into_iter().map(|piece| self.ask(purpose(piece), promql.to_owned(), piece)).collect()
    }

    fn ask(&mut self, purpose: Purpose, promql: String, range: Range) -> Ask {
        let id = AskId(self.next);
        self.next += 1;
        self.pending.insert(id, purpose);
        Ask { id, query: query(&self.group, promql, range, self.grid.slot) }
    }

    /// The slot length.
    pub(super) fn slot(&self) -> Span {
        self.grid.slot
    }
}
