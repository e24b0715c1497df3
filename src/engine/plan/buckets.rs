//! Classic latency: bad events are a histogram's count less one of its buckets. Where some series
//! lack that bucket, as during a rollout that changes bounds, half of all requests would read as
//! slow; so a suspicious slot is believed only if there are as many buckets as counts.

use super::context::PlanContext;
use super::form::{aggregate, parts};
use super::{Plan, Series};
use crate::engine::fact::{SeriesIx, Tier, What};
use crate::engine::sample::Query;
use crate::slo::query::{Counting, Selector};
use crate::slo::time::{Span, Step, Ts};

/// A histogram's count, and the bucket that is taken off it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BucketPair {
    /// All observations.
    pub count: SeriesIx,
    /// Those within the bound.
    pub bucket: SeriesIx,
    /// Group labels, sorted.
    pub by: Vec<String>,
    /// The source asked.
    pub source: String,
    /// Selects the count, and the bucket.
    pub selectors: (Selector, Selector),
    /// The slice length.
    pub step: Step,
    /// The measured scrape interval.
    pub interval: Option<Span>,
}

impl BucketPair {
    /// How many series have a count, and how many the bucket, at every slot of a range: parts
    /// `count` and `bucket`. One bound written in two ways counts once.
    pub fn query(&self, tier: Tier, (start, end): (Ts, Ts)) -> Query {
        let slot = tier.span(self.step);
        let interval = self.interval.unwrap_or(Span::from_mins(1));
        let range = Span::from_secs_saturating(2 * interval.secs()).max(slot);
        let labels: Vec<&str> = self.by.iter().map(String::as_str).collect();
        let series = |x: &Selector| {
            aggregate("count", &labels, &format!("max without (le) (last_over_time({x}[{range}]))"))
        };
        let promql = parts(&[("count", series(&self.selectors.0)), ("bucket", series(&self.selectors.1))]);
        Query { source: self.source.clone(), promql, start, end, every: slot }
    }
}

/// The pairs among the good events of a plan, by bucket.
pub(super) fn pairs(plan: &Plan, context: &PlanContext) -> Vec<BucketPair> {
    let pair = |(i, bucket): (u32, &Series)| {
        let count_ix = bucket.role.good_of?;
        let count = plan.series.get(count_ix.0 as usize)?;
        let selectors = (counter(count)?.clone(), counter(bucket)?.clone());
        let name = selectors.0.metric.strip_suffix("_count")?;
        let same = selectors.1.metric.strip_suffix("_bucket")? == name;
        let source = bucket.key.source.clone();
        let interval = context.intervals.get(&(source.clone(), selectors.1.clone())).copied();
        same.then(|| BucketPair {
            count: count_ix,
            bucket: SeriesIx(i),
            by: bucket.key.by.clone(),
            source,
            selectors,
            step: context.step,
            interval,
        })
    };
    (0..).zip(&plan.series).filter_map(pair).collect()
}

fn counter(series: &Series) -> Option<&Selector> {
    match &series.key.what {
        What::Atom(atom) if atom.counting == Counting::Counter => Some(&atom.selector),
        _ => None,
    }
}
