//! What was answered, held against what is booked.

use std::collections::BTreeMap;

use crate::engine::collect::Past;
use crate::engine::fact::{Facts, GroupFact, SeriesIx, SlotFact, SlotState, Tier, Trust};
use crate::engine::ledger::{FINE_REACH, Group, Ledger, Series, is_other};
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// Thousandths of an event by which two sums of the same numbers may differ, at least.
const ROUNDING: i64 = 2;
/// Units in the last place by which two sums of the same floats may differ: they are added up in whatever
/// order the source reads them.
const LAST_PLACES: f64 = 64.0;

/// One slice of one series and group.
pub type Slice = (u64, Labels, Ts);

/// A slice that is not what the source says now.
#[derive(Clone, PartialEq, Debug)]
pub struct Drift {
    /// The id of the series.
    pub series: u64,
    /// The group's label values.
    pub group: Labels,
    /// Where the slice ends.
    pub end: Ts,
    /// How long it is.
    pub width: Span,
    /// What the source would have to say.
    pub booked: Events,
    /// What it says.
    pub asked: Events,
}

/// What one series' answer came to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Compared {
    /// As booked.
    pub equal: Vec<Slice>,
    /// The source has nothing there any more.
    pub gone: Vec<Slice>,
    /// Different.
    pub different: Vec<Drift>,
}

/// Everything is usual and begun: what an audit reads is what was counted, and not what follows from
/// what is newly born in it.
pub fn same(_: SeriesIx, _: &Labels, _: Ts) -> Past {
    Past { largest: Events::from_thousandths(i64::MAX), begun: true, ..Past::default() }
}

/// Compares each slot of an answer but the first, which only tells where the source's data begin. A slot is
/// the difference of two sums, of which `largest` is the largest that was answered.
pub fn compare(ledger: &Ledger, facts: &Facts, largest: f64) -> Compared {
    let mut compared = Compared::default();
    let Some(series) = ledger.series(facts.series).filter(|_| facts.tier == Tier::Fine) else {
        return compared;
    };
    let key = &series.keep().key;
    let width = key.grid().max(key.step.span());
    let rounding = rounding(largest);
    for (before, slot) in facts.slots.iter().zip(facts.slots.iter().skip(1)) {
        let from = slot.end.minus(width);
        if before.end == from && is_settled(series, from, slot.end) {
            Look { series, width, before, slot, rounding }.compare(&mut compared);
        }
    }
    compared
}

/// Thousandths of an event that are none, in differences of sums as large as this.
fn rounding(largest: f64) -> i64 {
    let events = Events::from_f64(largest.abs() * f64::EPSILON * LAST_PLACES);
    events.map_or(i64::MAX, Events::thousandths).max(ROUNDING)
}

/// Known whole, on the grid of slices, and not the first of all.
fn is_settled(series: &Series, from: Ts, end: Ts) -> bool {
    let answered = series.answered();
    let fine = answered.last().is_some_and(|newest| newest.since(from) < FINE_REACH);
    let known = answered.overlap(from, end) == end.since(from).secs();
    fine && known && series.first_known().is_none_or(|first| first < from)
}

struct Look<'a> {
    series: &'a Series,
    width: Span,
    before: &'a SlotFact,
    slot: &'a SlotFact,
    /// Thousandths.
    rounding: i64,
}

impl Look<'_> {
    fn compare(&self, compared: &mut Compared) {
        let asked = match &self.slot.state {
            SlotState::Unknown => return,
            SlotState::Absent => BTreeMap::new(),
            SlotState::Known(groups) => groups.iter().map(|fact| (&fact.group, fact)).collect(),
        };
        for group in self.series.groups() {
            self.group(group, asked.get(&group.labels).copied(), compared);
        }
        let none = Labels::new();
        if let Some(fact) = asked.get(&none).filter(|_| self.series.group(&none).is_none()) {
            self.judge(fact, Events::ZERO, true, compared);
        }
    }

    fn group(&self, group: &Group, asked: Option<&GroupFact>, compared: &mut Compared) {
        let (from, end) = (self.from(), self.slot.end);
        if is_other(&group.labels) || group.unsure(from, end) > 0 || group.may_have_forgotten(end) {
            return;
        }
        let ruled = group.ruling(Tier::Fine, end).map(|ruling| ruling.withheld).unwrap_or_default();
        // What the answer was when it was booked.
        let counted = group.sum(from, end).plus(ruled);
        match asked {
            Some(fact) => {
                // A group that dropped out and came back has forgotten what it was before.
                let was_there = group.labels.is_empty()
                    || counted != Events::ZERO
                    || group.sum(end.minus(FINE_REACH), from) != Events::ZERO;
                self.judge(fact, counted, was_there, compared);
            }
            None if counted.thousandths().abs() <= self.rounding => {
                compared.equal.push(self.key(&group.labels))
            }
            None => compared.gone.push(self.key(&group.labels)),
        }
    }

    fn judge(&self, fact: &GroupFact, counted: Events, was_there: bool, compared: &mut Compared) {
        if matches!(fact.trust, Trust::Open | Trust::Partial) {
            return;
        }
        let key = self.key(&fact.group);
        if fact.raw.minus(counted).thousandths().abs() <= self.rounding {
            compared.equal.push(key);
        } else if !self.begins_here(&fact.group) && was_there {
            compared.different.push(Drift {
                series: key.0,
                group: key.1,
                end: key.2,
                width: self.width,
                booked: counted,
                asked: fact.raw,
            });
        } else if was_there {
            compared.gone.push(key);
        }
    }

    /// Whether the source has nothing before the slot, though it had: at the edge of what it keeps, or
    /// of what it lost, whatever lived before looks newborn.
    fn begins_here(&self, labels: &Labels) -> bool {
        let answered = match &self.before.state {
            SlotState::Known(groups) => groups.iter().any(|fact| fact.group == *labels),
            SlotState::Absent => false,
            SlotState::Unknown => return true,
        };
        let was_absent = labels.is_empty() && self.series.absent().contains(self.from());
        !(answered || was_absent)
    }

    fn from(&self) -> Ts {
        self.slot.end.minus(self.width)
    }

    fn key(&self, labels: &Labels) -> Slice {
        (self.series.id(), labels.clone(), self.slot.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fact::What;
    use crate::engine::testing;

    const S: i64 = 30;

    fn labels(name: &str) -> Labels {
        if name.is_empty() { Labels::new() } else { Labels::from([("route".into(), name.into())]) }
    }

    fn fact(group: &str, events: i64) -> GroupFact {
        let (raw, withheld) = (Events::whole(events), Events::ZERO);
        GroupFact { group: labels(group), raw, withheld, trust: Trust::Counted }
    }

    fn facts(first: i64, states: Vec<SlotState>) -> Facts {
        let slots = (first..).zip(states).map(|(n, state)| SlotFact { end: Ts(n * S), state });
        Facts { series: SeriesIx(0), tier: Tier::Fine, slots: slots.collect() }
    }

    fn known(events: i64) -> SlotState {
        SlotState::Known(vec![fact("", events)])
    }

    /// Slots 1.. as told, of a series with or without groups.
    fn ledger(by: &[&str], told: Vec<SlotState>) -> Ledger {
        let by: Vec<String> = by.iter().map(|label| (*label).to_owned()).collect();
        let mut ledger = Ledger::default();
        let keep = testing::keep(What::Atom(testing::atom("x_total")), &by);
        ledger.adopt(vec![crate::engine::ledger::Keep { limit: 2, ..keep }]);
        ledger.apply(&facts(1, told));
        ledger
    }

    fn compare(ledger: &Ledger, facts: &Facts) -> Compared {
        super::compare(ledger, facts, 0.0)
    }

    fn counts(compared: &Compared) -> (usize, usize, usize) {
        (compared.equal.len(), compared.gone.len(), compared.different.len())
    }

    #[test]
    fn what_is_booked_is_equal_and_what_was_changed_is_not() {
        let mut ledger = ledger(&[], vec![known(10), known(20), known(30), known(40)]);
        let asked = facts(1, vec![known(10), known(20), known(30), known(40)]);
        assert_eq!(counts(&compare(&ledger, &asked)), (3, 0, 0));
        ledger.apply(&facts(3, vec![known(37)]));
        let compared = compare(&ledger, &asked);
        assert_eq!(counts(&compared), (2, 0, 1));
        let drift = &compared.different[0];
        assert_eq!((drift.end, drift.width.secs()), (Ts(3 * S), S));
        assert_eq!((drift.booked, drift.asked), (Events::whole(37), Events::whole(30)));
    }

    #[test]
    fn no_answer_is_no_drift_and_neither_is_where_the_source_begins() {
        let ledger = ledger(&[], vec![known(10), known(20), known(30), known(40)]);
        let lost = facts(1, vec![SlotState::Absent, SlotState::Absent, known(30_000), known(40)]);
        assert_eq!(counts(&compare(&ledger, &lost)), (1, 2, 0), "a life at the edge is not drift");
        let failed = facts(1, vec![known(10), SlotState::Unknown, known(7), known(40)]);
        assert_eq!(counts(&compare(&ledger, &failed)), (1, 1, 0));
    }

    #[test]
    fn late_samples_of_a_time_that_had_none_are_drift() {
        let ledger = ledger(&[], vec![known(10), SlotState::Absent, SlotState::Absent]);
        let late = facts(1, vec![known(10), SlotState::Absent, known(30)]);
        let compared = compare(&ledger, &late);
        assert_eq!(counts(&compared), (1, 0, 1));
        assert_eq!(compared.different[0].booked, Events::ZERO);
    }

    #[test]
    fn what_was_withheld_is_compared_before_it_was() {
        let mut ledger = ledger(&[], vec![known(10), known(20)]);
        let ruled = GroupFact {
            raw: Events::whole(5000),
            withheld: Events::whole(4980),
            trust: Trust::Estimated,
            ..fact("", 0)
        };
        ledger.apply(&facts(3, vec![SlotState::Known(vec![ruled])]));
        assert_eq!(counts(&compare(&ledger, &facts(2, vec![known(20), known(5000)]))), (1, 0, 0));
        assert_eq!(counts(&compare(&ledger, &facts(2, vec![known(20), known(5100)]))), (0, 0, 1));
    }

    #[test]
    fn what_is_not_known_whole_or_is_the_first_of_all_is_left_out() {
        let partial = |trust| SlotState::Known(vec![GroupFact { trust, ..fact("", 5) }]);
        let told =
            vec![known(1), known(2), partial(Trust::Partial), partial(Trust::Stale), SlotState::Unknown];
        let ledger = ledger(&[], told);
        let other = facts(0, vec![known(7); 7]);
        let compared = compare(&ledger, &other);
        assert_eq!(counts(&compared), (0, 0, 1), "{compared:?}");
        assert_eq!(compared.different[0].end, Ts(2 * S));
    }

    #[test]
    fn of_groups_only_those_are_compared_that_the_ledger_kept_apart_then() {
        let both = |a, b| SlotState::Known(vec![fact("a", a), fact("b", b)]);
        let all = |a, b, c| SlotState::Known(vec![fact("a", a), fact("b", b), fact("c", c)]);
        // `c` is beyond the limit of two.
        let ledger = ledger(&["route"], vec![both(1, 0), both(2, 0), all(3, 0, 9), all(4, 8, 9)]);
        let asked = facts(1, vec![all(1, 5, 5), all(2, 5, 5), all(30, 5, 5), all(4, 80, 5)]);
        let compared = compare(&ledger, &asked);
        let ends: Vec<_> =
            compared.different.iter().map(|d| (d.group["route"].as_str(), d.end.0 / S)).collect();
        assert_eq!(ends, [("a", 3), ("b", 4)], "b may have dropped out before");
        assert_eq!(compared.equal.len(), 2);
    }

    #[test]
    fn the_last_digit_of_a_float_is_no_drift() {
        let ledger = ledger(&[], vec![known(10), known(20)]);
        let near = |thousandths| {
            let raw = Events::from_thousandths(thousandths);
            facts(1, vec![known(10), SlotState::Known(vec![GroupFact { raw, ..fact("", 0) }])])
        };
        assert_eq!(counts(&compare(&ledger, &near(20_001))), (1, 0, 0));
        assert_eq!(counts(&compare(&ledger, &near(20_003))), (0, 0, 1));
        // Of a counter that stands at 10¹² some thousandths are none, and an event is one.
        let sums = |thousandths, largest| counts(&super::compare(&ledger, &near(thousandths), largest));
        assert_eq!(sums(20_008, 1e12), (1, 0, 0));
        assert_eq!(sums(21_000, 1e12), (0, 0, 1));
        assert_eq!(sums(20_008, 1e9), (0, 0, 1));
        assert_eq!(sums(20_003, f64::MAX), (1, 0, 0), "of what is that large nothing can be told");
    }
}
