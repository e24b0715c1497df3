//! A page of the journal as the store keeps it. Slots follow each other at one distance, and most of
//! a history are alike (nothing was there yet): a run of such slots takes no more than one.

use serde::{Deserialize, Serialize};

use super::{Entry, size};
use crate::engine::fact::{SlotFact, SlotState, Tier};
use crate::slo::time::Ts;

/// Version of the layout.
const VERSION: u8 = 2;
/// Slots and groups that a page is believed to hold: far more than is ever written into one.
const MOST: usize = 1 << 20;

#[derive(Serialize, Deserialize, Debug)]
struct Page {
    version: u8,
    /// By the series' ids, in the order in which they were booked.
    facts: Vec<(u64, Tier, Vec<Run>)>,
}

/// Slots in the same state.
#[derive(Serialize, Deserialize, Debug)]
struct Run {
    /// Seconds from the end of each slot to the end of the one after it; to the first one's from the
    /// last of the run before, or from the beginning of time.
    apart: i64,
    times: u32,
    state: SlotState,
}

/// Packs what was booked. What could not be written is as good as a page that was lost.
pub(super) fn pack(facts: Vec<Entry>) -> Vec<u8> {
    let facts = facts.into_iter().map(|(id, tier, slots)| (id, tier, runs(slots))).collect();
    postcard::to_stdvec(&Page { version: VERSION, facts }).unwrap_or_default()
}

/// What a page holds; `None` where it is not one of ours. A slot in a far future would let nothing be
/// booked any more.
pub(super) fn unpack(blob: &[u8]) -> Option<Vec<Entry>> {
    let page: Page = postcard::from_bytes(blob).ok()?;
    let all = page.facts.iter().flat_map(|(_, _, runs)| runs);
    let sizes =
        all.map(|run| size(&run.state).saturating_mul(usize::try_from(run.times).unwrap_or(usize::MAX)));
    if page.version != VERSION || sizes.fold(0, usize::saturating_add) > MOST {
        return None;
    }
    page.facts.into_iter().map(|(id, tier, runs)| Some((id, tier, slots_of(runs)?))).collect()
}

fn runs(slots: Vec<SlotFact>) -> Vec<Run> {
    let (mut runs, mut before): (Vec<Run>, i64) = (Vec::new(), 0);
    for SlotFact { end, state } in slots {
        let apart = end.0.saturating_sub(before);
        before = end.0;
        match runs.last_mut() {
            Some(run) if run.apart == apart && run.state == state => run.times = run.times.saturating_add(1),
            _ => runs.push(Run { apart, times: 1, state }),
        }
    }
    runs
}

fn slots_of(runs: Vec<Run>) -> Option<Vec<SlotFact>> {
    let (mut slots, mut end) = (Vec::new(), Ts(0));
    for Run { apart, times, state } in runs {
        for _ in 0..times {
            end = Ts(end.0.checked_add(apart)?);
            slots.push(SlotFact { end, state: state.clone() });
        }
    }
    slots.iter().all(|slot| slot.end.is_real()).then_some(slots)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::fact::{GroupFact, Trust};
    use crate::slo::model::Labels;
    use crate::slo::unit::Events;

    const NOW: i64 = 1_795_391_400;

    fn slot(end: i64, state: SlotState) -> SlotFact {
        SlotFact { end: Ts(end), state }
    }

    fn state() -> impl Strategy<Value = SlotState> {
        let known = |events: i64| {
            let raw = Events::whole(events);
            let group = Labels::new();
            SlotState::Known(vec![GroupFact { group, raw, withheld: Events::ZERO, trust: Trust::Counted }])
        };
        prop_oneof![
            3 => Just(SlotState::Absent),
            2 => Just(SlotState::Unknown),
            2 => (0_i64..3).prop_map(known),
        ]
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            all in prop::collection::vec(
                (any::<u64>(), any::<bool>(), prop::collection::vec((1_i64..4, state()), 0..60)),
                0..8,
            )
        ) {
            let facts: Vec<Entry> = all.into_iter().map(|(id, is_fine, slots)| {
                let tier = if is_fine { Tier::Fine } else { Tier::FiveMinutes };
                let mut end = NOW;
                let slots = slots.into_iter().map(|(steps, state)| { end += 30 * steps; slot(end, state) });
                (id, tier, slots.collect())
            }).collect();
            prop_assert_eq!(unpack(&pack(facts.clone())), Some(facts));
        }
    }

    /// A new SLO of a new service: thirty days of five minutes without anything.
    #[test]
    fn a_history_of_nothing_takes_a_few_bytes() {
        let slots = (0..8640).map(|i| slot(NOW + 300 * i, SlotState::Absent)).collect();
        let blob = pack(vec![(7, Tier::FiveMinutes, slots)]);
        assert!(blob.len() < 32, "{}", blob.len());
    }

    #[test]
    fn what_nobody_can_have_written_is_refused() {
        let page = |version, times, apart| {
            let run = || Run { apart, times, state: SlotState::Absent };
            let facts = vec![(7, Tier::Fine, vec![run(), run()])];
            unpack(&postcard::to_stdvec(&Page { version, facts }).unwrap())
        };
        assert!(page(VERSION, 1, 30).is_some());
        assert_eq!(page(VERSION + 1, 1, 30), None, "another layout");
        assert_eq!(page(VERSION, u32::MAX, 0), None, "more than there is memory for");
        assert_eq!(page(VERSION, 2, i64::MAX), None, "beyond all time");
        assert_eq!(page(VERSION, 1, i64::MAX / 4), None, "in a far future");
        assert_eq!(unpack(b"\x02\xff\xff\xff\xff\xff"), None, "cut off");
    }
}
