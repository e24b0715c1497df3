//! What was scraped when, and so what every window held: the stored samples of the services.

use chrono::DateTime;
use serde_json::Value;

use super::shop::SOON;
use crate::support::damper::Damper;
use crate::support::prometheus::Prometheus;
use crate::support::traffic::REQUESTS;
use crate::support::{now_ms, wait_until};

/// The error budget of the tests' SLOs.
const BUDGET: f64 = 0.01;

/// Counters of one service at each scrape.
pub struct Truth {
    /// Milliseconds, bad so far, total so far.
    scrapes: Vec<(i64, f64, f64)>,
}

impl Truth {
    /// Everything scraped of a service within the last quarter of an hour.
    pub async fn of(prometheus: &Prometheus, service: &str) -> Self {
        let now = now_ms();
        let selector = format!("{REQUESTS}{{service=\"{service}\"}}");
        let series = prometheus.samples(&selector, now - 900_000, now).await;
        let of = |code: &str| {
            let found = series.iter().find(|one| one.labels["code"] == code);
            found.map(|one| one.samples.clone()).unwrap_or_default()
        };
        let (good, bad) = (of("200"), of("500"));
        let bad_at = |at: i64| bad.iter().rev().find(|(t, _)| *t <= at).map_or(0.0, |(_, count)| *count);
        let scrapes = good.iter().map(|(t, good)| (*t, bad_at(*t), good + bad_at(*t))).collect();
        Self { scrapes }
    }

    /// Bad and total in the window of `span` seconds that ends at `to` (milliseconds).
    pub fn window(&self, to: i64, span: i64) -> (f64, f64) {
        let at = |t: i64| {
            let last = self.scrapes.iter().rev().find(|(at, ..)| *at <= t);
            last.map_or_else(|| panic!("nothing was scraped before {t}"), |(_, bad, total)| (*bad, *total))
        };
        let (old, new) = (at(to - span * 1000), at(to));
        (new.0 - old.0, new.1 - old.1)
    }

    /// Whether every one of these windows that end at `to` burns at `rate` at least.
    pub fn burns(&self, to: i64, rate: f64, spans: &[i64]) -> bool {
        spans.iter().all(|span| {
            let (bad, total) = self.window(to, *span);
            total > 0.0 && bad / total / BUDGET >= rate
        })
    }

    /// The first scrape after `from` (milliseconds) of which `is` holds.
    pub fn first_scrape(&self, from: i64, is: impl Fn(i64) -> bool) -> i64 {
        let scrapes = self.scrapes.iter().map(|(t, ..)| *t);
        scrapes.filter(|t| *t > from).find(|t| is(*t)).expect("a scrape that changes it")
    }
}

/// Waits until a window of five minutes is whole and holds exactly what was scraped. A scrape that was
/// stored late is missing in the newest slice, until it is asked again in the next tick.
pub async fn until_true(prometheus: &Prometheus, damper: &Damper, service: &str) {
    let path = format!("/api/v1/slos/shop/{service}");
    wait_until(SOON, &format!("the truth about {service}"), async || {
        let view = damper.get(&path).await;
        let counts = &view["groups"][0]["counts"]["5m"];
        let truth = Truth::of(prometheus, service).await;
        let (bad, total) = truth.window(counts["to"].as_i64()? * 1000, 300);
        (counts["bad"] == bad && counts["total"] == total && counts["coverage"] == 1.0).then_some(())
    })
    .await;
}

/// Milliseconds of an RFC 3339 time.
pub fn ms(time: &Value) -> i64 {
    let text = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}
