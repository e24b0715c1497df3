//! Query groups that must be judged together: a histogram's count and its buckets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::measure;
use super::parts::Part;
use super::shared::Shared;
use crate::engine::plan::{BucketPair, Plan, QueryGroup};
use crate::engine::sample::{Answer, Failure, FailureKind, Query};
use crate::prometheus::{Priority, Source};

/// The places of all query groups, those that are linked together.
pub(super) fn clusters(plan: &Plan) -> Vec<Vec<usize>> {
    link(&plan.groups, &plan.buckets)
}

/// The places of these query groups, those that hold the two series of a pair together.
pub(super) fn link(groups: &[Arc<QueryGroup>], pairs: &[BucketPair]) -> Vec<Vec<usize>> {
    let mut place_of = BTreeMap::new();
    for (place, group) in groups.iter().enumerate() {
        place_of.extend(group.series().map(|series| (series, place)));
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

/// Parts of query groups, those that are linked together.
pub(super) fn linked(plan: &Plan, parts: Vec<Part>, may_be: bool) -> Vec<Vec<Part>> {
    if !may_be {
        return parts.into_iter().map(|part| vec![part]).collect();
    }
    let groups: Vec<_> = parts.iter().map(|part| Arc::clone(&part.group)).collect();
    let together = |places: Vec<usize>| places.into_iter().filter_map(|at| parts.get(at).cloned()).collect();
    link(&groups, &plan.buckets).into_iter().map(together).collect()
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
}
