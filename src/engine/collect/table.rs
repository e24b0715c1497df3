//! What is known so far: one cell per member, group and slot.

use std::collections::BTreeMap;

use crate::engine::fact::Trust;
use crate::slo::model::Labels;
use crate::slo::time::Ts;
use crate::slo::unit::Events;

/// A member's position and a group's labels.
pub(super) type Key = (usize, Labels);

/// One group's slots.
pub(super) type Row = BTreeMap<Ts, Cell>;

/// All groups' slots.
pub(super) type Table = BTreeMap<Key, Row>;

/// One slot of one group.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Cell {
    /// All events counted; what rulings are about.
    pub count: Events,
    /// The value of each series wanted, in the member's order.
    pub values: Vec<Events>,
    /// Withheld of each.
    pub withheld: Vec<Events>,
    /// How far it can be trusted.
    pub trust: Trust,
    /// Not a number, or not counted yet: nothing is known.
    pub unreadable: bool,
    /// What is withheld, or not counted yet, waits for a question that follows.
    pub open: bool,
    /// No series of the group existed before the slot.
    pub all_new: bool,
    /// What is booked of each value and holds; empty where all are told anew.
    pub held: Vec<Option<Events>>,
}

impl Cell {
    pub(super) fn counted(count: Events, values: Vec<Events>, all_new: bool) -> Self {
        let withheld = vec![Events::ZERO; values.len()];
        let held = Vec::new();
        Self { count, values, withheld, trust: Trust::Counted, unreadable: false, open: false, all_new, held }
    }

    pub(super) fn unreadable(wanted: usize) -> Self {
        Self {
            unreadable: true,
            trust: Trust::Partial,
            ..Self::counted(Events::ZERO, vec![Events::ZERO; wanted], false)
        }
    }

    /// The part of each value that corresponds to a part of the count.
    pub(super) fn share(&self, of_count: Events) -> Vec<Events> {
        let share = |value: &Events| match self.count == Events::ZERO {
            true => Events::ZERO,
            false => value.scaled(of_count.thousandths(), self.count.thousandths()),
        };
        self.values.iter().map(share).collect()
    }

    /// What is booked of a value and holds.
    pub(super) fn held(&self, position: usize) -> Option<Events> {
        self.held.get(position).copied().flatten()
    }

    /// Withholds nothing of what holds.
    pub(super) fn hold(&mut self) {
        for (withheld, _) in self.withheld.iter_mut().zip(&self.held).filter(|(_, held)| held.is_some()) {
            *withheld = Events::ZERO;
        }
    }

    /// No events at all.
    pub(super) fn is_idle(&self) -> bool {
        !self.unreadable
            && self.trust == Trust::Counted
            && self.count == Events::ZERO
            && self.withheld.iter().all(|w| *w == Events::ZERO)
    }
}
