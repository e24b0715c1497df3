//! Services whose counters are a formula of time, and their SLOs.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::support::now_ms;

/// Definitions in one file.
const IN_A_FILE: usize = 100;
/// Groups of a grouped SLO.
pub const ROUTES: usize = 100;
/// Ten grouped SLOs of a hundred groups are a thousand groups.
const GROUPED: usize = 10;

/// Services `s-0`, `s-1`, …; the first ten have a hundred routes each. Every fourth of the others is
/// watched for latency, with a histogram of two buckets, the rest for availability.
pub struct Fleet {
    pub slos: usize,
    began: i64,
}

impl Fleet {
    pub fn of(slos: usize) -> Self {
        // They have run for an hour.
        Self { slos, began: now_ms() / 1000 - 3600 }
    }

    pub fn groups(&self) -> usize {
        GROUPED.min(self.slos) * ROUTES
    }

    /// Routes of a service, 1 where there is one series of each kind.
    pub fn routes(service: usize) -> usize {
        if service < GROUPED { ROUTES } else { 1 }
    }

    /// All requests and failed ones of one route until this second: one in a thousand fails.
    pub fn counts(&self, service: usize, route: usize, at: i64) -> (i64, i64) {
        let rate = i64::try_from(1 + (service * 7 + route) % 20).unwrap();
        let total = rate * (at - self.began).max(0);
        (total, total / 1000)
    }

    /// Whether it is latency that is watched.
    pub fn is_slow(service: usize) -> bool {
        service >= GROUPED && service.is_multiple_of(4)
    }

    /// Files and their names.
    pub fn definitions(&self) -> impl Iterator<Item = (String, String)> {
        (0..self.slos.div_ceil(IN_A_FILE)).map(|file| {
            let services = file * IN_A_FILE..((file + 1) * IN_A_FILE).min(self.slos);
            (format!("{file:05}.yaml"), services.map(slo).collect())
        })
    }

    fn text(&self) -> String {
        let now = now_ms() / 1000;
        let mut text = String::with_capacity(self.slos * 128);
        text.push_str("# TYPE requests_total counter\n");
        for service in (0..self.slos).filter(|service| !Self::is_slow(*service)) {
            for route in 0..Self::routes(service) {
                let (total, bad) = self.counts(service, route, now);
                for (code, count) in [("200", total - bad), ("500", bad)] {
                    writeln!(
                        text,
                        "requests_total{{service=\"s-{service}\",route=\"r-{route}\",code=\"{code}\"}} {count}"
                    )
                    .unwrap();
                }
            }
        }
        text.push_str("# TYPE d_seconds histogram\n");
        for service in (0..self.slos).filter(|service| Self::is_slow(*service)) {
            let (total, slow) = self.counts(service, 0, now);
            let fast = total - slow;
            write!(
                text,
                "d_seconds_bucket{{service=\"s-{service}\",le=\"0.3\"}} {fast}\n\
                 d_seconds_bucket{{service=\"s-{service}\",le=\"+Inf\"}} {total}\n\
                 d_seconds_sum{{service=\"s-{service}\"}} {total}\n\
                 d_seconds_count{{service=\"s-{service}\"}} {total}\n"
            )
            .unwrap();
        }
        text
    }
}

fn slo(service: usize) -> String {
    if Fleet::is_slow(service) {
        return format!(
            "---\napiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: latency}}\nspec:\n  \
             service: s-{service}\n  sli:\n    latency: {{histogram: d_seconds, selector: '{{service=\"s-{service}\"}}', \
             unit: s, objectives: [{{percent: 99.9, within: 300ms}}]}}\n    alive: up{{job=\"load\"}}\n"
        );
    }
    let group = if service < GROUPED { "  groupBy: [route]\n" } else { "" };
    format!(
        "---\napiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: availability}}\nspec:\n  \
         service: s-{service}\n  objective: 99.9\n  sli:\n    events:\n      \
         bad: requests_total{{service=\"s-{service}\",code=~\"5..\"}}\n      \
         total: requests_total{{service=\"s-{service}\"}}\n    alive: up{{job=\"load\"}}\n{group}"
    )
}

/// A target to scrape; gives `host:port`.
pub async fn expose(fleet: Arc<Fleet>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let app = Router::new().route("/metrics", get(async move || fleet.text()));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}
