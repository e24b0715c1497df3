//! Query groups that must be judged together: a histogram's count and its buckets.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::measure;
use super::parts::Part;
use super::shared::Shared;
use crate::engine::fact::SeriesIx;
use crate::engine::plan::{Plan, QueryGroup};
use crate::engine::sample::{Answer, Failure, FailureKind, Query};
use crate::prometheus::{Priority, Source};

/// The places of all query groups, those that are linked together.
pub(super) fn clusters(plan: &Plan) -> Vec<Vec<usize>> {
    link(&plan.groups, plan)
}

/// The places of these query groups, those that hold the two series of a pair together.
pub(super) fn link(groups: &[Arc<QueryGroup>], plan: &Plan) -> Vec<Vec<usize>> {
    let places = groups.iter().enumerate();
    let place_of: HashMap<SeriesIx, usize> =
        places.flat_map(|(place, group)| group.series().map(move |series| (series, place))).collect();
    // Each place knows a smaller one of its cluster, and the smallest of all knows itself.
    let mut smaller: Vec<usize> = (0..groups.len()).collect();
    for (bucket, place) in &place_of {
        let count = plan.pair_of(*bucket).and_then(|pair| place_of.get(&pair.count));
        let Some((a, b)) = count.map(|count| (smallest(&smaller, *place), smallest(&smaller, *count))) else {
            continue;
        };
        if let Some(known) = smaller.get_mut(a.max(b)) {
            *known = a.min(b);
        }
    }
    let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in 0..groups.len() {
        clusters.entry(smallest(&smaller, place)).or_default().push(place);
    }
    clusters.into_values().collect()
}

/// The smallest place of the cluster that a place is in.
fn smallest(smaller: &[usize], place: usize) -> usize {
    let mut at = place;
    while let Some(next) = smaller.get(at).filter(|next| **next < at) {
        at = *next;
    }
    at
}

/// Parts of query groups, those that are linked together.
pub(super) fn linked(plan: &Plan, parts: Vec<Part>, may_be: bool) -> Vec<Vec<Part>> {
    if !may_be {
        return parts.into_iter().map(|part| vec![part]).collect();
    }
    let groups: Vec<_> = parts.iter().map(|part| Arc::clone(&part.group)).collect();
    let together = |places: Vec<usize>| places.into_iter().filter_map(|at| parts.get(at).cloned()).collect();
    link(&groups, plan).into_iter().map(together).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::{document, plan, slo};

    const LATENCY: &str = "  sli:\n    latency: {histogram: d_seconds, selector: '{job=\"shop\"}', unit: s, objectives: [{percent: 99, within: 300ms}, {percent: 90, within: 100ms}]}\n";

    #[test]
    fn a_histogram_s_count_and_buckets_are_one_cluster_and_the_rest_stands_alone() {
        let plan = plan(&[document("latency", LATENCY), slo("availability")].join("---\n"));
        assert_eq!(plan.buckets.len(), 2);
        let clusters = clusters(&plan);
        let mut places: Vec<usize> = clusters.iter().flatten().copied().collect();
        places.sort_unstable();
        assert_eq!(places, (0..plan.groups.len()).collect::<Vec<_>>(), "every group once");
        assert!(clusters.iter().any(|cluster| cluster.len() >= 2));
        assert!(clusters.iter().any(|cluster| cluster.len() == 1));
    }

    #[test]
    fn what_is_linked_through_others_is_one_cluster_in_any_order() {
        let mut plan = plan(&document("latency", LATENCY));
        let groups: Vec<Arc<QueryGroup>> =
            plan.groups.iter().flat_map(|group| group.split()).map(Arc::new).collect();
        let place =
            |ix: SeriesIx| groups.iter().position(|group| group.series().any(|own| own == ix)).unwrap();
        let [a, b] = &plan.buckets[..] else { panic!("{:?}", plan.buckets) };
        let mut linked = [place(a.count), place(a.bucket), place(b.bucket)];
        linked.sort_unstable();
        assert_eq!(linked.len(), 3, "two buckets of one count");
        for groups in [groups.clone(), groups.iter().rev().cloned().collect()] {
            assert_eq!(link(&groups, &plan), [[0, 1, 2]]);
        }
        plan.buckets.pop();
        assert_eq!(link(&groups, &plan).len(), 2, "the other bucket stands alone");
    }
}
