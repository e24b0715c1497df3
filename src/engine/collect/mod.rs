//! Answers → facts, with the follow-up questions that doubtful answers need.
//!
//! One [`Collect`] fills some slots of one query group. It is a pure machine: [`Collect::begin`] gives
//! the first questions of a tick, [`Collect::fill`] those of history, each [`Collect::answer`] may give
//! more, [`Collect::finish`] gives what is known.
//!
//! ```text
//! main ─▶ joined, where the cheap form proves nothing ─▶ births, where a slot is suspicious
//!                                       ─▶ young, where a total had no events ─▶ facts
//! ```
//!
//! Everything is pessimistic until proved: a slot that waits for a follow-up already holds what
//! it will be if that follow-up fails or never comes, so a deadline may cut in at any point.

mod ask;
mod births;
mod buckets;
mod counted;
mod direct;
mod emit;
mod evidence;
mod judge;
mod needs;
mod questions;
mod read;
mod spread;
mod table;
#[cfg(test)]
#[expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "small whole numbers, exact in a float")]
mod tests;
mod timeslice;
mod young;

use std::sync::Arc;

pub use ask::{Ask, AskId, Grid};
pub use buckets::Doubt;

use crate::engine::fact::{Facts, SeriesIx, Tier, Trust};
use crate::engine::plan::{Form, QueryGroup};
use crate::engine::sample::{Answer, Failure, FailureKind};
use crate::slo::model::Labels;
use crate::slo::time::Ts;
use crate::slo::unit::Events;

/// Slots that are told anew at most, and whose rulings are kept for that; what is booked of older ones
/// holds. Ten minutes at the smallest step, for which a slot that was left open is asked again.
pub const TOLD_ANEW: usize = 128;

/// What the ledger knows about one group of one series at one slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Past {
    /// The largest slot of the day before, scaled to the length of the slots asked now.
    pub largest: Events,
    /// What was ruled about this very slot before; where something was withheld, used again
    /// instead of investigating again.
    pub ruling: Option<Ruling>,
    /// Whether any earlier slot of the series was answered. Without, the first slot of a total
    /// (and of good events) books differences only.
    pub begun: bool,
    /// Whether the group had no young sample in the slot before.
    pub stale: bool,
    /// What is booked of this very slot; nothing, where it is not known.
    pub booked: Events,
    /// Whether the slot was told of before, with the group or without, and its samples had not stopped.
    pub told: bool,
    /// Whether the slot was told of while the group was counted among those beyond the limit.
    pub among: bool,
    /// Whether anything was ruled about those then: what came back among them is spread already.
    pub ruled_among: bool,
}

impl Past {
    /// Whether what is booked of this very slot holds when it is asked again for the sake of others.
    fn holds(&self) -> bool {
        self.told || self.among
    }

    /// What it is taken for then; of those beyond the limit only the ledger knows.
    fn held(&self, value: Events) -> Events {
        if self.among { value } else { self.booked }
    }
}

/// An earlier decision on a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ruling {
    /// What was withheld.
    pub withheld: Events,
    /// How far the slot could be trusted.
    pub trust: Trust,
}

/// Looks into the ledger. Asked with the series, the group's labels and the slot's end.
pub type LookUp<'a> = &'a dyn Fn(SeriesIx, &Labels, Ts) -> Past;

/// The slots of one query group being filled.
#[derive(Debug)]
pub struct Collect {
    group: Arc<QueryGroup>,
    grid: Grid,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Time slices and direct ratios: one question, no follow-ups.
    Own { ask: Option<AskId>, answer: Answer },
    /// Everything that counts events.
    Counted(Box<counted::Counted>),
}

impl Collect {
    /// Fills the slots that end after `from` and not after `to`. Gives the first questions;
    /// none when there is no whole slot in the range. Keep ranges to 1000 points of
    /// [`QueryGroup::spacing`].
    pub fn begin(group: &Arc<QueryGroup>, tier: Tier, from: Ts, to: Ts) -> (Self, Vec<Ask>) {
        Self::on(group, Grid::new(tier, group.step, from, to))
    }

    /// The same for history: what is known of these slots holds, and only what is not known of them is
    /// filled. To be booked with [`Ledger::fill`](crate::engine::ledger::Ledger::fill).
    pub fn fill(group: &Arc<QueryGroup>, tier: Tier, from: Ts, to: Ts) -> (Self, Vec<Ask>) {
        Self::on(group, Grid::of_gaps(tier, group.step, from, to))
    }

    fn on(group: &Arc<QueryGroup>, grid: Grid) -> (Self, Vec<Ask>) {
        let (state, asks) = match group.form {
            Form::Timeslice { slice, .. } => own(timeslice::ask(group, &grid, slice)),
            Form::Direct { .. } => own(direct::ask(group, &grid)),
            _ => {
                let (counted, asks) = counted::Counted::begin(Arc::clone(group), grid);
                (State::Counted(Box::new(counted)), asks)
            }
        };
        (Self { group: Arc::clone(group), grid, state }, asks)
    }

    /// Takes an answer and gives the questions that follow from it. An answer to a question that
    /// was not asked, or was answered before, changes nothing.
    pub fn answer(&mut self, ask: AskId, answer: Answer, past: LookUp<'_>) -> Vec<Ask> {
        match &mut self.state {
            State::Own { ask: own, answer: kept } => {
                if *own == Some(ask) {
                    *own = None;
                    *kept = answer;
                }
                Vec::new()
            }
            State::Counted(counted) => counted.answer(ask, &answer, past),
        }
    }

    /// Whether every question has its answer.
    pub fn is_done(&self) -> bool {
        match &self.state {
            State::Own { ask, .. } => ask.is_none(),
            State::Counted(counted) => counted.is_done(),
        }
    }

    /// Slots of which something is left out now, as questions that followed have no answer.
    pub fn open(&self) -> Vec<(SeriesIx, Ts)> {
        match &self.state {
            State::Counted(counted) => counted.open(),
            State::Own { .. } => Vec::new(),
        }
    }

    /// What is known now. Questions without an answer count as failed.
    pub fn finish(self) -> Vec<Facts> {
        match (self.state, &self.group.form) {
            (State::Counted(counted), _) => counted.finish(),
            (State::Own { answer, .. }, Form::Direct { .. }) => {
                direct::facts(&self.group, &self.grid, &answer)
            }
            (State::Own { answer, .. }, _) => timeslice::facts(&self.group, &self.grid, &answer),
        }
    }
}

fn own(ask: Option<Ask>) -> (State, Vec<Ask>) {
    let unanswered = Failure { kind: FailureKind::Timeout, message: "not answered in time".to_owned() };
    let state = State::Own { ask: ask.as_ref().map(|a| a.id), answer: Answer::Failed(unanswered) };
    (state, ask.into_iter().collect())
}
