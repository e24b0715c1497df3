//! Damper's own metrics: a registry that is a value, so that each test and each process has its own.
//!
//! `docs/metrics.md` lists them; a test holds the two together.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge as AnyGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use super::labels::{
    DeliveryLabels, KindLabels, NoLabels, OutcomeLabels, QueryLabels, ReceiverLabels, SeverityLabels,
    SourceLabels, VersionLabels,
};
use super::logs::VERSION;
use super::scale_gauges::ScaleGauges;
use super::slo_gauges::SloGauges;
use crate::notify::Outcome;

/// Content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A gauge of fractions: seconds, ratios.
pub type Gauge = AnyGauge<f64, AtomicU64>;
/// A gauge of whole things.
pub type Count = AnyGauge;

/// Makes the histograms of a family.
#[derive(Clone, Copy, Debug)]
pub struct Durations(&'static [f64]);

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Seconds of a query or a delivery.
const IO: Durations = Durations(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
/// Seconds of a tick.
const TICK: Durations = Durations(&[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0]);

/// A family of histograms.
pub type Histograms<L> = Family<L, Histogram, Durations>;

/// All handles; each is cheap to clone. What each one means is in its help text, in [`Metrics::new`].
#[expect(missing_docs, reason = "the help text beside each name says it, and docs/metrics.md lists it")]
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub ticks: Counter,
    pub ticks_skipped: Counter,
    pub ticks_uncommitted: Counter,
    pub degraded: Count,
    pub tick_seconds: Histogram,
    pub tick_lag_seconds: Gauge,
    pub step_seconds: Gauge,
    pub queries: Family<QueryLabels, Counter>,
    pub query_seconds: Histograms<SourceLabels>,
    pub source_up: Family<SourceLabels, Count>,
    pub source_clock_skew_seconds: Family<SourceLabels, Gauge>,
    pub slices_partial: Counter,
    pub slices_estimated: Counter,
    pub outbox_pending: Family<ReceiverLabels, Count>,
    pub outbox_oldest_seconds: Family<ReceiverLabels, Gauge>,
    pub outbox_dead: Family<ReceiverLabels, Count>,
    pub outbox_shed: Family<ReceiverLabels, Counter>,
    pub deliveries: Family<DeliveryLabels, Counter>,
    pub delivery_seconds: Histograms<ReceiverLabels>,
    pub alerts_firing: Family<SeverityLabels, Count>,
    pub slos: Count,
    pub definitions_last_reload_success: Count,
    pub definitions_problems: Count,
    pub definitions_revision: Count,
    pub backfill_left_seconds: Count,
    pub ledger_bytes: Count,
    pub drift_slices: Count,
    pub drift_events: Gauge,
    pub drift_checks: Family<QueryLabels, Counter>,
    pub store_errors: Family<KindLabels, Counter>,
    pub backup_age_seconds: Family<NoLabels, Gauge>,
    pub backup_every_seconds: Family<NoLabels, Gauge>,
    pub scale_writes: Family<OutcomeLabels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics at zero. Families show a series only once it is touched.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("damper");
        let mut set = Set(&mut registry);
        let version = set.add("build_info", "Always 1, with the running version", Family::default());
        let _ = Family::<VersionLabels, Count>::get_or_create(&version, &VersionLabels::new(VERSION)).set(1);
        Self {
            ticks: set.add("ticks", "Ticks completed", Counter::default()),
            ticks_skipped: set.add(
                "ticks_skipped",
                "Ticks left out because the one before took too long",
                Counter::default(),
            ),
            ticks_uncommitted: set.add(
                "ticks_uncommitted",
                "Ticks whose decisions the store did not take",
                Counter::default(),
            ),
            degraded: set.add(
                "degraded",
                "1 while the store takes nothing and pages are told from memory",
                Count::default(),
            ),
            tick_seconds: set.add("tick_seconds", "Duration of a tick", TICK.new_metric()),
            tick_lag_seconds: set.add(
                "tick_lag_seconds",
                "From the end of the newest slice to its committed decisions",
                Gauge::default(),
            ),
            step_seconds: set.add("step_seconds", "Time the last tick spent deciding", Gauge::default()),
            queries: set.add("queries", "Queries by outcome", Family::default()),
            query_seconds: set.add("query_seconds", "Duration of a query", histograms(IO)),
            source_up: set.add("source_up", "1 while the source answers", Family::default()),
            source_clock_skew_seconds: set.add(
                "source_clock_skew_seconds",
                "How far the clock of the source is ahead of ours",
                Family::default(),
            ),
            slices_partial: set.add(
                "slices_partial",
                "Slices with events left out for want of proof that their series began",
                Counter::default(),
            ),
            slices_estimated: set.add(
                "slices_estimated",
                "Slices with events spread over a gap",
                Counter::default(),
            ),
            outbox_pending: set.add("outbox_pending", "Notices that wait for delivery", Family::default()),
            outbox_oldest_seconds: set.add(
                "outbox_oldest_seconds",
                "Age of the oldest notice that waits for delivery",
                Family::default(),
            ),
            outbox_dead: set.add("outbox_dead", "Notices given up in the last 14 days", Family::default()),
            outbox_shed: set.add(
                "outbox_shed",
                "Tickets dropped because too much waited for the receiver",
                Family::default(),
            ),
            deliveries: set.add("deliveries", "Delivery attempts by outcome", Family::default()),
            delivery_seconds: set.add("delivery_seconds", "Duration of a delivery attempt", histograms(IO)),
            alerts_firing: set.add("alerts_firing", "Alerts that fire", Family::default()),
            slos: set.add("slos", "SLOs in force", Count::default()),
            definitions_last_reload_success: set.add(
                "definitions_last_reload_success",
                "1 if the last reload took every document",
                Count::default(),
            ),
            definitions_problems: set.add(
                "definitions_problems",
                "Problems that keep documents out of force",
                Count::default(),
            ),
            definitions_revision: set.add(
                "definitions_revision",
                "Number of the revision in force",
                Count::default(),
            ),
            backfill_left_seconds: set.add(
                "backfill_left_seconds",
                "Seconds of history that series still lack",
                Count::default(),
            ),
            ledger_bytes: set.add("ledger_bytes", "Memory held by the ledger", Count::default()),
            drift_slices: set.add(
                "ledger_drift_slices",
                "Settled slices that the self-audit found different from what the source says, twice",
                Count::default(),
            ),
            drift_events: set.add(
                "ledger_drift_events",
                "Events by which these slices differ, in all",
                Gauge::default(),
            ),
            drift_checks: set.add(
                "ledger_drift_checks",
                "Settled slices that were asked again, by outcome: equal, different, gone from the source, unanswered",
                Family::default(),
            ),
            store_errors: set.add("store_errors", "Failed calls of the store", Family::default()),
            backup_age_seconds: set.add(
                "backup_age_seconds",
                "Age of the store's newest backup, or of this process while there is none; not there where none are made",
                Family::default(),
            ),
            backup_every_seconds: set.add(
                "backup_every_seconds",
                "How often a backup of the store is made; not there where none are made",
                Family::default(),
            ),
            scale_writes: set.add(
                "scale_writes",
                "Writes of replicas by outcome: done, or why not",
                Family::default(),
            ),
            registry,
        }
    }

    /// One query that was answered, or failed as `outcome` says.
    pub fn query(&self, source: &str, outcome: &str, took: Duration) {
        self.queries.get_or_create(&QueryLabels::new(source, outcome)).inc();
        self.query_seconds.get_or_create(&SourceLabels::new(source)).observe(took.as_secs_f64());
    }

    /// One attempt to deliver; its outcome is `delivered` or the reason of the failure.
    pub fn delivery(&self, receiver: &str, outcome: &Outcome, took: Duration) {
        let word = outcome.failure().map_or(Outcome::DELIVERED_WORD, |(reason, _)| reason.as_str());
        self.deliveries.get_or_create(&DeliveryLabels::new(receiver, word)).inc();
        self.delivery_seconds.get_or_create(&ReceiverLabels::new(receiver)).observe(took.as_secs_f64());
    }

    /// The revision in force after a reload, the problems that keep documents out of it, its SLOs.
    pub fn definitions(&self, revision: i64, errors: usize, slos: usize) {
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.definitions_revision.set(revision);
        self.definitions_problems.set(whole(errors));
        self.definitions_last_reload_success.set(i64::from(errors == 0));
        self.slos.set(whole(slos));
    }

    /// OpenMetrics text of all metrics and of what `extra` adds for this scrape alone.
    pub fn encode(&self, extra: impl FnOnce(&mut SloGauges, &mut ScaleGauges)) -> String {
        let (mut slos, mut policies) = (SloGauges::default(), ScaleGauges::default());
        extra(&mut slos, &mut policies);
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &slos.into_registry()))
            .and_then(|()| encode_registry(&mut text, &policies.into_registry()))
            .and_then(|()| encode_eof(&mut text));
        text
    }
}

fn histograms<L: Clone + std::hash::Hash + Eq>(durations: Durations) -> Histograms<L> {
    Family::new_with_constructor(durations)
}

/// A registry while it is filled.
pub(super) struct Set<'r>(pub(super) &'r mut Registry);

impl Set<'_> {
    /// Registers a metric and gives a handle to it.
    pub(super) fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Touches every family, so that each shows its labels.
    fn exposed() -> String {
        let metrics = Metrics::new();
        let (source, receiver) = (SourceLabels::new("s"), ReceiverLabels::new("r"));
        metrics.query("s", "ok", Duration::from_millis(100));
        metrics.source_up.get_or_create(&source).set(1);
        metrics.source_clock_skew_seconds.get_or_create(&source).set(0.5);
        metrics.outbox_pending.get_or_create(&receiver).set(1);
        metrics.outbox_oldest_seconds.get_or_create(&receiver).set(1.5);
        metrics.outbox_dead.get_or_create(&receiver).set(1);
        metrics.outbox_shed.get_or_create(&receiver).inc();
        metrics.delivery("r", &Outcome::DELIVERED, Duration::from_millis(100));
        metrics.alerts_firing.get_or_create(&SeverityLabels::new("page")).set(1);
        metrics.backup_age_seconds.get_or_create(&[]).set(1.5);
        metrics.backup_every_seconds.get_or_create(&[]).set(600.0);
        metrics.store_errors.get_or_create(&KindLabels::new("busy")).inc();
        metrics.scale_writes.get_or_create(&OutcomeLabels::new("done")).inc();
        metrics.drift_checks.get_or_create(&QueryLabels::new("s", "equal")).inc();
        metrics.encode(|slos, policies| {
            policies.stopped(false);
            policies.verdict("checkout", "atRest");
            policies.replicas("checkout", "wanted", 5);
            policies.look_age("checkout", 2.5);
            slos.burn_rate("shop", "availability", "5m", 14.4);
            slos.budget_remaining("shop", "availability", -0.25);
            slos.objective("shop", "availability", 0.999);
        })
    }

    /// `| name | type | labels | meaning |` of everything in an exposition.
    fn table(text: &str) -> Vec<String> {
        let mut rows = Vec::new();
        for line in text.lines() {
            let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' '))
            else {
                continue;
            };
            let kind = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
            let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            let sample = if kind == "histogram" { format!("{name}_count") } else { name.clone() };
            let labels = text.lines().find_map(|line| {
                let rest = line.strip_prefix(&sample)?.strip_prefix('{')?;
                let labels = rest.split_once('}')?.0.split(',').filter_map(|label| label.split_once('='));
                Some(labels.map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", "))
            });
            let help = help.trim_end_matches('.');
            rows.push(format!("| `{name}` | {kind} | {} | {help} |", labels.unwrap_or_default()));
        }
        rows
    }

    #[test]
    fn the_documented_list_is_what_is_exposed() {
        let exposed = table(&exposed());
        let page = include_str!("../../docs/metrics.md");
        let documented: Vec<&str> = page.lines().filter(|line| line.starts_with("| `damper_")).collect();
        assert_eq!(documented, exposed, "docs/metrics.md should hold:\n{}", exposed.join("\n"));
    }

    #[test]
    fn an_exposition_is_whole_and_ends() {
        let text = exposed();
        assert!(
            text.contains("damper_slo_burn_rate{service=\"shop\",slo=\"availability\",window=\"5m\"} 14.4\n")
        );
        assert!(text.contains(&format!("damper_build_info{{version=\"{VERSION}\"}} 1\n")), "{text}");
        assert!(text.contains("damper_ticks_total 0\n"));
        assert_eq!(text.matches("# EOF").count(), 1);
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn deliveries_and_reloads_say_how_they_ended() {
        let metrics = Metrics::new();
        let refused = Outcome::permanent(crate::notify::Reason::AuthError, "401");
        metrics.delivery("oncall", &refused, Duration::from_secs(1));
        metrics.definitions(7, 2, 40);
        let text = metrics.encode(|_, _| {});
        for line in [
            "damper_deliveries_total{receiver=\"oncall\",outcome=\"authError\"} 1\n",
            "damper_delivery_seconds_sum{receiver=\"oncall\"} 1.0\n",
            "damper_definitions_revision 7\n",
            "damper_definitions_problems 2\n",
            "damper_definitions_last_reload_success 0\n",
            "damper_slos 40\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn the_gauges_of_slos_are_told_as_the_registry_tells_all_others() {
        let text = Metrics::new().encode(|slos, _| {
            slos.burn_rate("shop", "b", "5m", 14.4);
            slos.burn_rate("shop", "a", "1h", 0.5);
            slos.objective("shop", "a", 0.999);
        });
        let own: Vec<&str> = text.lines().filter(|line| line.contains("damper_slo_")).collect();
        assert_eq!(
            own,
            [
                "# HELP damper_slo_burn_rate Burn rate of the SLO over the window, groups pooled.",
                "# TYPE damper_slo_burn_rate gauge",
                r#"damper_slo_burn_rate{service="shop",slo="b",window="5m"} 14.4"#,
                r#"damper_slo_burn_rate{service="shop",slo="a",window="1h"} 0.5"#,
                "# HELP damper_slo_objective_ratio Objective of the SLO.",
                "# TYPE damper_slo_objective_ratio gauge",
                r#"damper_slo_objective_ratio{service="shop",slo="a"} 0.999"#,
            ]
        );
    }

    #[test]
    fn a_scrape_leaves_nothing_behind_for_the_next() {
        let metrics = Metrics::new();
        let told = metrics.encode(|slos, policies| {
            slos.objective("a", "b", 0.9);
            policies.verdict("p", "burning");
        });
        assert!(told.contains("service=\"a\"") && told.contains("policy=\"p\""), "{told}");
        let then = metrics.encode(|_, policies| policies.verdict("p", "cooldown"));
        assert!(!then.contains("service=\"a\"") && !then.contains("code=\"burning\""), "{then}");
    }
}
