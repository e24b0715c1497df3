//! Query groups that must be judged together: a histogram's count and its buckets. A suspicious
//! number of slow requests is believed only if no series lacks the bucket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::measure;
use super::shared::Shared;
use crate::engine::collect::Doubt;
use crate::engine::fact::{Facts, SeriesIx, Tier};
use crate::engine::ledger::Ledger;
use crate::engine::plan::{BucketPair, Plan, QueryGroup};
use crate::engine::sample::{Answer, Failure, FailureKind, Query};
use crate::prometheus::{Priority, Source};
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// How far back the largest usual slice is looked for.
const USUAL: Span = Span::from_hours(12);

/// The places of all query groups, those that are linked together.
pub(super) fn clusters(plan: &Plan) -> Vec<Vec<usize>> {
    link(&plan.groups, &plan.buckets)
}

/// The places of these query groups, those that hold the two series of a pair together.
pub(super) fn link(groups: &[Arc<QueryGroup>], pairs: &[BucketPair]) -> Vec<Vec<usize>> {
    let mut place_of = BTreeMap::new();
    for (place, group) in groups.iter().enumerate() {
        place_of.extend(group.members.iter().flat_map(|m| &m.wanted).map(|w| (w.series, place)));
    }
    let mut clusters: Vec<BTreeSet<usize>> = (0..groups.len()).map(|place| BTreeSet::from([place])).collect();
    for pair in pairs {
        let (Some(a), Some(b)) = (place_of.get(&pair.count), place_of.get(&pair.bucket)) else { continue };
        if clusters.iter().any(|cluster| cluster.contains(a) && cluster.contains(b)) {
            continue;
        }
        let (apart, mut joined): (Vec<_>, Vec<_>) =
            clusters.into_iter().partition(|cluster| !cluster.contains(a) && !cluster.contains(b));
        let all = joined.iter_mut().flat_map(std::mem::take).collect();
        clusters = apart;
        clusters.push(all);
    }
    clusters.into_iter().map(|cluster| cluster.into_iter().collect()).collect()
}

/// Takes slots of buckets back to unknown where some series lack the bucket.
pub(super) async fn settle_doubts(
    shared: &Shared,
    plan: &Plan,
    facts: &mut [Facts],
    priority: Priority,
    limit: Duration,
) {
    let doubts: Vec<(&BucketPair, Doubt)> = plan
        .buckets
        .iter()
        .filter_map(|pair| {
            let of = |series: SeriesIx| facts.iter().find(|facts| facts.series == series);
            let (count, bucket) = (of(pair.count)?, of(pair.bucket)?);
            let largest =
                |group: &Labels, at: Ts| usual(&shared.world.read().ledger, pair, group, bucket.tier, at);
            Some((pair, Doubt::raise(count, bucket, &largest)?))
        })
        .collect();
    let queries = doubts.iter().filter_map(|(pair, doubt)| doubt.query(pair));
    let asks: Vec<_> = queries.map(|query| ask(shared, query, priority, limit)).collect();
    for ((pair, doubt), answer) in doubts.iter().zip(join_all(asks).await) {
        if let Some(bucket) = facts.iter_mut().find(|facts| facts.series == pair.bucket) {
            doubt.settle(pair, &answer, bucket);
        }
    }
}

/// Asks for a tick, or for backfill.
pub(super) async fn ask(shared: &Shared, query: Query, priority: Priority, limit: Duration) -> Answer {
    match shared.sources.get(&query.source) {
        Some(source) => {
            let began = tokio::time::Instant::now();
            let answer = source.ask(&query, priority, limit).await;
            measure::query(shared, &query.source, &answer, began.elapsed());
            answer
        }
        None => {
            let message = format!("no source is named `{}` in the settings", query.source);
            Answer::Failed(Failure { kind: FailureKind::QueryError, message })
        }
    }
}

/// The largest number of slow requests in one slot of the hours before; a slot that only one of
/// the two was answered for tells nothing.
fn usual(ledger: &Ledger, pair: &BucketPair, group: &Labels, tier: Tier, at: Ts) -> Events {
    let (Some(count), Some(bucket)) = (ledger.series(pair.count), ledger.series(pair.bucket)) else {
        return Events::ZERO;
    };
    let (Some(counts), Some(within)) = (count.group(group), bucket.group(group)) else { return Events::ZERO };
    let slot = tier.span(pair.step);
    let slots = USUAL.secs() / slot.secs().max(1);
    let bad = |back: i64| {
        let end = at.minus(Span::from_secs_saturating(back * slot.secs()));
        let from = end.minus(slot);
        let known = count.answered().contains(end) && bucket.answered().contains(end);
        known.then(|| counts.sum(from, end).minus(within.sum(from, end)))
    };
    (1..=slots).filter_map(bad).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fact::{GroupFact, SlotFact, SlotState, Trust};
    use crate::engine::ledger::Keep;
    use crate::engine::plan::PlanContext;
    use crate::slo::time::Step;
    use crate::slo::{Context, SourceFile, load};

    fn plan() -> Plan {
        let text = "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: latency}\nspec:\n  service: shop\n  sli:\n    latency: {histogram: d_seconds, selector: '{job=\"shop\"}', unit: s, objectives: [{percent: 99, within: 300ms}, {percent: 90, within: 100ms}]}\n---\napiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: availability}\nspec:\n  service: shop\n  objective: 99\n  sli:\n    events: {bad: 'r_total{code=\"500\"}', total: r_total}\n";
        let files = [SourceFile { path: "a.yaml".into(), text: text.into() }];
        let loaded = load(&files, &Context { step: Step::DEFAULT, sources: vec![] });
        assert_eq!(
            loaded.problems().filter(|p| p.level == crate::slo::problem::Level::Error).count(),
            0,
            "{loaded:?}"
        );
        let slos: Vec<_> = loaded.slos().cloned().map(Arc::new).collect();
        let context = PlanContext {
            step: Step::DEFAULT,
            default_source: "local".into(),
            sources: BTreeMap::new(),
            intervals: BTreeMap::new(),
        };
        Plan::build(&slos, &context)
    }

    #[test]
    fn a_histogram_s_count_and_buckets_are_one_cluster_and_the_rest_stands_alone() {
        let plan = plan();
        assert_eq!(plan.buckets.len(), 2);
        let clusters = clusters(&plan);
        let mut places: Vec<usize> = clusters.iter().flatten().copied().collect();
        places.sort_unstable();
        assert_eq!(places, (0..plan.groups.len()).collect::<Vec<_>>(), "every group once");
        assert!(clusters.iter().any(|cluster| cluster.len() >= 2));
        assert!(clusters.iter().any(|cluster| cluster.len() == 1));
    }

    #[test]
    fn a_slot_that_only_the_count_was_answered_for_is_not_taken_for_slow_requests() {
        let plan = plan();
        let pair = &plan.buckets[0];
        let mut ledger = Ledger::default();
        ledger.adopt(
            plan.series
                .iter()
                .map(|series| Keep {
                    key: series.key.clone(),
                    span: series.keep,
                    reach: Span::ZERO,
                    limit: 1,
                    overflow: crate::slo::model::Overflow::Other,
                    follows: Vec::new(),
                    cuts: Vec::new(),
                })
                .collect(),
        );
        let known = |events| {
            let (raw, withheld) = (Events::whole(events), Events::ZERO);
            SlotState::Known(vec![GroupFact { group: Labels::new(), raw, withheld, trust: Trust::Counted }])
        };
        for slice in 1..=20 {
            let bucket = if slice == 10 { SlotState::Unknown } else { known(95) };
            for (series, state) in [(pair.count, known(100)), (pair.bucket, bucket)] {
                let slots = vec![SlotFact { end: Ts(slice * 30), state }];
                ledger.apply(&Facts { series, tier: Tier::Fine, slots });
            }
        }
        assert_eq!(usual(&ledger, pair, &Labels::new(), Tier::Fine, Ts(21 * 30)), Events::whole(5));
    }
}
