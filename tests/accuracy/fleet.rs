//! Twelve pods on a bad day, scraped every 15 s: different phases, half with jitter, restarts, a late
//! starter, early ends, one scrape gap of 400 s, bursts of errors and of slow requests.

use super::truth::Dice;
use crate::support::tsdb::Series;

/// Pods.
pub const PODS: i64 = 12;
/// Errors, or slow requests, in one burst.
const BURST: i64 = 130;
const MINUTE: i64 = 60_000;

/// One pod; times in milliseconds after the data's begin.
pub struct Pod {
    name: String,
    /// Its scrapes.
    pub scrapes: Vec<i64>,
    /// When it started, each time.
    starts: Vec<i64>,
    errors: Vec<(i64, i64)>,
    slow: Vec<(i64, i64)>,
    /// Bursts of one kind of error that never came before.
    once: Vec<(i64, i64)>,
}

impl Pod {
    /// The pods of `length` milliseconds, in which each restarts so many times.
    pub fn fleet(length: i64, restarts: i64) -> Vec<Self> {
        let mut dice = Dice(42);
        (0..PODS).map(|i| Self::new(i, (length, restarts), &mut dice)).collect()
    }

    fn new(i: i64, (length, restarts): (i64, i64), dice: &mut Dice) -> Self {
        let born = if i == 3 { length / 3 } else { 0 };
        let died = if i % 4 == 1 { length * 3 / 5 } else { length };
        let gap = if i == 6 { length / 2..length / 2 + 400_000 } else { 0..0 };
        let (phase, jitter) = (dice.roll(15_000), i % 2 == 0);
        let mut scrapes: Vec<i64> = (0..=length / 15_000)
            .map(|n| phase + n * 15_000 + if jitter { dice.roll(2001) - 1000 } else { 0 })
            .filter(|t| (born.max(1)..died).contains(t) && !gap.contains(t))
            .collect();
        scrapes.dedup();
        let mut bursts = |count: i64, size: i64| {
            let mut all: Vec<(i64, i64)> = (0..count).map(|_| (dice.roll(length), size)).collect();
            all.sort_unstable();
            all
        };
        let (errors, slow, once) =
            (bursts(12, BURST), bursts(12, BURST), bursts(if i % 2 == 0 { 1 } else { 0 }, 40));
        let mut starts = vec![if born == 0 { -90 * MINUTE } else { born - 4000 }];
        starts.extend(
            (1..=restarts).map(|n| born + (length - born) * n / (restarts + 1) + dice.roll(20 * MINUTE)),
        );
        Self { name: format!("pod-{i}"), scrapes, starts, errors, slow, once }
    }

    /// When the process that is scraped at `at` began.
    pub fn start(&self, at: i64) -> i64 {
        *self.starts.iter().rfind(|start| **start < at).unwrap()
    }

    /// Requests served, 10 a second and the slow ones, since the process began.
    pub fn requests(&self, at: i64) -> i64 {
        (at - self.start(at)) / 100
    }

    /// Slow requests since the process began; they come on top.
    pub fn slow(&self, at: i64) -> i64 {
        self.since_start(&self.slow, at)
    }

    fn since_start(&self, bursts: &[(i64, i64)], at: i64) -> i64 {
        bursts.iter().filter(|(t, _)| *t > self.start(at) && *t <= at).map(|(_, n)| n).sum()
    }

    /// The labels that scraping adds.
    pub fn labels(&self) -> [(&str, &str); 2] {
        [("job", "shop"), ("instance", &self.name)]
    }

    fn series(
        &self,
        begin: i64,
        name: &str,
        extra: &[(&str, &str)],
        value: impl Fn(i64) -> Option<i64>,
    ) -> Series {
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let sample = |at: &i64| Some((begin * 1000 + at, value(*at)? as f64));
        let labels = [&self.labels()[..], extra].concat();
        Series::new(name, &labels).with(self.scrapes.iter().filter_map(sample))
    }

    /// All series of the pod, with the data's begin in seconds.
    pub fn expose(&self, begin: i64) -> Vec<Series> {
        let born = |at: i64, count: i64| (count > 0 || at < 0).then_some(count);
        let all = |at| Some(self.requests(at) + self.slow(at));
        vec![
            self.series(begin, "up", &[], |_| Some(1)),
            self.series(begin, "process_start_time_seconds", &[], |at| Some(begin + self.start(at) / 1000)),
            self.series(begin, "req", &[], |at| Some(self.requests(at))),
            self.series(begin, "err", &[("kind", "usual")], |at| Some(self.since_start(&self.errors, at))),
            self.series(begin, "err", &[("kind", "once")], |at| born(at, self.since_start(&self.once, at))),
            self.series(begin, "latency_seconds_count", &[], all),
            self.series(begin, "latency_seconds_bucket", &[("le", "+Inf")], all),
            self.series(begin, "latency_seconds_bucket", &[("le", "0.3")], |at| Some(self.requests(at))),
        ]
    }
}
