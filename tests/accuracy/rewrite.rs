//! Any sum of counters, as people write it, gives the same window from slices as Prometheus gives for
//! the query itself, on data on which `increase` is exact.

use damper::engine::window::Counts;
use damper::slo::model::Labels;
use damper::slo::promql::{EventsQuery, read_events};
use damper::slo::time::Span;

use super::observer::{Observer, slo};
use super::truth::Dice;
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::tsdb::Series;

const QUERIES: usize = 90;
const ROUTES: [&str; 2] = ["/a", "/b"];
const METRICS: [&str; 3] = ["hits_total", "calls_count", "calls_bucket"];
/// Scraped each 15 s, on the second: `increase` over 15 s more than the window sees just the samples
/// at both of the window's edges, and scales what is between by the length of both.
const SCRAPE: i64 = 15;
const LENGTH: i64 = 7200;

/// Counters that grow by another number at each scrape, and a gauge between the scrapes.
fn data(begin: i64) -> Vec<Series> {
    let mut dice = Dice(3);
    let mut all = Vec::new();
    for metric in METRICS.iter().chain(&["probe"]) {
        for (route, code) in ROUTES.iter().flat_map(|r| ["200", "404", "500"].map(|c| (r, c))) {
            for pod in ["pod-1", "pod-2"] {
                let labels = [("route", *route), ("code", code), ("instance", pod), ("job", "shop")];
                let mut count = 10_000_000;
                let samples = (0..=LENGTH / SCRAPE).map(|n| {
                    count += dice.roll(50);
                    let (shift, value) = if *metric == "probe" { (7, count % 5) } else { (0, count) };
                    #[expect(clippy::cast_precision_loss, reason = "small counts")]
                    let value = value as f64;
                    ((begin + n * SCRAPE + shift) * 1000, value)
                });
                all.push(Series::new(metric, &labels).with(samples));
            }
        }
    }
    all
}

/// Sums, differences, constants, groupings and `or vector(0)` around one function.
struct Writer {
    dice: Dice,
    function: &'static str,
    grouped: bool,
}

impl Writer {
    fn sum(&mut self, depth: i64) -> String {
        let kind = if depth == 0 { 0 } else { self.dice.roll(8) };
        match kind {
            0..=2 => self.counted(),
            3 => format!("({} + {})", self.sum(depth - 1), self.sum(depth - 1)),
            4 => format!("{} - {}", self.sum(depth - 1), self.counted()),
            5 => format!("{} * ({})", self.constant(), self.sum(depth - 1)),
            6 => format!("({}) / {}", self.sum(depth - 1), self.constant()),
            _ if self.grouped => format!("-(-({}))", self.sum(depth - 1)),
            _ => format!("({} or vector(0))", self.sum(depth - 1)),
        }
    }

    fn counted(&mut self) -> String {
        let by = match (self.grouped, self.dice.roll(3)) {
            (true, _) => "sum by (route) ",
            (false, 0) => "sum without () ",
            _ => "sum",
        };
        let (function, selector) = (self.function, self.selector());
        match by {
            "sum without () " => {
                format!("sum(sum by (route, code) ({function}({selector}[{{{{.window}}}}])))")
            }
            by => format!("{by}({function}({selector}[{{{{.window}}}}]))"),
        }
    }

    fn selector(&mut self) -> String {
        let gauge = self.function.ends_with("_over_time");
        let metric = if gauge { "probe" } else { METRICS[usize::try_from(self.dice.roll(3)).unwrap()] };
        let matchers =
            [r#"code=~"5..""#, r#"code!="200""#, r#"job="shop""#, r#"code!~"4..|5..",job="shop""#, ""];
        format!("{metric}{{{}}}", matchers[usize::try_from(self.dice.roll(5)).unwrap()])
    }

    fn constant(&mut self) -> &'static str {
        ["2", "0.5", "0.25", "(3 - 1)", "1.6"][usize::try_from(self.dice.roll(5)).unwrap()]
    }
}

/// Query by SLO, and whether it is grouped.
fn queries() -> Vec<(String, Writer)> {
    let functions = ["rate", "increase", "sum_over_time", "count_over_time"];
    let query = |i: usize| {
        let dice = Dice(i as u64 * 7919 + 1);
        let mut writer = Writer { dice, function: functions[i % 4], grouped: i.is_multiple_of(3) };
        (writer.sum(3), writer)
    };
    // A few cancel to nothing, which is refused.
    let counts =
        |(query, _): &(String, Writer)| matches!(read_events(query, false), Ok(EventsQuery::Additive(_)));
    (0..).map(query).filter(counts).take(QUERIES).collect()
}

#[tokio::test]
async fn a_rewritten_query_counts_what_the_original_counts() {
    let begin = now_ms() / 1000 / 300 * 300 - LENGTH - 600;
    let data = data(begin);
    let queries = queries();
    let definition = |(i, (query, writer)): (usize, &(String, Writer))| {
        let by = if writer.grouped { "  groupBy: [route]\n" } else { "" };
        let all = "sum(count_over_time(calls_count[{{.window}}]))";
        slo(
            &format!("q{i}"),
            &format!("  objective: 99\n  sli: {{events: {{bad: '{query}', total: '{all}'}}}}\n{by}"),
        )
    };
    let yaml: String = queries.iter().enumerate().map(definition).collect();
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&data).start().await;
        let mut observer = Observer::new(&prometheus, 30, &yaml).await;
        observer.measure(begin + LENGTH).await;
        observer.backfill(begin, begin + LENGTH).await;
        let mut compared = 0;
        for (i, (query, writer)) in queries.iter().enumerate() {
            for (window, to) in [(300, begin + 3600), (300, begin + 3630), (3600, begin + 6600)] {
                for (group, value) in original(&prometheus, query, writer.function, window, to).await {
                    let window = Span::from_secs(u32::try_from(window).unwrap());
                    let counts: Counts = observer.window(&format!("q{i}"), &group, window, to);
                    let got = counts.bad.as_f64();
                    // Windows are never below zero, and slices are kept in thousandths.
                    let near = (got - value.max(0.0)).abs() < 0.2 + value.abs() * 1e-9;
                    assert!(near, "{version:?} {query} over {window} {group:?}: {got}, not {value}");
                    compared += i32::from(value > 1.0);
                }
            }
        }
        assert!(compared > 200, "{compared} comparisons say little");
    }
}

/// What Prometheus makes of the query as written, in events.
async fn original(
    prometheus: &Prometheus,
    query: &str,
    function: &str,
    window: i64,
    to: i64,
) -> Vec<(Labels, f64)> {
    // Prometheus 3 leaves the old edge out: it must see one scrape more to have a sample on it.
    let wider = match (prometheus.version, function) {
        (Version::New, "rate" | "increase") => window + SCRAPE,
        _ => window,
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let scale = match function {
        "rate" => window as f64,
        "increase" => window as f64 / wider as f64,
        _ => 1.0,
    };
    let query = query.replace("{{.window}}", &format!("{wider}s"));
    let answer = prometheus.instant(&query, to * 1000).await;
    answer.into_iter().map(|(labels, value)| (labels, value * scale)).collect()
}
