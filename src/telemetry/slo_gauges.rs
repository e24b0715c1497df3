//! The gauges of SLOs, made anew for each scrape: an SLO that is gone leaves no series behind. They
//! are written out as they are, each of them once: looking up every one among a million by its labels
//! would take as long as computing them.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::labels::{SloLabels, WindowLabels};

/// Gauges of SLOs for one scrape. Each is given once.
#[derive(Default, Debug)]
pub struct SloGauges {
    burn_rate: Vec<(WindowLabels, f64)>,
    budget: Vec<(SloLabels, f64)>,
    objective: Vec<(SloLabels, f64)>,
}

impl SloGauges {
    /// Burn rate over a window such as `5m`, groups pooled; 1 uses up the budget exactly over the period.
    pub fn burn_rate(&mut self, service: &str, slo: &str, window: &str, burn: f64) {
        self.burn_rate.push((WindowLabels::new(service, slo, window), burn));
    }

    /// Budget left over the period: 1 all of it, negative when overdrawn.
    pub fn budget_remaining(&mut self, service: &str, slo: &str, ratio: f64) {
        self.budget.push((SloLabels::new(service, slo), ratio));
    }

    /// Objective as a ratio: 0.999.
    pub fn objective(&mut self, service: &str, slo: &str, ratio: f64) {
        self.objective.push((SloLabels::new(service, slo), ratio));
    }

    pub(super) fn into_registry(self) -> Registry {
        let mut registry = Registry::with_prefix("damper");
        registry.register_collector(Box::new(self));
        registry
    }
}

impl Collector for SloGauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let name = "slo_burn_rate";
        family(&mut encoder, name, "Burn rate of the SLO over the window, groups pooled.", &self.burn_rate)?;
        let help = "Error budget left over the period, negative when overdrawn.";
        family(&mut encoder, "slo_error_budget_remaining_ratio", help, &self.budget)?;
        family(&mut encoder, "slo_objective_ratio", "Objective of the SLO.", &self.objective)
    }
}

fn family<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    gauges: &[(L, f64)],
) -> fmt::Result {
    if gauges.is_empty() {
        return Ok(());
    }
    let mut metrics = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    gauges
        .iter()
        .try_for_each(|(labels, value)| ConstGauge::new(*value).encode(metrics.encode_family(labels)?))
}
