//! What was seen over the time.

use std::fmt;
use std::time::Duration;

use crate::fleet::Fleet;
use crate::support::damper::Damper;
use crate::support::prometheus::Prometheus;

/// One look.
struct Look {
    at: Duration,
    lag: f64,
    resident: f64,
    store: f64,
    damper_cpu: f64,
    prometheus_cpu: f64,
}

/// All looks, and what counters said at the end.
pub struct Record {
    slos: usize,
    groups: usize,
    is_recorded: bool,
    looks: Vec<Look>,
    /// Until the first answer of its API.
    ready: Option<Duration>,
    counters: Vec<(&'static str, f64)>,
}

/// What is read at the end.
const COUNTERS: [&str; 8] = [
    "damper_slos",
    "damper_ticks_total",
    "damper_ticks_skipped_total",
    "damper_ticks_uncommitted_total",
    "damper_tick_seconds_sum",
    "damper_tick_seconds_count",
    "damper_ledger_bytes",
    "damper_backfill_left_seconds",
];

impl Record {
    pub fn of(fleet: &Fleet, is_recorded: bool) -> Self {
        Self {
            slos: fleet.slos,
            groups: fleet.groups(),
            is_recorded,
            looks: Vec::new(),
            ready: None,
            counters: Vec::new(),
        }
    }

    /// Looks at everything once.
    pub async fn look(&mut self, at: Duration, damper: &mut Damper, prometheus: Option<&Prometheus>) {
        let process = damper.process();
        if let Some(status) = process.ended() {
            panic!("Damper ended after {at:?}, {status}:\n{}", process.output());
        }
        let (id, damper_cpu) = (process.id(), process.cpu_seconds());
        let Some((_, text)) = damper.try_get("/metrics").await else { return };
        self.ready.get_or_insert(at);
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<f64>().ok())
        };
        self.counters = COUNTERS.iter().filter_map(|name| Some((*name, value(name)?))).collect();
        let look = Look {
            at,
            lag: value("damper_tick_lag_seconds").unwrap_or(f64::NAN),
            resident: resident(id),
            store: ["damper.db", "damper.db-wal"].iter().map(|name| size(&damper.path(name))).sum(),
            damper_cpu,
            prometheus_cpu: prometheus.map_or(0.0, Prometheus::cpu_seconds),
        };
        eprintln!(
            "{:5.0} s: lag {:.2} s, resident {:.0} MiB, store {:.1} MiB, processor: Damper {:.0} s, Prometheus {:.0} s",
            at.as_secs_f64(),
            look.lag,
            look.resident / MIB,
            look.store / MIB,
            look.damper_cpu,
            look.prometheus_cpu
        );
        self.looks.push(look);
    }

    fn counter(&self, name: &str) -> f64 {
        self.counters.iter().find(|(known, _)| *known == name).map_or(f64::NAN, |(_, value)| *value)
    }
}

const MIB: f64 = 1024.0 * 1024.0;

fn resident(id: u32) -> f64 {
    let statm = std::fs::read_to_string(format!("/proc/{id}/statm")).unwrap();
    let pages: u32 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "4096, or a little more")]
    let page = rustix::param::page_size() as f64;
    f64::from(pages) * page
}

#[expect(clippy::cast_precision_loss, reason = "far below 2⁵³")]
fn size(path: &std::path::Path) -> f64 {
    path.metadata().map_or(0.0, |file| file.len() as f64)
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(first), Some(last)) = (self.looks.first(), self.looks.last()) else {
            return writeln!(f, "nothing was seen");
        };
        // The second half: history is filled by then.
        let half = &self.looks[self.looks.len() / 2..];
        let mut lags: Vec<f64> = half.iter().map(|look| look.lag).filter(|lag| lag.is_finite()).collect();
        lags.sort_by(f64::total_cmp);
        let lag = |share: usize| lags.get((lags.len() * share / 100).min(lags.len().saturating_sub(1)));
        let lag = |share: usize| lag(share).copied().unwrap_or(f64::NAN);
        let hours = (last.at - half[0].at).as_secs_f64() / 3600.0;
        let per_second = |of: fn(&Look) -> f64| (of(last) - of(&half[0])) / (3600.0 * hours);
        let source = if self.is_recorded { "recorded answers" } else { "Prometheus" };
        let most = self.looks.iter().map(|look| look.resident).fold(0.0, f64::max);
        writeln!(
            f,
            "| {} SLOs, {} groups among them, {source}, {:.0} min | |",
            self.slos,
            self.groups,
            last.at.as_secs_f64() / 60.0
        )?;
        writeln!(f, "| --- | --- |")?;
        writeln!(f, "| until the API answered | {:.0} s |", first.at.as_secs_f64())?;
        writeln!(
            f,
            "| tick lag, second half: median, 99 %, most | {:.2} s, {:.2} s, {:.2} s |",
            lag(50),
            lag(99),
            lag(100)
        )?;
        let mean = self.counter("damper_tick_seconds_sum") / self.counter("damper_tick_seconds_count");
        writeln!(f, "| ticks, mean length | {}, {mean:.2} s |", self.counter("damper_ticks_total"))?;
        let (skipped, uncommitted) = ("damper_ticks_skipped_total", "damper_ticks_uncommitted_total");
        writeln!(
            f,
            "| ticks skipped, not committed | {}, {} |",
            self.counter(skipped),
            self.counter(uncommitted)
        )?;
        writeln!(
            f,
            "| resident memory: at the end, most | {:.0} MiB, {:.0} MiB |",
            last.resident / MIB,
            most / MIB
        )?;
        writeln!(f, "| of it the ledger | {:.0} MiB |", self.counter("damper_ledger_bytes") / MIB)?;
        writeln!(
            f,
            "| store at the end, growth in the second half | {:.1} MiB, {:.1} MiB an hour |",
            last.store / MIB,
            (last.store - half[0].store) / MIB / hours
        )?;
        writeln!(
            f,
            "| processor of Damper, second half | {:.3} cores |",
            per_second(|look| look.damper_cpu)
        )?;
        writeln!(
            f,
            "| processor of Prometheus, second half | {:.3} cores |",
            per_second(|look| look.prometheus_cpu)
        )?;
        writeln!(f, "| history still to be filled | {:.0} s |", self.counter("damper_backfill_left_seconds"))
    }
}
