//! Native histograms of twelve pods, counted whole and above a bound, against `increase`; and the hazard
//! that only they have.

use damper::slo::time::Span;

use super::page::{self, Row};
use crate::accuracy::authored::Case;
use crate::accuracy::fleet::Pod;
use crate::accuracy::observer::{Observer, latency};
use crate::accuracy::truth::Truth;
use crate::support::native::Native;
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::tsdb::Series;

const LENGTH: i64 = 4 * 3600;
/// Remote write takes samples up to an hour older than the newest.
const BATCH: i64 = 1800;
/// When one process writes its histograms at half the resolution.
const COARSER: i64 = LENGTH - 900;
/// Its scrapes.
const SCRAPES: i64 = LENGTH / 15;

#[tokio::test]
async fn windows_of_native_histograms_are_nearer_to_the_truth_than_increase() {
    let begin = now_ms() / 1000 / 300 * 300 - LENGTH - 600;
    let end = begin + LENGTH;
    let fleet = Pod::fleet(LENGTH * 1000, 3);
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let counts = |count: fn(&Pod, i64) -> i64| {
        let sample = |pod: &Pod, at: i64| (begin * 1000 + at, count(pod, at) as f64);
        let series = |pod: &Pod| Series::new("", &[]).with(pod.scrapes.iter().map(|at| sample(pod, *at)));
        Truth::of(&fleet.iter().map(series).collect::<Vec<_>>(), begin + 30)
    };
    let all = counts(|pod, at| pod.requests(at) + pod.slow(at));
    let slow = counts(Pod::slow);
    let yaml = latency("latency", "latency_seconds", true) + &latency("coarser", "coarser_seconds", true);
    let mut rows = Vec::new();
    for version in Version::ALL {
        let prometheus = Prometheus::of(version).receives_remote_write().native_histograms().start().await;
        write(&prometheus, &fleet, begin).await;
        let mut observer = Observer::new(&prometheus, 30, &yaml).await;
        observer.measure(end).await;
        observer.backfill(begin, end - 1200).await;
        observer.ticks(end - 1200, end).await;
        let case = Case { version, prometheus: &prometheus, observer: &observer, ends: (begin, end) };
        for window in [Span::from_mins(5), Span::from_hours(1)] {
            let increase = "histogram_count(sum(increase(latency_seconds[W])))";
            case.beats("latency", increase, window, |c| c.total.as_f64(), |a, b| all.between(a, b)).await;
            let above =
                format!("{increase} * histogram_fraction(0.3, +Inf, sum(increase(latency_seconds[W])))");
            case.beats("latency", &above, window, |c| c.bad.as_f64(), |a, b| slow.between(a, b)).await;
        }
        let mut later = Observer::new(&prometheus, 30, &yaml).await;
        later.measure(end).await;
        later.backfill(begin, end).await;
        let booked = |observer: &Observer| page::counted(&observer.between("coarser", begin, end));
        rows.push(Row {
            hazard: "native schema change",
            happens: "a process halves the resolution of its native histograms",
            truth: page::events(((SCRAPES - 2) * 22, (SCRAPES - 2) * 2)),
            live: booked(&observer),
            later: booked(&later),
            remark: "",
        });
    }
    assert_eq!(rows[0], rows[1], "old and new");
    page::check(&rows[..1]);
}

/// Each scrape sees twenty fast and two slow requests more.
fn coarser(begin: i64, now: impl Fn(i64) -> bool) -> Vec<(i64, Native)> {
    let scrape = |n: i64| {
        let mut native = Native::new(if n * 15 < COARSER { 3 } else { 2 });
        native.observe(0.1, (1000 + n * 20).unsigned_abs());
        native.observe(2.0, (10 + n * 2).unsigned_abs());
        (begin * 1000 + n * 15_000 + 3700, native)
    };
    (0..SCRAPES).filter(|n| now(n * 15_000 + 3700)).map(scrape).collect()
}

async fn write(prometheus: &Prometheus, fleet: &[Pod], begin: i64) {
    for from in (0..LENGTH).step_by(usize::try_from(BATCH).unwrap()) {
        let now = |at: i64| (from * 1000 < at && at <= (from + BATCH) * 1000).then_some(begin * 1000 + at);
        let other = Series::new("coarser_seconds", &[("job", "shop"), ("instance", "coarser")]);
        prometheus.write_native(&other, &coarser(begin, |at| now(at).is_some())).await;
        for pod in fleet {
            let mut targets = pod.expose(begin);
            targets.truncate(2);
            for one in &mut targets {
                one.samples.retain(|(t, _)| now(t - begin * 1000).is_some());
            }
            prometheus.write(&targets).await;
            let histograms = pod.scrapes.iter().filter_map(|at| Some((now(*at)?, histogram(pod, *at))));
            let series = Series::new("latency_seconds", &pod.labels());
            prometheus.write_native(&series, &histograms.collect::<Vec<_>>()).await;
        }
    }
}

fn histogram(pod: &Pod, at: i64) -> Native {
    let mut native = Native::new(3);
    native.observe(0.1, pod.requests(at).unsigned_abs());
    if pod.slow(at) > 0 {
        native.observe(2.0, pod.slow(at).unsigned_abs());
    }
    native
}
