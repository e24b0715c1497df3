//! What can be known of a workload from outside: counters as Prometheus scrapes them every 15
//! seconds, and CPU as the metrics server tells it. All of it is late, as it is in life.

use std::collections::VecDeque;

use super::TICK;
use super::workload::Served;

/// Seconds between scrapes, of which the first is ten seconds after each quarter of a minute.
const SCRAPED: i64 = 15;
const OFFSET: i64 = 10;
/// Ticks that are remembered: three minutes.
const REMEMBERED: usize = 36;

/// Counters of a workload, and what its replicas lately did.
#[derive(Default)]
pub struct Metrics {
    bad: f64,
    total: f64,
    /// The counters as scraped last: bad, total.
    scraped: (i64, i64),
    /// The same when the last slice ended.
    sliced: (i64, i64),
    /// When it was scraped last.
    pub at: i64,
    /// What was done in each tick, by the tick's end.
    served: VecDeque<(i64, Served)>,
}

impl Metrics {
    /// Counts the tick that ends at `end`.
    pub fn record(&mut self, end: i64, served: Served) {
        let events = served.rate * f64::from(i32::try_from(TICK).unwrap());
        self.total += events;
        self.bad += events * served.failed;
        self.served.push_back((end, served));
        if self.served.len() > REMEMBERED {
            self.served.pop_front();
        }
        if end.rem_euclid(SCRAPED) == OFFSET {
            self.scraped = (whole(self.bad), whole(self.total));
            self.at = end;
        }
    }

    /// Bad and total events between the scrapes that were newest when this and the last slice ended.
    pub fn slice(&mut self) -> (i64, i64) {
        let ((bad, total), (bad_before, total_before)) = (self.scraped, self.sliced);
        self.sliced = self.scraped;
        (bad - bad_before, total - total_before)
    }

    /// The mean of something over so many seconds before the last scrape; zero before the first.
    pub fn mean(&self, seconds: i64, of: fn(&Served) -> f64) -> f64 {
        let within = |end: i64| end <= self.at && end > self.at - seconds;
        let seen = self.served.iter().filter(|(end, _)| within(*end));
        let (sum, count) = seen.fold((0.0, 0.0), |(sum, count), (_, served)| (sum + of(served), count + 1.0));
        sum / f64::max(count, 1.0)
    }
}

/// Counters count whole events.
#[expect(clippy::cast_possible_truncation, reason = "far below 2⁵³")]
fn whole(events: f64) -> i64 {
    events.floor() as i64
}
