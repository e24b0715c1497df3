//! Counters and classic latencies of twelve pods: windows summed from slices are nearer to the truth
//! than `increase` over the window.

use damper::engine::window::Counts;
use damper::slo::model::Labels;
use damper::slo::time::Span;

use super::fleet::Pod;
use super::observer::{Observer, events, latency};
use super::truth::{Score, Truth};
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::tsdb::Series;

const HOUR: i64 = 3600;
/// How much data there is.
const LENGTH: i64 = 8 * HOUR;
/// How much of it is counted live, tick by tick; the rest by backfill.
const LIVE: i64 = HOUR / 2;
const STEP: i64 = 30;

#[tokio::test]
async fn windows_of_counters_and_latencies_are_nearer_to_the_truth_than_increase() {
    let begin = now_ms() / 1000 / HOUR * HOUR - LENGTH - 2 * HOUR;
    let end = begin + LENGTH;
    let series: Vec<Series> = Pod::fleet(LENGTH * 1000, 3).iter().flat_map(|pod| pod.expose(begin)).collect();
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&series).start().await;
        let yaml = events("requests", "err", "req") + &latency("latency", "latency_seconds", false);
        let mut observer = Observer::new(&prometheus, 30, &yaml).await;
        observer.measure(end - LIVE).await;
        observer.backfill(begin, end - LIVE).await;
        observer.ticks(end - LIVE, end).await;

        let of = |name: &str, le: &str| {
            let is = |s: &&Series| s.labels["__name__"] == name && s.labels.get("le").is_none_or(|l| l == le);
            Truth::of(series.iter().filter(is), begin + STEP)
        };
        let errors = of("err", "");
        let requests = of("req", "");
        let (all, fast) = (of("latency_seconds_count", ""), of("latency_seconds_bucket", "0.3"));
        let slow = |from, to| all.between(from, to) - fast.between(from, to);
        let case = Case { version, prometheus: &prometheus, observer: &observer, ends: (begin, end) };
        for window in [Span::from_mins(5), Span::from_hours(1)] {
            case.beats(
                "requests",
                "sum(increase(err[W]))",
                window,
                |c| c.bad.as_f64(),
                |a, b| errors.between(a, b),
            )
            .await;
            case.beats(
                "requests",
                "sum(increase(req[W]))",
                window,
                |c| c.total.as_f64(),
                |a, b| requests.between(a, b),
            )
            .await;
            let increase = "sum(increase(latency_seconds_count[W])) - sum(increase(latency_seconds_bucket{le=\"0.3\"}[W]))";
            case.beats("latency", increase, window, |c| c.bad.as_f64(), slow).await;
        }
    }
}

/// Backfill of what is older than twelve hours asks at five minutes. What it may lose are errors of a
/// process that restarts within five minutes and then makes just as many.
#[tokio::test]
async fn five_minutes_are_fine_enough_for_history() {
    let begin = now_ms() / 1000 / HOUR * HOUR - LENGTH - 20 * HOUR;
    let end = begin + LENGTH;
    let series: Vec<Series> =
        Pod::fleet(LENGTH * 1000, 12).iter().flat_map(|pod| pod.expose(begin)).collect();
    let of = |name: &str| Truth::of(series.iter().filter(|s| s.labels["__name__"] == name), begin + 300);
    let (errors, requests) = (of("err"), of("req"));
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).data(&series).start().await;
        let mut observer = Observer::new(&prometheus, 30, &events("requests", "err", "req")).await;
        observer.measure(end).await;
        observer.backfill(begin, end + 14 * HOUR).await;
        let counts = observer.between("requests", begin + 300, end);
        let near = |got: f64, truth: f64| (got / truth - 1.0).abs() < 0.01;
        let truth = (errors.between(begin + 300, end), requests.between(begin + 300, end));
        assert!(near(counts.bad.as_f64(), truth.0), "{version:?} {counts:?} {truth:?}");
        assert_eq!(counts.total.as_f64(), truth.1, "{version:?} {counts:?} {truth:?}");
    }
}

/// Windows of one server, ours and its own.
pub struct Case<'a> {
    pub version: Version,
    pub prometheus: &'a Prometheus,
    pub observer: &'a Observer,
    /// Begin and end of the data, in seconds.
    pub ends: (i64, i64),
}

impl Case<'_> {
    /// Over all windows of this length that end on a slice: the error is smaller than that of
    /// `increase`, in which `W` stands for the window, and next to nothing.
    pub async fn beats(
        &self,
        slo: &str,
        increase: &str,
        window: Span,
        count: impl Fn(&Counts) -> f64,
        truth: impl Fn(i64, i64) -> f64,
    ) {
        let (begin, end) = self.ends;
        let first = begin + window.secs() + 2 * STEP;
        let promql = increase.replace('W', &window.to_string());
        let theirs = self.prometheus.range(&promql, first * 1000, end * 1000, STEP * 1000).await;
        let value = |to: i64| {
            theirs.iter().flat_map(|s| &s.samples).find(|(t, _)| *t == to * 1000).map_or(0.0, |s| s.1)
        };
        let (mut ours, mut rivals) = (Vec::new(), Vec::new());
        for to in (first..=end).step_by(30) {
            let true_count = truth(to - window.secs(), to);
            let counts = self.observer.window(slo, &Labels::new(), window, to);
            assert!(counts.covered > 0, "{to} is not covered");
            ours.push((count(&counts), true_count));
            rivals.push((value(to), true_count));
        }
        let (ours, rivals) = (Score::of(&ours), Score::of(&rivals));
        let about = format!("{:?} {increase} over {window}: {ours:?}, increase {rivals:?}", self.version);
        assert!(ours.rmse < rivals.rmse && ours.rmse < 0.001 && ours.bias.abs() < 0.001, "{about}");
    }
}
