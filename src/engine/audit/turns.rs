//! Which slots one visit of a query group asks: without randomness, and yet all over what is kept.

use crate::slo::time::{Span, Ts};

/// Slots compared in one visit of a group with short slots.
const SLOTS: i64 = 4;
/// Longer slots are asked one at a time: their queries read every step of them.
const LONG: Span = Span::from_mins(5);

/// What of a group can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visit {
    /// The how manieth time it is its turn.
    pub nth: u64,
    /// Where the first slot that can be compared begins.
    pub oldest: Ts,
    /// Where the newest settled slot ends.
    pub newest: Ts,
    /// Length of a slot.
    pub slot: Span,
}

/// The slots after `from` up to `to`: what is compared, and one before it. Every other visit takes the
/// newest that have settled, where samples that came late are found; the visits between them spread
/// evenly over what is older, in the order of van der Corput, so that the places between are halved
/// again and again.
pub fn stretch(visit: Visit) -> Option<(Ts, Ts)> {
    let slot = visit.slot;
    if slot.is_zero() {
        return None;
    }
    let slots = if slot > LONG { 1 } else { SLOTS };
    let to = visit.newest.floor_to(slot);
    let oldest = ceil(visit.oldest, slot);
    let room = to.0.saturating_sub(oldest.0) / slot.secs();
    if room < 1 {
        return None;
    }
    let back = match visit.nth % 2 {
        0 => 0,
        _ => fraction(visit.nth / 2 + 1, (room - slots).max(0)),
    };
    let to = Ts(to.0 - back * slot.secs());
    let from = Ts(to.0 - (slots.min(room) + 1) * slot.secs());
    Some((from, to))
}

fn ceil(at: Ts, slot: Span) -> Ts {
    let floor = at.floor_to(slot);
    if floor == at { at } else { floor.plus(slot) }
}

/// The `nth` number of van der Corput in base 2, of `whole`.
fn fraction(nth: u64, whole: i64) -> i64 {
    let mirrored = i128::from(nth.reverse_bits());
    i64::try_from((i128::from(whole) * mirrored) >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const S: i64 = 30;
    const NOW: i64 = 1_800_000_000;

    fn visit(nth: u64, slots: i64) -> Visit {
        Visit { nth, oldest: Ts(NOW - slots * S), newest: Ts(NOW + 7), slot: Span::from_secs(30) }
    }

    #[test]
    fn every_other_visit_takes_the_newest_and_the_others_spread_over_the_rest() {
        let all: Vec<_> = (0..200).map(|nth| stretch(visit(nth, 1400)).unwrap()).collect();
        for (nth, (from, to)) in all.iter().enumerate() {
            assert_eq!(to.since(*from).secs(), 5 * S, "four, and the one before");
            assert!(from.0 >= NOW - 1401 * S && to.0 <= NOW && to.0 % S == 0);
            assert!(nth % 2 == 1 || to.0 == NOW);
        }
        // A hundred visits leave no hour of twelve unseen.
        let hours: BTreeSet<i64> = all.iter().map(|(_, to)| (NOW - to.0) / 3600).collect();
        assert_eq!(hours, (0..12).collect());
    }

    #[test]
    fn a_short_history_is_asked_whole_and_none_not_at_all() {
        assert_eq!(stretch(visit(1, 2)), Some((Ts(NOW - 3 * S), Ts(NOW))));
        assert_eq!(stretch(visit(0, 0)), None);
        assert_eq!(stretch(Visit { oldest: Ts(NOW + 900), ..visit(3, 0) }), None);
    }

    #[test]
    fn long_slots_are_asked_one_at_a_time() {
        let hour = Visit { slot: Span::from_hours(1), ..visit(0, 1400) };
        let (from, to) = stretch(hour).unwrap();
        assert_eq!((to.0 % 3600, to.since(from)), (0, Span::from_hours(2)));
    }
}
