//! What one SLO costs Prometheus per evaluation: processor time of its process, and samples read.
//!
//! One Prometheus holds everything: ten services with three days of data, whose SLOs exist as rules
//! and as Damper's, and ninety with two hours, which is more than Damper reads. Idle, rules and
//! ticks take turns; what the idle process takes is subtracted.

mod data;
mod rules;
mod ticks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use damper::slo::model::Slo;
use damper::slo::time::{Span, Ts};

use crate::definitions::{STEP, slo};
use crate::measure::median;
use crate::support::prometheus::{Prometheus, Version};
use crate::support::{now_ms, wait_until};
use crate::table::{Row, number};
use data::matchers;
use ticks::Ticks;

const HOUR: i64 = 3_600_000;
/// Services with three days of data, and all of them.
const FULL: usize = 10;
const ALL: usize = 100;
const ROUNDS: usize = 5;
const IDLE: Duration = Duration::from_secs(4);
const RULES: Duration = Duration::from_secs(4 * rules::EVERY);
/// Prometheus takes samples of the next ten minutes.
const AHEAD: i64 = HOUR / 7;
/// The first tick lies so far back, so that the last one still lies in the past.
const BACK: Span = Span::from_mins(65);

/// Per SLO and evaluation, of several rounds.
#[derive(Default)]
struct Measured {
    milliseconds: Vec<f64>,
    samples: Vec<f64>,
}

/// One way to ask for some SLOs.
struct Variant {
    what: &'static str,
    target: f64,
    slos: usize,
    ticks: Ticks,
    runs: u32,
    measured: Measured,
}

/// Measures on one version of Prometheus.
pub async fn rows(version: Version) -> Vec<Row> {
    let (prometheus, mut until) = start(version).await;
    let mut variants = variants(&prometheus.url()).await;
    let mut rules = Measured::default();
    for round in 0..ROUNDS {
        until = extend(&prometheus, until).await;
        let idle = idle(&prometheus).await;
        measure_rules(&prometheus, idle, &mut rules).await;
        for variant in &mut variants {
            let evaluations = f64::from(u32::try_from(variant.slos).unwrap()) * f64::from(variant.runs);
            let run = variant.ticks.run(variant.runs);
            let spent = spent(&prometheus, idle, run).await;
            variant.measured.add(spent, evaluations);
        }
        eprintln!("bench: {version:?} Prometheus, round {} of {ROUNDS}", round + 1);
    }
    report(version, &variants, &rules)
}

/// Gives until when it has data, too.
async fn start(version: Version) -> (Prometheus, i64) {
    eprintln!("bench: writing three days of samples for {version:?} Prometheus");
    let now = now_ms();
    let (first, tail) = (now - 72 * HOUR, now - 2 * HOUR - HOUR / 4);
    let blocks: Vec<_> = (0..FULL).flat_map(|i| data::service(i, first, tail)).collect();
    // Without compaction, which would come in the middle of a measurement.
    let prometheus = Prometheus::of(version)
        .receives_remote_write()
        .flag("--storage.tsdb.min-block-duration=2h")
        .flag("--storage.tsdb.max-block-duration=2h")
        .config("rule_files: [sloth.yml]")
        .data(&blocks)
        .start()
        .await;
    let until = extend(&prometheus, tail).await;
    (prometheus, until)
}

/// Rules are evaluated at the present, so data go on into the future: not in blocks, which would
/// refuse what rules record, and no further than Prometheus takes them.
async fn extend(prometheus: &Prometheus, from: i64) -> i64 {
    let until = now_ms() + AHEAD;
    // Piece by piece: what is an hour older than the newest sample is refused.
    let mut at = from;
    while at < until {
        let next = until.min(at + HOUR / 4);
        for i in 0..ALL {
            prometheus.write(&data::service(i, at, next)).await;
        }
        at = next;
    }
    until
}

async fn variants(url: &str) -> Vec<Variant> {
    let start = STEP.floor(Ts(now_ms() / 1000).minus(BACK));
    let merged = |i: usize| slo(&format!("api-{i}"), &matchers(i, &["service"]), "");
    // Selectors that differ in two labels cannot be merged.
    let two = |i: usize| slo(&format!("api-{i}"), &matchers(i, &["job", "service"]), "");
    let short = |i: usize| {
        let rule = "  alerting: {rules: [{severity: page, burnRate: 1.5, long: 5m}]}\n";
        slo(&format!("api-{i}"), &matchers(i, &["job", "service"]), rule)
    };
    let make = async |what, target, slos: usize, runs, of: &dyn Fn(usize) -> Arc<Slo>| {
        let all: Vec<Arc<Slo>> = (0..slos).map(of).collect();
        let ticks = Ticks::prepare(url, &all, start).await;
        Variant { what, target, slos, ticks, runs, measured: Measured::default() }
    };
    vec![
        make("10 SLOs, each asked alone", 40.0, FULL, 80, &two).await,
        make("10 SLOs, merged", 60.0, FULL, 80, &merged).await,
        make("100 SLOs, each asked alone", 40.0, ALL, 20, &two).await,
        make("100 SLOs, merged", 60.0, ALL, 20, &merged).await,
        make("10 SLOs alone, with one rule over 5m instead of windows up to 3d", 0.0, FULL, 80, &short).await,
    ]
}

/// Processor time per second while nothing is asked.
async fn idle(prometheus: &Prometheus) -> f64 {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = prometheus.cpu_seconds();
    tokio::time::sleep(IDLE).await;
    (prometheus.cpu_seconds() - before) / IDLE.as_secs_f64()
}

async fn measure_rules(prometheus: &Prometheus, idle: f64, measured: &mut Measured) {
    let services: Vec<_> = (0..FULL).map(|i| (i, matchers(i, &["job", "service"]))).collect();
    use_rules(prometheus, &rules::file(&services)).await;
    wait_until(Duration::from_secs(60), "all rules to be evaluated", async || {
        (evaluated(prometheus).await.0 >= FULL).then_some(())
    })
    .await;
    let (_, before) = evaluated(prometheus).await;
    let spent = spent(prometheus, idle, tokio::time::sleep(RULES)).await;
    let (_, after) = evaluated(prometheus).await;
    measured.add(spent, after - before);
    use_rules(prometheus, "groups: []\n").await;
}

async fn use_rules(prometheus: &Prometheus, file: &str) {
    std::fs::write(prometheus.data_folder().with_file_name("sloth.yml"), file).unwrap();
    let answer = reqwest::Client::new().post(format!("{}/-/reload", prometheus.url())).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Groups evaluated at least once, and evaluations of all groups so far. None may have failed.
async fn evaluated(prometheus: &Prometheus) -> (usize, f64) {
    let text = reqwest::get(format!("{}/metrics", prometheus.url())).await.unwrap().text().await.unwrap();
    let of = |name: &str| -> Vec<f64> {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
    };
    assert!(of("prometheus_rule_evaluation_failures_total{").iter().all(|failed| *failed < 1.0));
    let groups = of("prometheus_rule_group_iterations_total{");
    (groups.iter().filter(|count| **count > 0.0).count(), groups.iter().sum())
}

/// Processor seconds beyond idling, and samples read.
async fn spent(prometheus: &Prometheus, idle: f64, work: impl Future<Output = ()>) -> (f64, Option<f64>) {
    let (cpu, samples, began) = (prometheus.cpu_seconds(), prometheus.samples_read().await, Instant::now());
    work.await;
    let cpu = prometheus.cpu_seconds() - cpu - idle * began.elapsed().as_secs_f64();
    let samples = prometheus.samples_read().await.zip(samples).map(|(after, before)| after - before);
    (cpu, samples)
}

impl Measured {
    fn add(&mut self, (cpu, samples): (f64, Option<f64>), evaluations: f64) {
        self.milliseconds.push(cpu * 1000.0 / evaluations);
        self.samples.extend(samples.map(|samples| samples / evaluations));
    }

    fn cpu(&self) -> f64 {
        median(self.milliseconds.clone())
    }
}

fn report(version: Version, variants: &[Variant], rules: &Measured) -> Vec<Row> {
    let name = match version {
        Version::Old => "Prometheus 2.42",
        Version::New => "Prometheus 3",
    };
    let mut rows = Vec::new();
    for Variant { what, target, slos, ticks, runs, measured } in variants {
        let queries = ticks.queries();
        let target = if *target > 0.0 { format!("≥ {target}×") } else { String::new() };
        let repeated = format!("{ROUNDS} rounds of {runs} ticks for {slos} SLOs, median");
        let row = |what: String, unit: &str, damper: f64, other: f64, target: &str| Row {
            what,
            damper: format!("{} {unit}", number(damper)),
            other: format!("{} {unit}", number(other)),
            ratio: format!("{}×", number(other / damper)),
            target: target.to_owned(),
            repeated: repeated.clone(),
        };
        let cpu = format!("{name}, {what} ({queries} queries a tick): CPU per SLO evaluation");
        rows.push(row(cpu, "ms", measured.cpu(), rules.cpu(), &target));
        if !measured.samples.is_empty() {
            let (own, other) = (median(measured.samples.clone()), median(rules.samples.clone()));
            let samples = format!("{name}, {what}: samples read per SLO evaluation");
            rows.push(row(samples, "", own, other, ""));
        }
    }
    rows
}
