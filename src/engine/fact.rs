//! Slices as facts: absolute, idempotent values that a series of slices is told, in any order and any number of times.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use crate::slo::model::{Comparison, Labels, Reduce};
use crate::slo::query::Atom;
use crate::slo::time::{Span, Step, Ts};
use crate::slo::unit::Events;

/// Identity of one series of slices. Shared by every SLO that counts the same thing, and never
/// a part of an SLO's identity, so that editing an SLO keeps what is still the same.
#[derive(Clone, PartialEq, Debug)]
pub struct SeriesKey {
    /// The source asked.
    pub source: String,
    /// What is counted.
    pub what: What,
    /// Group labels, sorted; empty for one total.
    pub by: Vec<String>,
    /// The slice length.
    pub step: Step,
}

/// What a series counts.
#[derive(Clone, PartialEq, Debug)]
pub enum What {
    /// Events of a selector.
    Atom(Atom),
    /// Time slices with a verdict (`bad: false`), or those found bad (`bad: true`).
    Timeslice {
        /// PromQL as written.
        query: String,
        /// When the reduced value is good.
        good: Comparison,
        /// Length of a time slice.
        slice: Span,
        /// How points become one value.
        reduce: Reduce,
        /// Which of the two counts.
        bad: bool,
    },
    /// Five-minute ratios of a direct query: one event each (`bad: false`), or its bad share (`bad: true`).
    Direct {
        /// PromQL with `{{.window}}`.
        error_ratio: String,
        /// Which of the two counts.
        bad: bool,
    },
}

/// Position of a series in the plan and in the ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SeriesIx(pub u32);

/// The grid a fact lies on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Tier {
    /// Slices of one step.
    Fine,
    /// Five minutes: the coarsest grid backfill asks at.
    FiveMinutes,
}

impl Tier {
    /// Length of one slot.
    pub const fn span(self, step: Step) -> Span {
        match self {
            Self::Fine => step.span(),
            Self::FiveMinutes => Span::from_mins(5),
        }
    }
}

/// What is now known about one series over some slots.
#[derive(Clone, PartialEq, Debug)]
pub struct Facts {
    /// Which series.
    pub series: SeriesIx,
    /// On which grid.
    pub tier: Tier,
    /// One entry per slot, oldest first, no slot twice.
    pub slots: Vec<SlotFact>,
}

impl Facts {
    /// Takes slots back to unknown. With one in which something came back, what it spread over goes, too:
    /// it is spread when that slot is told.
    pub fn take_back(&mut self, is_unknown: impl Fn(Ts) -> bool) {
        let mut came_back = false;
        for slot in self.slots.iter_mut().filter(|slot| is_unknown(slot.end)) {
            came_back |= slot.state.groups().iter().any(|fact| fact.withheld > Events::ZERO);
            slot.state = SlotState::Unknown;
        }
        if !came_back {
            return;
        }
        let has_share = |slot: &SlotFact| slot.state.groups().iter().any(|fact| fact.withheld < Events::ZERO);
        for slot in self.slots.iter_mut().filter(|slot| has_share(slot)) {
            slot.state = SlotState::Unknown;
        }
    }
}

/// One slot `(end − span, end]` of one series.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SlotFact {
    /// The slot's end, aligned to its tier.
    pub end: Ts,
    /// What is known.
    pub state: SlotState,
}

/// What is known about one slot.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum SlotState {
    /// The source answered and at least one group exists. A group that is known to the ledger
    /// and not listed had no events.
    Known(Vec<GroupFact>),
    /// The source answered in whole, and no group exists.
    Absent,
    /// Nothing can be concluded.
    Unknown,
}

impl SlotState {
    /// The groups of which something is known.
    pub fn groups(&self) -> &[GroupFact] {
        match self {
            Self::Known(groups) => groups,
            Self::Absent | Self::Unknown => &[],
        }
    }
}

/// One group in one slot.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GroupFact {
    /// The group's label values.
    pub group: Labels,
    /// What the expression gave; may be negative for `total − good`.
    pub raw: Events,
    /// What was ruled not to have happened in this slot: a life that only looked newborn, or
    /// (negative) the share of a returning series that is spread over the slots it was missing.
    /// Booked is `raw − withheld`.
    pub withheld: Events,
    /// How far the value can be trusted.
    pub trust: Trust,
}

/// How far a group's value can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Trust {
    /// Counted, with a sample young enough.
    Counted,
    /// Counted, but spread or proved only in part.
    Estimated,
    /// No young sample: nothing is known yet. A later counted slot within the lookback closes
    /// the gap, because its difference reaches back over it.
    Stale,
    /// A part was withheld without proof either way; the slot is not whole.
    Partial,
    /// It cannot be read, or a question about it that follows has no answer: so much at least. It
    /// takes nothing away from what was told of the slot before.
    Open,
    /// What is booked of the slot holds; `withheld`, where it is negative, is the share of a returning
    /// series on top. `raw` is what was booked when it was asked, or of a group beyond the limit what the
    /// expression gave. Never written: a ledger makes of it what it comes to.
    Held,
}

impl SeriesKey {
    /// The distance between its facts: a slice, a time slice, or the five minutes of a direct ratio.
    pub fn grid(&self) -> Span {
        match &self.what {
            What::Atom(_) => self.step.span(),
            What::Timeslice { slice, .. } => (*slice).max(self.step.span()),
            What::Direct { .. } => Span::from_mins(5),
        }
    }

    /// A short id of the identity, stable over releases.
    pub fn id(&self) -> u64 {
        Digest::of(&[&self.to_string()]).short()
    }
}

/// The stable text of the identity: what the store files the series under.
impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} every {} by ({}): ", self.source, self.step.span(), self.by.join(","))?;
        match &self.what {
            What::Atom(atom) => write!(f, "{:?} of {}", atom.counting, atom.selector),
            What::Timeslice { query, good, slice, reduce, bad } => {
                write!(
                    f,
                    "{} slices of {slice}, {reduce:?} {:?} {}: {query}",
                    verdict(*bad),
                    good.op,
                    good.value
                )
            }
            What::Direct { error_ratio, bad } => write!(f, "{} ratios: {error_ratio}", verdict(*bad)),
        }
    }
}

fn verdict(bad: bool) -> &'static str {
    if bad { "bad" } else { "all" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_taken_back_with_the_slot_from_which_they_are_spread() {
        let slot = |(end, withheld): (i64, i64)| {
            let (raw, withheld) = (Events::whole(100), Events::whole(withheld));
            let fact = GroupFact { group: Labels::new(), raw, withheld, trust: Trust::Estimated };
            SlotFact { end: Ts(end), state: SlotState::Known(vec![fact]) }
        };
        let told = Facts {
            series: SeriesIx(0),
            tier: Tier::Fine,
            slots: [(30, 0), (60, -5), (90, 40), (120, 0)].map(slot).to_vec(),
        };
        let left = |taken: i64| {
            let mut facts = told.clone();
            facts.take_back(|end| end == Ts(taken));
            let known = facts.slots.iter().filter(|slot| slot.state != SlotState::Unknown);
            known.map(|slot| slot.end.0).collect::<Vec<_>>()
        };
        assert_eq!(left(90), [30, 120]);
        assert_eq!(left(120), [30, 60, 90]);
    }
}
