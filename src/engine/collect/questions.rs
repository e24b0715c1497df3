//! The questions of each stage.

use std::collections::BTreeSet;

use super::ask::{Ask, AskId, pieces, query};
use super::counted::{Counted, Purpose, Range};
use super::needs::Needs;
use super::young;
use crate::engine::plan::{Form, Narrow, evidence, form};
use crate::slo::time::Span;

impl Counted {
    /// Asks the main query over a range, in pieces.
    pub(super) fn ask_main(&mut self, narrow: &Narrow, range: Range) -> Vec<Ask> {
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

    /// Asks in the joined form for what the cheap one proved nothing about.
    pub(super) fn ask_joined(&mut self) -> Vec<Ask> {
        let doubtful = std::mem::take(&mut self.doubtful);
        let Some((narrow, range)) = Needs::around(doubtful.iter().map(|(key, at)| (key, *at))) else {
            return Vec::new();
        };
        let promql = form::joined(&self.group, &narrow, self.grid.slot);
        self.ask_range(Purpose::Joined, &promql, range)
    }

    /// Asks what rulings on births need.
    pub(super) fn ask_births(&mut self, needs: &Needs) -> Vec<Ask> {
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

    /// Asks about totals without events.
    pub(super) fn ask_young(&mut self) -> Vec<Ask> {
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
}
