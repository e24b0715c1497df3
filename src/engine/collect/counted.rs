//! The machine behind every form that counts events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::LookUp;
use super::ask::{Ask, AskId, Grid};
use super::births::Births;
use super::read::{self, Said};
use super::spread::Reach;
use super::table::{Cell, Key, Table};
use super::young::Gone;
use super::{births, emit, young};
use crate::engine::fact::{Facts, SeriesIx};
use crate::engine::plan::{Form, Narrow, QueryGroup};
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
    pub(super) doubtful: BTreeSet<(Key, Ts)>,
    /// How far back returning series may be spread.
    pub(super) reach: Reach,
    /// Slots without events in which nothing exists.
    pub(super) gone: Gone,
    stage: Stage,
    pub(super) pending: BTreeMap<AskId, Purpose>,
    pub(super) next: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Main,
    Joined,
    Births,
    Young,
}

/// What a question is for.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Purpose {
    Main(Range),
    Joined(Range),
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

    pub(super) fn open(&self) -> Vec<(SeriesIx, Ts)> {
        emit::open(self)
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
            (Purpose::Joined(range), Some(frames)) => self.take_joined(frames, range),
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
            (Purpose::Main(_) | Purpose::Joined(_) | Purpose::Young(_), None) => {}
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
                        Cell { all_new, open: true, ..Cell::unreadable(member.wanted.len()) }
                    }
                };
                self.table.entry(key.clone()).or_default().insert(at, cell);
            }
        }
    }

    fn take_joined(&mut self, frames: &[Frame], (first, last): Range) {
        let asked = self.table.values_mut().flat_map(|row| row.range_mut(first..=last));
        asked.for_each(|(_, cell)| cell.open = false);
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

    /// The slot length.
    pub(super) fn slot(&self) -> Span {
        self.grid.slot
    }
}
