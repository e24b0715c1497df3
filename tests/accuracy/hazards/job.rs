//! Data of one job.

use super::{BEFORE, END};
use crate::support::tsdb::Series;

/// A job whose one process has run since long before the data, scraped every 15 s.
pub struct Job<'a> {
    pub name: &'a str,
    pub begin: i64,
}

impl Job<'_> {
    /// Samples as (seconds after the data's begin, value).
    pub fn series(
        &self,
        metric: &str,
        extra: &[(&str, &str)],
        samples: impl Iterator<Item = (i64, i64)>,
    ) -> Series {
        let mut series = Series::new(metric, &[("job", self.name), ("instance", "pod-1")]);
        series.labels.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        #[expect(clippy::cast_precision_loss, reason = "exact, or rounded as a process would")]
        let samples = samples.map(|(t, value)| (self.begin * 1000 + t * 1000 + 3700, value as f64));
        series.with(samples)
    }

    /// The target's own series while it is scraped.
    pub fn target(&self, scraped: impl Fn(i64) -> bool, every: i64) -> Vec<Series> {
        self.instance("pod-1", -500_000, (0..END / every).map(|n| n * every).filter(|t| scraped(*t)))
    }

    /// The same of an instance whose process began at `start`.
    pub fn instance(
        &self,
        name: &str,
        start: i64,
        scrapes: impl Iterator<Item = i64> + Clone,
    ) -> Vec<Series> {
        let of = [("instance", name)];
        let start = self.begin + start;
        vec![
            self.series("up", &of, scrapes.clone().map(|t| (t, 1))),
            self.series("process_start_time_seconds", &of, scrapes.map(|t| (t, start))),
        ]
    }

    /// The target, scraped without a miss, and these series.
    pub fn always(&self, series: Vec<Series>) -> Vec<Series> {
        self.target(|_| true, 15).into_iter().chain(series).collect()
    }
}

/// Scrapes every 15 s in `[from, to)`, of a counter that grows by 20 at each.
pub fn grows(from: i64, to: i64) -> impl Iterator<Item = (i64, i64)> + Clone {
    (from.div_euclid(15)..to.div_euclid(15)).map(|n| (n * 15, BEFORE + n * 20))
}

/// What an observer sees of [`grows`] after its first slice, which holds two scrapes.
pub fn after(from: i64, to: i64) -> i64 {
    (to - from) / 15 * 20 - 40
}
