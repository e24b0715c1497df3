//! `make load`: one Damper with very many SLOs, for as long as is asked, and what that takes.
//!
//! `cargo bench --bench load -- 10000 60` watches 10,000 SLOs for an hour on a real Prometheus that
//! scrapes them all; `-- 100000 30 recorded` asks a server that answers from a formula in the form of
//! Prometheus's answers, because no Prometheus on this machine could. Every figure is measured here and
//! now; they go to the terminal and to `target/load.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "it fails by panicking, lives in real time and talks to the terminal"
)]
#![allow(unreachable_pub, reason = "nothing is exported from a benchmark")]

mod fleet;
mod record;
mod recorded;
#[expect(dead_code, reason = "the tests' own fixtures; only some are needed here")]
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet::Fleet;
use record::Record;
use recorded::Recorded;
use support::damper::Damper;
use support::prometheus::{Prometheus, Version};

/// How often it is looked at, and its metrics are scraped.
const LOOK: Duration = Duration::from_secs(15);
const SCRAPE: Duration = Duration::from_secs(15);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let number = |i: usize, otherwise: usize| {
        arguments.get(i).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let (slos, minutes) = (number(0, 1_000), number(1, 5));
    let is_recorded = arguments.get(2).is_some_and(|word| word == "recorded");
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.install_default().expect("nothing installed one before");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let length = Duration::from_secs(60 * u64::try_from(minutes).unwrap());
    let record = runtime.block_on(run(slos, length, is_recorded));
    println!("{record}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/load.md");
    std::fs::write(path, record.to_string()).unwrap();
}

async fn run(slos: usize, length: Duration, is_recorded: bool) -> Record {
    let fleet = Arc::new(Fleet::of(slos));
    let exposed = fleet::expose(Arc::clone(&fleet)).await;
    let (prometheus, url) = if is_recorded {
        (None, Recorded::serve(Arc::clone(&fleet)).await)
    } else {
        let builder = Prometheus::of(Version::New);
        let prometheus = builder.scrape("load", &[exposed], "/metrics", SCRAPE).start().await;
        let url = prometheus.url();
        (Some(prometheus), url)
    };
    let mut damper =
        Damper::new(&format!("sources: [{{name: local, url: '{url}', delay: 0s}}]\nstep: 30s\n"));
    for (name, yaml) in fleet.definitions() {
        damper.definition(&name, &yaml);
    }
    let began = Instant::now();
    damper.spawn();
    let mut record = Record::of(&fleet, is_recorded);
    while began.elapsed() < length {
        tokio::time::sleep(LOOK).await;
        record.look(began.elapsed(), &mut damper, prometheus.as_ref()).await;
    }
    record
}
