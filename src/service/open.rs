//! Slots left open: they are known, but a question that followed had no answer, and what it was about
//! is left out. They are asked again for a while, and then stay as they are, in part. Slots that are
//! not known at all are filled by backfill, and not asked twice.

use std::collections::{BTreeMap, BTreeSet};

use super::asking::Asked;
use crate::engine::fact::{SeriesIx, SlotState, Tier};
use crate::engine::ledger::Ledger;
use crate::slo::time::{Span, Ts};

/// How long a slot is asked again.
const OPEN_FOR: Span = Span::from_mins(10);
/// Slots remembered at most; what is left out of further ones stays so.
const MOST: usize = 20_000;

/// Since when slots are open, by the id of their series and their end.
#[derive(Default, Debug)]
pub(super) struct Open(BTreeMap<(u64, Ts), Ts>);

impl Open {
    /// Notes which slots the answers of the tick at `at` left open, and which they did not.
    pub(super) fn note(&mut self, ledger: &Ledger, asked: &Asked, at: Ts) {
        let open: BTreeSet<&(SeriesIx, Ts)> = asked.open.iter().collect();
        for facts in asked.facts.iter().filter(|facts| facts.tier == Tier::Fine) {
            let Some(id) = ledger.series(facts.series).map(|series| series.id()) else { continue };
            // What is not known at all is history's to fill, and says nothing new.
            for slot in facts.slots.iter().filter(|slot| slot.state != SlotState::Unknown) {
                let key = (id, slot.end);
                if !open.contains(&(facts.series, slot.end)) {
                    self.0.remove(&key);
                } else if self.0.len() < MOST {
                    self.0.entry(key).or_insert(at);
                }
            }
        }
    }

    /// The oldest slot of these series that is to be asked again at `at`.
    pub(super) fn oldest(
        &self,
        ledger: &Ledger,
        series: impl Iterator<Item = SeriesIx>,
        at: Ts,
    ) -> Option<Ts> {
        if self.0.is_empty() {
            return None;
        }
        let of = |id: u64| self.0.range((id, Ts(i64::MIN))..=(id, Ts(i64::MAX)));
        let ids = series.filter_map(|ix| ledger.series(ix)).map(|series| series.id());
        let due = |(_, since): &(&(u64, Ts), &Ts)| at.since(**since) < OPEN_FOR;
        ids.flat_map(of).filter(due).map(|((_, end), _)| *end).min()
    }

    /// Forgets what was given up so long ago that nobody asks for it any more.
    pub(super) fn forget(&mut self, at: Ts) {
        self.0.retain(|_, since| at.since(*since).secs() < 2 * OPEN_FOR.secs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::collect::TOLD_ANEW;
    use crate::slo::time::Step;

    #[test]
    fn what_is_asked_again_is_told_anew_at_the_smallest_step_too() {
        let smallest = Step::ALLOWED.into_iter().min().unwrap();
        assert!(TOLD_ANEW > usize::try_from(OPEN_FOR.secs()).unwrap() / usize::try_from(smallest).unwrap());
    }
}
