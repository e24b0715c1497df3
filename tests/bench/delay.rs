//! How long a page takes, end to end: from the scrape that makes both windows exceed to the webhook.
//!
//! Real programs throughout. Services begin to fail one after the other, at moments that lie
//! differently to Damper's steps; each is one measurement. The first scrape that shows errors makes
//! both windows exceed, because before there were none and from then on every request fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::measure::median;
use crate::support::damper::Damper;
use crate::support::exporter::{Exporter, Target};
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::receiver::{Receiver, Request};
use crate::table::Row;

const SERVICES: usize = 20;
/// Between two services that begin to fail: not a part of the step.
const APART: Duration = Duration::from_millis(1_700);
const STEP: i64 = 5;
/// Longer than the long window, so that it is full.
const BEFORE: Duration = Duration::from_secs(75);
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures with a step of five seconds.
pub async fn rows() -> Vec<Row> {
    let exporter = Exporter::start();
    let targets: Vec<Target> = (0..SERVICES).map(|i| exporter.target(&format!("/{i}"))).collect();
    let failing = Arc::new(AtomicUsize::new(0));
    let traffic = tokio::spawn(serve(targets, Arc::clone(&failing)));
    let mut prometheus = Prometheus::of(Version::New);
    for i in 0..SERVICES {
        let (job, path) = (format!("api-{i}"), format!("/{i}"));
        prometheus = prometheus.scrape(&job, &[exporter.address()], &path, Duration::from_secs(1));
    }
    let prometheus = prometheus.start().await;
    let receiver = Receiver::start();
    let mut damper = Damper::new(&format!(
        "step: {STEP}s\nsources:\n  - {{name: local, url: \"{}\"}}\nreceivers:\n  - {{name: hook, webhook: {{url: \"{}\"}}}}\nroute: {{receiver: hook}}",
        prometheus.url(),
        receiver.url()
    ));
    for i in 0..SERVICES {
        damper.definition(&format!("api-{i}.yaml"), &definition(i));
    }
    damper.start().await;
    eprintln!("bench: waiting until windows are full, to measure the delay of pages");
    tokio::time::sleep(BEFORE).await;
    assert!(receiver.requests().is_empty(), "nothing has failed yet");

    let mut delays = Vec::new();
    for count in 1..=SERVICES {
        failing.store(count, Ordering::Relaxed);
        tokio::time::sleep(APART).await;
    }
    for i in 0..SERVICES {
        let service = format!("\"api-{i}\"");
        let is_it = |request: &Request| {
            let body = String::from_utf8_lossy(&request.body);
            body.contains(&service) && body.contains("firing")
        };
        let page = receiver.wait_for(PATIENCE, &format!("the page of {service}"), is_it).await;
        delays.push(seconds(page.at - seen(&prometheus, i).await));
    }
    traffic.abort();
    let most = delays.iter().copied().fold(0.0, f64::max);
    vec![Row {
        what: format!("from the scrape that makes both windows exceed to the webhook, step {STEP}s"),
        damper: format!("{:.2} s, at most {most:.2} s", median(delays)),
        target: format!("≤ {} s", STEP + 1),
        repeated: format!("{SERVICES} services, median and maximum"),
        ..Row::default()
    }]
}

/// Twenty requests a second each; those that fail, the first so many, are asked a hundred times as
/// often, so that whatever part of it a scrape sees first is more than enough.
async fn serve(targets: Vec<Target>, failing: Arc<AtomicUsize>) {
    let mut every = tokio::time::interval(Duration::from_millis(100));
    loop {
        every.tick().await;
        for (i, target) in targets.iter().enumerate() {
            let errors = if i < failing.load(Ordering::Relaxed) { 200.0 } else { 0.0 };
            target.change(|metrics| {
                metrics.add("http_requests_total", &[], errors + 2.0);
                metrics.add("http_errors_total", &[], errors);
            });
        }
    }
}

/// When Prometheus scraped the first errors.
async fn seen(prometheus: &Prometheus, service: usize) -> i64 {
    let now = now_ms();
    let selector = format!("http_errors_total{{job=\"api-{service}\"}}");
    let errors = prometheus.samples(&selector, now - 120_000, now).await;
    errors[0].samples.iter().find(|(_, count)| *count > 0.0).expect("it failed").0
}

fn definition(service: usize) -> String {
    format!(
        "apiVersion: damper.dev/v1\n\
         kind: ServiceLevelObjective\n\
         metadata: {{name: availability}}\n\
         spec:\n  \
           service: api-{service}\n  \
           objective: 99.9\n  \
           sli: {{events: {{bad: 'http_errors_total{{job=\"api-{service}\"}}', total: 'http_requests_total{{job=\"api-{service}\"}}'}}}}\n  \
           alerting: {{rules: [{{severity: page, burnRate: 14.4, long: 1m, short: 20s}}]}}\n"
    )
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand milliseconds")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
