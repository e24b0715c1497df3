//! What every end-to-end test stands on: a shop with services, scraped by a Prometheus that has a
//! history of them, watched by Damper, with one receiver.

use std::time::Duration;

use serde_json::Value;

use crate::support::damper::Damper;
use crate::support::exporter::{Exporter, Target};
use crate::support::now_ms;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::receiver::{Receiver, Request};
use crate::support::traffic::{REQUESTS, Traffic};
use crate::support::tsdb::Series;

/// For what happens at once or in a few ticks, on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);
/// Seconds of history: every window of the tests is filled from the start.
const HISTORY: i64 = 900;
/// The key of the receiver's signatures.
pub const HMAC: &str = "only the receiver knows";
/// A page that fires after about 17 s of half of the requests failing, and clears 15 s after.
pub const PAGE: &str = "{severity: page, burnRate: 14.4, long: 1m, short: 20s}";

/// Everything but Damper.
pub struct Shop {
    pub exporter: Exporter,
    pub target: Target,
    pub traffic: Traffic,
    pub prometheus: Prometheus,
    pub receiver: Receiver,
}

impl Shop {
    /// Opens with these services, each with a quarter of an hour of good traffic behind it.
    pub async fn open(version: Version, services: &[&str]) -> Self {
        let exporter = Exporter::start();
        let target = exporter.target("/metrics");
        let now = now_ms() / 1000 * 1000;
        let past = services.iter().map(|service| {
            let instance = exporter.address();
            let labels = [("job", "shop"), ("instance", &instance), ("service", service), ("code", "200")];
            let times = (0..HISTORY).map(|second| (now - (HISTORY - second) * 1000, second * 100));
            #[expect(clippy::cast_precision_loss, reason = "small counts")]
            let samples = times.map(|(at, count)| (at, count as f64));
            Series::new(REQUESTS, &labels).with(samples)
        });
        let past: Vec<Series> = past.collect();
        target.change(|metrics| {
            for service in services {
                let last = f64::from(i32::try_from(HISTORY - 1).unwrap() * 100);
                metrics.add(REQUESTS, &[("service", service), ("code", "200")], last);
            }
        });
        let prometheus = Prometheus::of(version).data(&past);
        let second = Duration::from_secs(1);
        let prometheus = prometheus.scrape("shop", &[exporter.address()], "/metrics", second).start().await;
        let traffic = Traffic::start(&target, services);
        target.scraped(2, SOON).await;
        Self { exporter, target, traffic, prometheus, receiver: Receiver::start() }
    }

    /// Damper, not started yet, that asks at `source` and tells the receiver.
    pub fn damper(&self, source: &str) -> Damper {
        Damper::new(&self.settings(source))
    }

    /// Its settings.
    pub fn settings(&self, source: &str) -> String {
        format!(
            "step: 5s\nsources: [{{name: local, url: \"{source}\"}}]\n\
             receivers:\n  - name: oncall\n    webhook: {{url: \"{}\", hmacSecret: {HMAC}}}\n\
             route: {{receiver: oncall}}\n",
            self.receiver.url()
        )
    }

    /// The same with a page for each of these services.
    pub fn watched(&self, source: &str, services: &[&str]) -> Damper {
        let damper = self.damper(source);
        for service in services {
            damper.definition(&format!("{service}.yaml"), &Self::slo(service, &[PAGE]));
        }
        damper
    }

    /// The SLO of one service, with these rules.
    pub fn slo(service: &str, rules: &[&str]) -> String {
        let rules: Vec<String> = rules.iter().map(|rule| format!("      - {rule}\n")).collect();
        format!(
            "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata:\n  name: {service}\n\
             spec:\n  service: shop\n  objective: 99\n  window: 28d\n  sli:\n    events:\n\
             \x20     bad: {REQUESTS}{{job=\"shop\",service=\"{service}\",code=\"500\"}}\n\
             \x20     total: {REQUESTS}{{job=\"shop\",service=\"{service}\"}}\n\
             \x20 alerting:\n    rules:\n{}",
            rules.concat()
        )
    }
}

/// A message as its receiver reads it.
#[derive(Clone, Debug)]
pub struct Told {
    pub request: Request,
    pub body: Value,
}

impl Told {
    fn of(request: Request) -> Self {
        Self { body: request.json(), request }
    }

    pub fn alert(&self) -> &Value {
        &self.body["alerts"][0]
    }

    /// `firing`, `resolved` or `missed`.
    pub fn event(&self) -> &str {
        self.alert()["damper"]["event"].as_str().unwrap()
    }

    pub fn incident(&self) -> &str {
        self.alert()["damper"]["incident"].as_str().unwrap()
    }

    fn is(&self, subject: &str, severity: &str) -> bool {
        let labels = &self.alert()["labels"];
        let named = labels["slo"].as_str().or(labels["alertname"].as_str()) == Some(subject);
        named && labels["severity"] == severity
    }
}

/// What the receiver was told of an SLO, or of an alert without one, in order.
pub fn told(receiver: &Receiver, subject: &str, severity: &str) -> Vec<Told> {
    receiver.accepted().into_iter().map(Told::of).filter(|told| told.is(subject, severity)).collect()
}

/// The events told of it.
pub fn events(receiver: &Receiver, subject: &str, severity: &str) -> Vec<String> {
    told(receiver, subject, severity).iter().map(|told| told.event().to_owned()).collect()
}

/// Waits until the newest of what was told of it is this event.
pub async fn until_told(receiver: &Receiver, limit: Duration, subject: &str, event: &str) -> Told {
    let what = format!("{subject} {event}");
    crate::support::wait_until(limit, &what, async || {
        let mut all = told(receiver, subject, "page");
        all.extend(told(receiver, subject, "ticket"));
        all.sort_by_key(|told| told.request.at);
        all.pop().filter(|told| told.event() == event)
    })
    .await
}

/// Waits until the history of an SLO is there: a window of five minutes is whole.
pub async fn until_whole(damper: &Damper, slo: &str) {
    let what = format!("a whole window of {slo}");
    damper
        .wait_for(SOON, &format!("/api/v1/slos/shop/{slo}"), &what, |view| {
            (view["groups"][0]["counts"]["5m"]["coverage"] == 1.0).then_some(())
        })
        .await;
}
