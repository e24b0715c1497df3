//! What Prometheus holds: services with counters scraped every 15 s, some of them for three days.

use crate::support::tsdb::Series;

/// Instances of a service, and series of each: 50 of requests and 10 of errors together.
const INSTANCES: i64 = 5;
const PATHS: i64 = 10;
const KINDS: i64 = 2;
/// Milliseconds between scrapes.
const SCRAPE: i64 = 15_000;
/// Every instance restarts once a day.
const DAY: i64 = 86_400_000;

/// All series of a service in `[from, to)`, in milliseconds since the epoch.
pub fn service(number: usize, from: i64, to: i64) -> Vec<Series> {
    let number = i64::try_from(number).unwrap();
    (0..INSTANCES).flat_map(|i| instance(number, i, from, to)).collect()
}

/// The matchers of a service that differ from other services' in one label, or in two.
pub fn matchers(number: usize, labels: &[&str]) -> String {
    let all: Vec<String> = labels.iter().map(|label| format!("{label}=\"api-{number}\"")).collect();
    all.join(",")
}

fn instance(service: i64, number: i64, from: i64, to: i64) -> Vec<Series> {
    let name = format!("api-{service}");
    let address = format!("10.0.{service}.{number}:8080");
    // Instances are scraped and restart at different times.
    let chance = (service * INSTANCES + number) * 7919;
    let first = from + (chance * 13 - from).rem_euclid(SCRAPE);
    let times: Vec<i64> = (0..).map(|i| first + i * SCRAPE).take_while(|t| *t < to).collect();
    let alive = |t: i64| (t + chance * 1_000).rem_euclid(DAY) / 1000;
    let labels = [("job", name.as_str()), ("service", name.as_str()), ("instance", address.as_str())];
    let counter = |metric: &str, label: (&str, &str), events: &dyn Fn(i64) -> i64| {
        let labels: Vec<(&str, &str)> = labels.iter().copied().chain([label]).collect();
        Series::new(metric, &labels).with(times.iter().map(|t| (*t, value(events(alive(*t))))))
    };
    let paths = (0..PATHS).map(|path| {
        let rate = 2 + (path * 5 + number) % 9;
        counter("http_requests_total", ("path", &format!("/v1/{path}")), &move |s| s * rate + s % 7)
    });
    let kinds = (0..KINDS).map(|kind| {
        let every = 200 + 70 * kind + 11 * number;
        counter("http_errors_total", ("kind", &format!("kind-{kind}")), &move |s| s / every)
    });
    let up = Series::new("up", &labels).with(times.iter().map(|t| (*t, 1.0)));
    paths.chain(kinds).chain([up]).collect()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
fn value(events: i64) -> f64 {
    events as f64
}
