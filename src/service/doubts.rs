//! Whether many slow requests are believed: only if no series lacks the bucket. Looked at once a
//! bucket and its count are both answered; of a bucket without its count nothing is known.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use super::linked::ask;
use super::shared::Shared;
use crate::engine::collect::Doubt;
use crate::engine::fact::{Facts, SeriesIx, SlotState, Tier};
use crate::engine::ledger::{Intervals, Ledger};
use crate::engine::plan::{BucketPair, Plan};
use crate::engine::sample::{Answer, Failure};
use crate::prometheus::Priority;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// How many slots before are looked at one by one for what is usual.
const NEWEST: i64 = 20;
/// How far back what is usual is looked for in all, by slices of [`FIVE`].
const USUAL: Span = Span::from_hours(12);
const FIVE: Span = Span::from_mins(5);

/// Takes slots of a bucket whose count is not known back to unknown; gives back what is doubtful
/// about the others.
pub(super) fn raise(
    ledger: &Ledger,
    pair: &BucketPair,
    count: Option<&Facts>,
    bucket: &mut Facts,
) -> Option<Doubt> {
    let known: BTreeMap<Ts, bool> = count
        .iter()
        .flat_map(|count| &count.slots)
        .map(|slot| (slot.end, slot.state != SlotState::Unknown))
        .collect();
    // Older slots, to which a bucket's events were spread, the count was not asked for.
    bucket.take_back(|end| !known.get(&end).copied().unwrap_or(count.is_some()));
    let tier = bucket.tier;
    Doubt::raise(count?, bucket, &|group: &Labels, at: Ts| usual(ledger, pair, group, tier, at))
}

/// Settles all doubts about the facts of one answer; gives back why one could not be settled.
pub(super) async fn settle_doubts(
    shared: &Shared,
    plan: &Plan,
    facts: &mut [Facts],
    priority: Priority,
    limit: Duration,
) -> Option<Failure> {
    let places: BTreeMap<SeriesIx, usize> = facts.iter().map(|facts| facts.series).zip(0..).collect();
    let mut doubts = Vec::new();
    for (pair, place) in places.iter().filter_map(|(series, place)| Some((plan.pair_of(*series)?, place))) {
        let count = places.get(&pair.count).and_then(|place| facts.get(*place)).cloned();
        let Some(bucket) = facts.get_mut(*place) else { continue };
        let doubt = raise(&shared.world.read().ledger, pair, count.as_ref(), bucket);
        doubts.extend(doubt.map(|doubt| (pair, *place, doubt)));
    }
    let asks = doubts.iter().map(|(pair, _, doubt)| question(shared, pair, doubt, priority, limit));
    let mut unanswered = None;
    for ((pair, place, doubt), answer) in doubts.iter().zip(join_all(asks).await) {
        if let Some(bucket) = facts.get_mut(*place) {
            doubt.settle(pair, &answer, bucket);
        }
        if let Answer::Failed(failure) = answer {
            unanswered.get_or_insert(failure);
        }
    }
    unanswered
}

/// Asks what settles a doubt.
pub(super) async fn question(
    shared: &Shared,
    pair: &BucketPair,
    doubt: &Doubt,
    priority: Priority,
    limit: Duration,
) -> Answer {
    match doubt.query(pair) {
        Some(query) => ask(shared, query, priority, limit).await,
        None => Answer::Frames { frames: Vec::new(), notes: Vec::new() },
    }
}

/// The largest usual number of slow requests in one slot before this one: of the newest slots, and
/// of the hours before them on the average of five minutes, so that it costs the same at any step.
/// Time that only one of the two was answered for tells nothing.
fn usual(ledger: &Ledger, pair: &BucketPair, group: &Labels, tier: Tier, at: Ts) -> Events {
    let (Some(count), Some(bucket)) = (ledger.series(pair.count), ledger.series(pair.bucket)) else {
        return Events::ZERO;
    };
    let (Some(counts), Some(within)) = (count.group(group), bucket.group(group)) else { return Events::ZERO };
    let slot = tier.span(pair.step);
    let bad = |end: Ts, span: Span| {
        let from = end.minus(span);
        let whole = |answered: &Intervals| answered.overlap(from, end) == span.secs();
        let known = whole(count.answered()) && whole(bucket.answered());
        known.then(|| counts.sum(from, end).minus(within.sum(from, end)).scaled(slot.secs(), span.secs()))
    };
    let before = |at: Ts, times: i64, span: Span| at.minus(Span::from_secs_saturating(times * span.secs()));
    let newest = (1..=NEWEST).map(|back| bad(before(at, back, slot), slot));
    let last = before(at, NEWEST, slot).floor_to(FIVE);
    let older = (0..USUAL.secs() / FIVE.secs()).map(|back| bad(before(last, back, FIVE), FIVE));
    newest.chain(older).flatten().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::fact::{GroupFact, SlotFact, Trust};
    use crate::service::planner::keeps;
    use crate::service::testing::{latency, plan};
    use crate::slo::time::Step;

    fn known(events: i64) -> SlotState {
        let (raw, withheld) = (Events::whole(events), Events::ZERO);
        SlotState::Known(vec![GroupFact { group: Labels::new(), raw, withheld, trust: Trust::Counted }])
    }

    /// A ledger in which the bucket of slice `1..` holds what `within` says of 100 requests.
    fn ledger(slices: i64, within: impl Fn(i64) -> SlotState) -> (Ledger, Arc<Plan>) {
        let plan = Arc::new(plan(&latency("shop")));
        let pair = &plan.buckets[0];
        let mut ledger = Ledger::default();
        ledger.adopt(keeps(&plan, Ts(0)));
        for slice in 1..=slices {
            for (series, state) in [(pair.count, known(100)), (pair.bucket, within(slice))] {
                let slots = vec![SlotFact { end: end(slice), state }];
                ledger.apply(&Facts { series, tier: Tier::Fine, slots });
            }
        }
        (ledger, plan)
    }

    fn end(slice: i64) -> Ts {
        Ts(slice * Step::DEFAULT.secs())
    }

    #[test]
    fn a_slot_that_only_the_count_was_answered_for_is_not_taken_for_slow_requests() {
        let (ledger, plan) = ledger(20, |slice| if slice == 10 { SlotState::Unknown } else { known(95) });
        let usual = usual(&ledger, &plan.buckets[0], &Labels::new(), Tier::Fine, end(21));
        assert_eq!(usual, Events::whole(5));
    }

    #[test]
    fn what_was_usual_hours_ago_is_known_on_the_average_of_five_minutes() {
        // Slow in the ten slices of five whole minutes, and in one slice of others.
        let slow = |slice| if (101..=110).contains(&slice) || slice == 200 { known(40) } else { known(95) };
        let (ledger, plan) = ledger(500, slow);
        let usual = |at| usual(&ledger, &plan.buckets[0], &Labels::new(), Tier::Fine, end(at));
        assert_eq!(usual(501), Events::whole(60));
        assert_eq!(usual(99), Events::whole(5), "it was later");
    }

    #[test]
    fn of_a_bucket_without_its_count_nothing_is_known() {
        let (ledger, plan) = ledger(0, |_| SlotState::Unknown);
        let pair = &plan.buckets[0];
        let facts = |series, states: [SlotState; 2]| {
            let slots = (1..).zip(states).map(|(slice, state)| SlotFact { end: end(slice), state });
            Facts { series, tier: Tier::Fine, slots: slots.collect() }
        };
        let count = facts(pair.count, [SlotState::Unknown, known(100)]);
        let mut bucket = facts(pair.bucket, [known(40), known(95)]);
        assert_eq!(raise(&ledger, pair, Some(&count), &mut bucket), None);
        assert_eq!(bucket, facts(pair.bucket, [SlotState::Unknown, known(95)]));
        assert_eq!(raise(&ledger, pair, None, &mut bucket), None);
        assert_eq!(bucket, facts(pair.bucket, [SlotState::Unknown, SlotState::Unknown]));
    }
}
