//! One part of a composite at one moment.

use std::ops::Deref;
use std::rc::Rc;

use super::pool::{Pool, Pools};
use crate::engine::condition::as_it_is;
use crate::engine::ledger::Ledger;
use crate::engine::plan::{Planned, PlannedPart};
use crate::engine::step::{Observed, targets_of_member};
use crate::engine::window::Counts;
use crate::slo::model::{AbsentMeans, Sli};
use crate::slo::time::Ts;
use crate::slo::unit::Events;

/// How much is known of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Knows {
    /// Nothing at the moment.
    Nothing,
    /// Some of its groups.
    Some,
    /// All.
    All,
}

/// A window of a part, for people.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// Nothing is known of it.
    Unknown,
    /// It is known, and nothing happened.
    Idle,
    /// The share of bad events.
    Ratio(f64),
}

/// One part, and what is known of it.
pub(super) struct Read<'a> {
    pub(super) part: &'a PlannedPart,
    pool: Rc<Pool<'a>>,
}

impl<'a> Read<'a> {
    pub(super) fn part(
        whole: &Planned,
        part: &'a PlannedPart,
        ledger: &'a Ledger,
        observed: &Observed,
        at: Ts,
        pools: &Pools<'a>,
    ) -> Self {
        let pool = match &part.member {
            Ok(member) => {
                let targets = targets_of_member(whole, member, observed, at);
                let means = observed.absence_of(member, at);
                pools.of(member, part.named.group.as_ref(), ledger, (targets, means), at)
            }
            Err(why) => Rc::new(Pool::without(why, at)),
        };
        Self { part, pool }
    }

    /// What a window says to people.
    pub(super) fn value(&self, counts: &Counts) -> Value {
        let (bad, total) = as_it_is(counts, self.absent);
        let is_idle = self.knows != Knows::Nothing && self.absent != AbsentMeans::Unknown;
        if total > Events::ZERO && counts.covered + counts.absent > 0 {
            Value::Ratio(bad.as_f64() / total.as_f64())
        } else if counts.covered > 0 || is_idle && counts.absent > 0 {
            Value::Idle
        } else {
            Value::Unknown
        }
    }

    /// Whether a bad event is a whole time slice, of which one is not too few.
    pub(super) fn is_timeslice(&self) -> bool {
        self.part.member.as_ref().is_ok_and(|member| matches!(member.slo.sli, Sli::Timeslice(_)))
    }
}

impl<'a> Deref for Read<'a> {
    type Target = Pool<'a>;

    fn deref(&self) -> &Pool<'a> {
        &self.pool
    }
}
