//! What becomes of one slot: booked as it is while it is small, else ruled on by what is known of
//! its newborn part.

use std::collections::BTreeMap;

use super::births::Known;
use super::counted::Counted;
use super::evidence::{Evidence, Verdict};
use super::needs::Needs;
use super::spread::Spread;
use super::table::{Cell, Key, Row};
use super::{LookUp, Past};
use crate::engine::fact::Trust;
use crate::engine::plan::{Form, Wanted};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// Rules on the slots of one group.
pub(super) struct Judge<'a> {
    counted: &'a Counted,
    key: &'a Key,
    wanted: &'a [Wanted],
    /// The first slot in which the member exists.
    begins: Option<Ts>,
    past: LookUp<'a>,
}

impl<'a> Judge<'a> {
    /// Knows the first slot in which each member exists. `None` for a member of another group.
    pub(super) fn of(
        counted: &'a Counted,
        key: &'a Key,
        begins: &BTreeMap<usize, Ts>,
        past: LookUp<'a>,
    ) -> Option<Self> {
        let wanted = &counted.group.members.get(key.0)?.wanted;
        Some(Self { counted, key, wanted, begins: begins.get(&key.0).copied(), past })
    }

    /// A slot without events.
    pub(super) fn empty(&self, at: Ts) -> Row {
        let cell = Cell::counted(Events::ZERO, vec![Events::ZERO; self.wanted.len()], false);
        let mut row = Row::from([(at, cell)]);
        self.row(&mut row, &mut Needs::default(), &mut Spread::default());
        row
    }

    pub(super) fn row(&self, row: &mut Row, needs: &mut Needs, spread: &mut Spread) {
        let mut largest = vec![Events::ZERO; self.wanted.len()];
        for (at, cell) in row.iter_mut().filter(|(_, cell)| !cell.unreadable) {
            let pasts: Vec<Past> =
                self.wanted.iter().map(|w| (self.past)(w.series, &self.key.1, *at)).collect();
            self.slot(*at, cell, &pasts, &largest, needs, spread);
            cell.hold();
            let is_sum = cell.trust == Trust::Held && pasts.iter().any(|past| past.among);
            if matches!(cell.trust, Trust::Counted | Trust::Held) && !is_sum {
                let booked = cell.values.iter().zip(&cell.withheld).map(|(value, less)| value.minus(*less));
                for (position, (largest, booked)) in largest.iter_mut().zip(booked).enumerate() {
                    *largest = (*largest).max(cell.held(position).unwrap_or(booked));
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
        let limits =
            || -> Vec<Events> { (0..self.wanted.len()).map(|i| self.limit(i, at, pasts, largest)).collect() };
        cell.held = self.held(at, cell, pasts);
        if !cell.held.is_empty() && cell.held.iter().all(Option::is_some) {
            return book(cell, Events::ZERO, Trust::Held);
        }
        if cell.held.is_empty() && pasts.iter().any(ruled) {
            reuse(cell, pasts);
            if !leaps(cell, pasts, &limits()) {
                return;
            }
            if pasts.iter().any(|past| past.ruling.is_some_and(|ruling| ruling.trust != Trust::Counted)) {
                return keep(cell, pasts);
            }
        }
        book(cell, Events::ZERO, Trust::Counted);
        if cell.values.iter().all(|value| *value == Events::ZERO) {
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
        let limits = limits();
        let exceeds = |values: &[Events]| values.iter().zip(&limits).any(|(value, limit)| value > limit);
        // The first errors ever may be old ones, of before the source's data begin: few are looked at, too.
        let first = self.is_first_bad(at, pasts);
        let suspicious =
            |values: &[Events]| exceeds(values) || (first && values.iter().any(|v| *v > Events::ZERO));
        if !suspicious(&cell.values) {
            return;
        }
        match births.newborn_of(self.key, at, cell) {
            Known::Is(newborn) if !suspicious(&cell.share(newborn)) => {}
            Known::Is(returned) if self.is_recorded() => book(cell, returned, Trust::Partial),
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
                        self.rule(at, cell, newborn, evidence, spread);
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

    /// What is booked of a slot that is not to be told anew, where it was told. The values of a series that
    /// was not asked before are judged beside it. Of groups beyond the limit there is one ruling for all,
    /// which the ledger applies.
    fn held(&self, at: Ts, cell: &Cell, pasts: &[Past]) -> Vec<Option<Events>> {
        let is_old = at <= self.counted.grid.holds;
        let holds = |past: &Past| if is_old { past.holds() } else { past.ruled_among };
        if !pasts.iter().any(holds) || !is_old && !pasts.iter().all(holds) {
            return Vec::new();
        }
        let both = pasts.iter().zip(&cell.values);
        both.map(|(past, value)| holds(past).then(|| past.held(*value))).collect()
    }

    /// The first slot of all events ever seen: its series may have lived long before.
    fn is_first(&self, at: Ts, pasts: &[Past]) -> bool {
        let role = |w: &Wanted| w.role.total || w.role.good_of.is_some();
        self.begins_at(at, pasts) && self.wanted.iter().any(role)
    }

    /// The first slot of all bad events ever seen. They are often born later than their total, and are
    /// booked where their target was up before.
    fn is_first_bad(&self, at: Ts, pasts: &[Past]) -> bool {
        self.begins_at(at, pasts) && self.wanted.iter().any(|w| w.role.bad)
    }

    fn begins_at(&self, at: Ts, pasts: &[Past]) -> bool {
        !self.is_recorded() && self.begins == Some(at) && pasts.iter().all(|p| !p.begun)
    }

    /// A recorded sum: nothing is ever born in it, and nobody can be asked about its members.
    fn is_recorded(&self) -> bool {
        self.counted.group.form == Form::Aggregated
    }

    fn rule(&self, at: Ts, cell: &mut Cell, newborn: Events, evidence: &Evidence, spread: &mut Spread) {
        let gap = (at.minus(self.gap()), at.plus(Span::from_mins(1)));
        let slot = self.counted.slot();
        let lately = at.minus(slot).minus(self.counted.group.young(slot));
        let verdict: Verdict = evidence.rule(self.key, gap, lately, newborn);
        book(cell, verdict.withheld.min(cell.count), verdict.trust);
        if verdict.returning > Events::ZERO {
            let mut shares = cell.share(verdict.returning);
            // Of what was told already, they were spread already.
            for (position, share) in shares.iter_mut().enumerate() {
                if cell.held(position).is_some() {
                    *share = Events::ZERO;
                }
            }
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

/// What is booked stays, and what is more or less now is withheld without proof.
fn keep(cell: &mut Cell, pasts: &[Past]) {
    book(cell, Events::ZERO, Trust::Partial);
    for ((withheld, value), past) in cell.withheld.iter_mut().zip(&cell.values).zip(pasts) {
        *withheld = value.minus(past.booked);
    }
}

/// What was ruled before holds still, so that asking again changes nothing. Of a series that was not asked
/// then, the part that was withheld of the others is.
fn reuse(cell: &mut Cell, pasts: &[Past]) {
    cell.trust = Trust::Counted;
    cell.open = false;
    let both = cell.values.iter().zip(pasts);
    let known = both.filter(|(value, past)| ruled(past) && **value > Events::ZERO);
    let part = known.filter_map(|(value, past)| Some((past.ruling?.withheld, *value))).next();
    for ((withheld, value), past) in cell.withheld.iter_mut().zip(&cell.values).zip(pasts) {
        *withheld = match (past.ruling, part) {
            (Some(ruling), _) => ruling.withheld,
            (None, Some((of, whole))) if !past.told => value.scaled(of.thousandths(), whole.thousandths()),
            _ => Events::ZERO,
        };
        if let Some(ruling) = past.ruling
            && ruling.trust != Trust::Counted
        {
            cell.trust = ruling.trust;
        }
    }
}

/// Whether there is so much more or less now than was booked that a ruling does not fit any more: the slot
/// was still being filled, or another server answers.
fn leaps(cell: &Cell, pasts: &[Past], limits: &[Events]) -> bool {
    let now = cell.values.iter().zip(&cell.withheld).map(|(value, withheld)| value.minus(*withheld));
    now.zip(pasts).zip(limits).any(|((now, past), limit)| {
        let by = now.minus(past.booked);
        past.told && (by > *limit || Events::ZERO.minus(by) > *limit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::collect::Ruling;

    fn past(ruled: i64, booked: i64, told: bool) -> Past {
        let ruling = Ruling { withheld: Events::whole(ruled), trust: Trust::Counted };
        let ruling = Some(ruling).filter(|_| ruled != 0);
        Past { ruling, booked: Events::whole(booked), told, ..Past::default() }
    }

    #[test]
    fn of_a_series_that_is_new_to_a_slot_as_much_is_withheld_as_of_those_that_were_ruled_on() {
        let values = [1_000_020, 5000, 0].map(Events::whole);
        let mut cell = Cell::counted(values[0], values.to_vec(), false);
        let pasts = [past(1_000_000, 20, true), past(0, 0, false), past(0, 0, false)];
        reuse(&mut cell, &pasts);
        let booked = values[1].minus(cell.withheld[1]);
        assert!(booked > Events::ZERO && booked < Events::whole(1), "{booked:?}");
        assert_eq!((cell.withheld[0], cell.withheld[2]), (Events::whole(1_000_000), Events::ZERO));
    }

    #[test]
    fn a_series_whose_ruling_is_forgotten_beside_one_that_is_kept_is_noticed() {
        let values = [1_000_020, 5000].map(Events::whole);
        let mut cell = Cell::counted(values[0], values.to_vec(), false);
        let pasts = [past(0, 20, true), past(5000, 0, true)];
        reuse(&mut cell, &pasts);
        assert!(leaps(&cell, &pasts, &[Events::whole(300); 2]));
        keep(&mut cell, &pasts);
        assert_eq!(cell.withheld, [1_000_000, 5000].map(Events::whole));
    }
}
