//! A shop with steady traffic, whose services fail when told to, and a Prometheus that scrapes it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::exporter::{Exporter, Target};
use super::now_ms;
use super::prometheus::{Builder, Prometheus, Version};
use super::random::Random;
use super::tsdb::Series;
use super::wait_until;

/// Requests of each service at every turn, ten turns a second.
const REQUESTS: f64 = 5.0;
const TURN: Duration = Duration::from_millis(100);
/// Seconds of data before the start.
const PAST: u16 = 180;
/// And after it: Prometheus takes so long to begin to scrape.
const AHEAD: u16 = 12;

/// How long a service that flaps fails, in milliseconds.
const FAILING: (i64, i64) = (20_000, 30_000);
/// And is well: its page goes on for up to 15 s of that, and where nobody sees it end before the next
/// failure, as around a kill, both are rightly one incident.
const WELL: (i64, i64) = (35_000, 45_000);

/// A time in which a service failed; milliseconds since the epoch.
#[derive(Clone, Debug)]
pub struct Phase {
    /// Which service.
    pub service: String,
    /// When it began.
    pub from: i64,
    /// When it ended; `None` while it lasts.
    pub to: Option<i64>,
}

impl Phase {
    /// An alert may begin so many milliseconds after it: windows of ten seconds fire late, and go on for
    /// as long.
    pub const FIRES_ON: i64 = 15_000;

    /// Whether an alert that began then is about it.
    pub fn holds(&self, began: i64) -> bool {
        began >= self.from && self.to.is_none_or(|to| began < to + Self::FIRES_ON)
    }
}

#[derive(Default)]
struct Services {
    failing: BTreeMap<String, bool>,
    phases: Vec<Phase>,
    flapping: Option<Flapping>,
}

struct Flapping {
    random: Random,
    next: BTreeMap<String, i64>,
    calming: bool,
}

/// The running shop. Traffic stops with it.
pub struct Shop {
    /// Scrapes the shop each second.
    pub prometheus: Prometheus,
    services: Arc<Mutex<Services>>,
    traffic: JoinHandle<()>,
    _exporter: Exporter,
}

impl Shop {
    /// Starts, with a few minutes of good traffic behind it, so that the windows of [`Self::slo`]
    /// are covered from the beginning.
    pub async fn open(names: &[&str]) -> Self {
        Self::open_with(names, |prometheus| prometheus).await
    }

    /// The same with a Prometheus that has more to do.
    pub async fn open_with(names: &[&str], more: impl FnOnce(Builder) -> Builder) -> Self {
        let exporter = Exporter::start();
        let target = exporter.target("/metrics");
        let now = now_ms();
        let past: Vec<Series> = names.iter().flat_map(|name| past(name, &exporter.address(), now)).collect();
        let served = REQUESTS * 10.0 * f64::from(PAST);
        target.change(|metrics| {
            for name in names {
                metrics.add("requests_total", &[("service", name), ("code", "200")], served);
            }
        });
        let failing = names.iter().map(|name| ((*name).to_owned(), false)).collect();
        let services = Arc::new(Mutex::new(Services { failing, ..Services::default() }));
        let traffic = tokio::spawn(serve(Arc::clone(&services), target.clone()));
        let prometheus = Prometheus::of(Version::New).data(&past).scrape(
            "shop",
            &[exporter.address()],
            "/metrics",
            Duration::from_secs(1),
        );
        let prometheus = more(prometheus).start().await;
        let limit = Duration::from_secs(60);
        let authored = now + i64::from(AHEAD) * 1000;
        wait_until(limit, "the data to reach the present", async || (now_ms() > authored).then_some(()))
            .await;
        target.scraped(2, limit).await;
        Self { prometheus, services, traffic, _exporter: exporter }
    }

    /// The source for `damper.yaml`, and the shortest step.
    pub fn settings(&self) -> String {
        format!("sources: [{{name: local, url: {}}}]\nstep: 5s\n", self.prometheus.url())
    }

    /// An SLO of a service that pages within seconds and resolves within ten.
    pub fn slo(service: &str) -> String {
        format!(
            r#"apiVersion: damper.dev/v1
kind: ServiceLevelObjective
metadata: {{name: availability}}
spec:
  service: {service}
  objective: 99
  sli:
    events:
      bad: requests_total{{job="shop",service="{service}",code="500"}}
      total: requests_total{{job="shop",service="{service}"}}
  alerting:
    rules: [{{severity: page, burnRate: 14.4, long: 30s, short: 10s}}]
"#
        )
    }

    /// From now on all requests of a service fail, or none.
    pub fn fail(&self, service: &str, failing: bool) {
        self.services.lock().unwrap().set(service, failing);
    }

    /// Each of these services fails and recovers, again and again.
    pub fn flap(&self, seed: u64, names: &[&str]) {
        let mut services = self.services.lock().unwrap();
        let mut random = Random::of(seed);
        let now = now_ms();
        let next = names.iter().map(|name| ((*name).to_owned(), now + random.between(0, 20_000))).collect();
        services.flapping = Some(Flapping { random, next, calming: false });
    }

    /// No service fails anew; those that do recover in their time.
    pub fn calm(&self) {
        self.services.lock().unwrap().flapping.as_mut().unwrap().calming = true;
    }

    /// Every time a service failed.
    pub fn phases(&self) -> Vec<Phase> {
        self.services.lock().unwrap().phases.clone()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.traffic.abort();
    }
}

impl Services {
    fn set(&mut self, service: &str, failing: bool) {
        let was = self.failing.insert(service.to_owned(), failing).expect("a known service");
        if failing && !was {
            self.phases.push(Phase { service: service.to_owned(), from: now_ms(), to: None });
        } else if was && !failing {
            let phase = self.phases.iter_mut().rfind(|phase| phase.service == service).unwrap();
            phase.to = Some(now_ms());
        }
    }

    fn flip(&mut self) {
        let Some(mut flapping) = self.flapping.take() else { return };
        let now = now_ms();
        for (name, at) in &mut flapping.next {
            let fails = self.failing[name];
            if *at > now || (flapping.calming && !fails) {
                continue;
            }
            let (least, most) = if fails { WELL } else { FAILING };
            *at = now + flapping.random.between(least, most);
            self.set(name, !fails);
        }
        self.flapping = Some(flapping);
    }
}

/// Good traffic of a service, a sample a second, as the scrapes will go on with it.
fn past(name: &str, instance: &str, now: i64) -> [Series; 2] {
    let labels = |code| [("job", "shop"), ("instance", instance), ("service", name), ("code", code)];
    let seconds =
        || (0..=PAST + AHEAD).map(|s| (now + (i64::from(s) - i64::from(PAST)) * 1000, f64::from(s)));
    let good = seconds().map(|(at, s)| (at, s * REQUESTS * 10.0));
    let bad = seconds().map(|(at, _)| (at, 0.0));
    [
        Series::new("requests_total", &labels("200")).with(good),
        Series::new("requests_total", &labels("500")).with(bad),
    ]
}

async fn serve(services: Arc<Mutex<Services>>, target: Target) {
    let mut turns = tokio::time::interval(TURN);
    loop {
        turns.tick().await;
        let mut services = services.lock().unwrap();
        services.flip();
        target.change(|metrics| {
            for (name, failing) in &services.failing {
                let (good, bad) = if *failing { (0.0, REQUESTS) } else { (REQUESTS, 0.0) };
                metrics.add("requests_total", &[("service", name), ("code", "200")], good);
                metrics.add("requests_total", &[("service", name), ("code", "500")], bad);
            }
        });
    }
}
