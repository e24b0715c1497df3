//! Whether slow requests are slow, or only lack a bucket. Asked after both series were collected,
//! because it takes both to see that a slot is suspicious.

use std::collections::{BTreeMap, BTreeSet};

use super::read;
use crate::engine::fact::{Facts, SlotFact, SlotState, Tier};
use crate::engine::plan::BucketPair;
use crate::engine::plan::form::PART;
use crate::engine::sample::{Answer, Query};
use crate::slo::model::Labels;
use crate::slo::time::Ts;
use crate::slo::unit::Events;

/// As many slow requests are never suspicious.
const FEW: Events = Events::whole(10);

/// Slots of a pair that are suspicious.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Doubt {
    slots: BTreeSet<Ts>,
    tier: Tier,
}

impl Doubt {
    /// The slots in which bad events, count less bucket, exceed max(10, 3 × `largest`), the largest
    /// slot that is usual for the group; `None` when there are none. Where either of the two is not
    /// known there is nothing to doubt.
    pub fn raise(count: &Facts, bucket: &Facts, largest: &dyn Fn(&Labels, Ts) -> Events) -> Option<Self> {
        let buckets: BTreeMap<Ts, &SlotFact> = bucket.slots.iter().map(|slot| (slot.end, slot)).collect();
        // To look at a day is dear, and what is usual before the first of these slots will do for all.
        let mut usual: BTreeMap<&Labels, Events> = BTreeMap::new();
        let mut slots = BTreeSet::new();
        for slot in &count.slots {
            let Some(bucket) = buckets.get(&slot.end) else { continue };
            if bucket.state == SlotState::Unknown {
                continue;
            }
            let good = booked(&bucket.state);
            for (group, all) in booked(&slot.state) {
                let bad = all.minus(good.get(group).copied().unwrap_or_default());
                let suspicious = bad > FEW
                    && bad > usual.entry(group).or_insert_with(|| largest(group, slot.end)).scaled(3, 1);
                if suspicious {
                    slots.insert(slot.end);
                }
            }
        }
        (!slots.is_empty()).then_some(Self { slots, tier: count.tier })
    }

    /// The question that settles it.
    pub fn query(&self, pair: &BucketPair) -> Option<Query> {
        Some(pair.query(self.tier, (*self.slots.first()?, *self.slots.last()?)))
    }

    /// Takes the bucket's slots back to unknown where there are not as many buckets as counts, or
    /// where the question failed.
    pub fn settle(&self, pair: &BucketPair, answer: &Answer, bucket: &mut Facts) {
        let equal = equal(pair, answer);
        bucket.take_back(|end| self.slots.contains(&end) && !equal.get(&end).copied().unwrap_or(false));
    }
}

fn booked(state: &SlotState) -> BTreeMap<&Labels, Events> {
    state.groups().iter().map(|g| (&g.group, g.raw.minus(g.withheld))).collect()
}

/// Whether every group has as many buckets as counts, by time.
fn equal(pair: &BucketPair, answer: &Answer) -> BTreeMap<Ts, bool> {
    let Answer::Frames { frames, .. } = answer else { return BTreeMap::new() };
    let mut counts: BTreeMap<(Ts, Labels), read::Point<'_>> = BTreeMap::new();
    for frame in frames {
        let group: Labels =
            pair.by.iter().filter_map(|l| Some((l.clone(), frame.labels.get(l)?.clone()))).collect();
        let part = frame.labels.get(PART).map_or("", String::as_str);
        for (at, reading) in &frame.points {
            counts.entry((*at, group.clone())).or_default().insert(part, *reading);
        }
    }
    let mut equal = BTreeMap::new();
    for ((at, _), point) in counts {
        let same = read::events(&point, "count") == read::events(&point, "bucket");
        equal.entry(at).and_modify(|all: &mut bool| *all &= same).or_insert(same);
    }
    equal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fact::{GroupFact, SeriesIx, Trust};
    use crate::engine::sample::{Frame, Reading};
    use crate::slo::query::Selector;
    use crate::slo::time::Step;
    use crate::slo::unit::Finite;

    fn facts(series: u32, events: &[i64]) -> Facts {
        let fact = |events: i64| GroupFact {
            group: Labels::new(),
            raw: Events::whole(events),
            withheld: Events::ZERO,
            trust: Trust::Counted,
        };
        let slot = |(end, events): (i64, &i64)| SlotFact {
            end: Ts(end * 30),
            state: SlotState::Known(vec![fact(*events)]),
        };
        Facts { series: SeriesIx(series), tier: Tier::Fine, slots: (1..).zip(events).map(slot).collect() }
    }

    #[test]
    fn only_slots_with_too_many_slow_requests_are_doubted() {
        let largest = |_: &Labels, _: Ts| Events::whole(5);
        let doubt = Doubt::raise(&facts(0, &[100, 100, 100]), &facts(1, &[95, 85, 50]), &largest).unwrap();
        assert_eq!(doubt.slots, BTreeSet::from([Ts(90)]));
        assert_eq!(Doubt::raise(&facts(0, &[100]), &facts(1, &[90]), &largest), None);
    }

    #[test]
    fn a_bucket_that_was_not_answered_is_no_reason_to_ask_more() {
        let largest = |_: &Labels, _: Ts| Events::ZERO;
        let mut bucket = facts(1, &[0, 0]);
        bucket.slots[0].state = SlotState::Unknown;
        let doubt = Doubt::raise(&facts(0, &[100, 100, 100]), &bucket, &largest).unwrap();
        assert_eq!(doubt.slots, BTreeSet::from([Ts(60)]));
        bucket.slots.truncate(1);
        assert_eq!(Doubt::raise(&facts(0, &[100, 100]), &bucket, &largest), None);
    }

    #[test]
    fn what_is_usual_is_looked_up_once_and_only_for_many_slow_requests() {
        let asked = std::cell::Cell::new(0);
        let largest = |_: &Labels, _: Ts| {
            asked.set(asked.get() + 1);
            Events::whole(5)
        };
        Doubt::raise(&facts(0, &[100, 10]), &facts(1, &[90, 1]), &largest);
        assert_eq!(asked.get(), 0);
        Doubt::raise(&facts(0, &[100, 100, 100]), &facts(1, &[80, 50, 20]), &largest);
        assert_eq!(asked.get(), 1);
    }

    /// A pair, and an answer about it: as many buckets as counts at 30, fewer at 60, nothing of later ones.
    fn settling() -> (BucketPair, Answer) {
        let selector = |metric: &str| Selector { metric: metric.into(), matchers: vec![] };
        let pair = BucketPair {
            count: SeriesIx(0),
            bucket: SeriesIx(1),
            by: vec![],
            source: "local".into(),
            selectors: (selector("x_count"), selector("x_bucket")),
            step: Step::DEFAULT,
            interval: None,
        };
        let part = |name: &str, points: &[(i64, f64)]| Frame {
            labels: Labels::from([(PART.to_owned(), name.to_owned())]),
            points: points
                .iter()
                .map(|(at, v)| (Ts(*at), Reading::Value(Finite::new(*v).unwrap())))
                .collect(),
        };
        let frames = vec![part("count", &[(30, 4.0), (60, 4.0)]), part("bucket", &[(30, 4.0), (60, 2.0)])];
        (pair, Answer::Frames { frames, notes: vec![] })
    }

    fn unknown(facts: &Facts) -> Vec<bool> {
        facts.slots.iter().map(|slot| slot.state == SlotState::Unknown).collect()
    }

    #[test]
    fn as_many_buckets_as_counts_settle_it() {
        let (pair, answer) = settling();
        let doubt = Doubt { slots: BTreeSet::from([Ts(30), Ts(60), Ts(90)]), tier: Tier::Fine };
        let mut bucket = facts(1, &[0, 0, 0, 0]);
        doubt.settle(&pair, &answer, &mut bucket);
        assert_eq!(unknown(&bucket), [false, true, true, false], "what was not answered is not believed");
    }

    #[test]
    fn what_came_back_in_a_slot_without_buckets_is_not_spread() {
        let (pair, answer) = settling();
        let withheld = |bucket: &mut Facts, slot: usize, events| {
            let SlotState::Known(groups) = &mut bucket.slots[slot].state else { unreachable!() };
            groups[0].withheld = Events::whole(events);
        };
        for (back, expected) in [(1, [true, true, false]), (2, [false, true, false])] {
            let mut bucket = facts(1, &[40, 40, 40]);
            withheld(&mut bucket, 0, -5);
            withheld(&mut bucket, back, 5);
            let doubt = Doubt { slots: BTreeSet::from([Ts(60)]), tier: Tier::Fine };
            doubt.settle(&pair, &answer, &mut bucket);
            assert_eq!(unknown(&bucket), expected, "came back in slot {back}");
        }
    }
}
