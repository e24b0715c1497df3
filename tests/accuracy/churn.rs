//! Short-lived processes that crash with a burst of errors, scraped for real, with the staleness
//! markers that only real scrapes leave.

use std::time::Duration;

use futures_util::future::join_all;

use super::observer::{Observer, events};
use crate::support::exporter::{Exporter, Target};
use crate::support::prometheus::{Prometheus, Version};
use crate::support::{now_ms, wait_until};

const STEP: i64 = 5;
const SECOND: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(30);
/// Places in which processes live and die, and how many live in each, one after the other.
const PLACES: usize = 10;
const LIVES: usize = 3;
/// Errors of a crash.
const BURST: f64 = 30.0;

#[tokio::test]
async fn what_processes_count_right_before_they_die_is_counted() {
    // Both at once: they wait for scrapes most of the time.
    tokio::join!(on(Version::Old), on(Version::New));
}

async fn on(version: Version) {
    let exporter = Exporter::start();
    let steady = exporter.target("/steady");
    steady.change(|m| m.add("req", &[("pod", "steady")], 1_000_000.0));
    let places: Vec<Target> = (0..PLACES).map(|i| exporter.target(&format!("/place-{i}"))).collect();
    places.iter().for_each(|place| place.fail(Some(503)));
    let mut builder = Prometheus::of(version).scrape("steady", &[exporter.address()], "/steady", SECOND);
    for i in 0..PLACES {
        builder =
            builder.scrape(&format!("place-{i}"), &[exporter.address()], &format!("/place-{i}"), SECOND);
    }
    let prometheus = builder.start().await;
    let mut observer = Observer::new(&prometheus, 5, &events("crashes", "err", "req")).await;
    steady.scraped(3, LIMIT).await;
    let begin = slice_after(now_ms());
    until(begin).await;
    observer.tick(begin).await;

    let lives = async {
        let counts = join_all(places.iter().enumerate().map(|(i, place)| live(&prometheus, i, place))).await;
        let count = |of: fn(&(f64, f64)) -> f64| counts.iter().map(of).sum::<f64>();
        (count(|c| c.0), count(|c| c.1), slice_after(now_ms()))
    };
    let mut lives = std::pin::pin!(lives);
    let mut next = begin;
    let (requests, errors, end) = loop {
        next += STEP;
        tokio::select! {
            done = &mut lives => break done,
            () = until(next) => {}
        }
        observer.tick(next).await;
    };
    until(end + STEP).await;
    observer.ticks(next - STEP, end + STEP).await;

    let counts = observer.between("crashes", begin, end + STEP);
    let increase = async |metric: &str| {
        let promql = format!("sum(increase({metric}[{}s]))", end + STEP - begin);
        prometheus.value(&promql, (end + STEP) * 1000).await.unwrap_or_default()
    };
    let theirs = (increase("err").await, increase("req").await);
    assert_eq!(counts.bad.as_f64(), errors, "{version:?}");
    assert_eq!(counts.total.as_f64(), requests, "{version:?}");
    assert!(
        (theirs.0 - errors).abs() > errors / 100.0,
        "{version:?} {theirs:?}: crashes are no trouble for it"
    );

    // Filled in afterwards it is the same.
    let mut later = Observer::new(&prometheus, 5, &events("crashes", "err", "req")).await;
    later.backfill(begin - 2 * STEP, end + STEP).await;
    let again = later.between("crashes", begin, end + STEP);
    assert_eq!((again.bad, again.total), (counts.bad, counts.total), "{version:?}");
}

/// Processes that start, work and crash; gives their requests and errors as the last scrapes saw them.
async fn live(prometheus: &Prometheus, place: usize, target: &Target) -> (f64, f64) {
    let (mut requests, mut errors) = (0.0, 0.0);
    for life in 0..LIVES {
        let pod = format!("pod-{place}-{life}");
        let add = |name: &str, by: f64| target.change(|m| m.add(name, &[("pod", &pod)], by));
        target.restart();
        add("req", 5.0);
        requests += 5.0;
        // Half of them know their errors before there are any.
        if place.is_multiple_of(2) {
            add("err", 0.0);
        }
        target.fail(None);
        for _ in 0..2 + (place + life) % 5 {
            target.scraped(1, LIMIT).await;
            add("req", 7.0);
            requests += 7.0;
        }
        add("req", BURST);
        add("err", BURST);
        (requests, errors) = (requests + BURST, errors + BURST);
        // A scrape that was answered counts once it is stored.
        let errors_seen = format!("err{{pod=\"{pod}\"}}");
        let stored = async || (prometheus.value(&errors_seen, now_ms()).await? == BURST).then_some(());
        wait_until(LIMIT, "the burst to be stored", stored).await;
        target.fail(Some(503));
        let query = format!("up{{job=\"place-{place}\"}}");
        let down = async || (prometheus.value(&query, now_ms()).await? == 0.0).then_some(());
        wait_until(LIMIT, "the crash to be noticed", down).await;
    }
    (requests, errors)
}

/// The first slice that ends after this moment (milliseconds), in seconds.
fn slice_after(ms: i64) -> i64 {
    (ms / 1000 / STEP + 1) * STEP
}

/// Waits until scrapes of this second are stored.
async fn until(secs: i64) {
    wait_until(Duration::from_secs(120), "the slice's end", async || {
        (now_ms() > secs * 1000 + 300).then_some(())
    })
    .await;
}
