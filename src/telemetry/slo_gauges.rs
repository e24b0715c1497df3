//! The gauges of SLOs, made anew for each scrape: an SLO that is gone leaves no series behind.

use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels::{SloLabels, WindowLabels};
use super::metrics::{Gauge, Set};

/// Gauges of SLOs for one scrape.
#[derive(Default, Debug)]
pub struct SloGauges {
    burn_rate: Family<WindowLabels, Gauge>,
    budget: Family<SloLabels, Gauge>,
    objective: Family<SloLabels, Gauge>,
}

impl SloGauges {
    /// Burn rate over a window such as `5m`, groups pooled; 1 uses up the budget exactly over the period.
    pub fn burn_rate(&mut self, service: &str, slo: &str, window: &str, burn: f64) {
        self.burn_rate.get_or_create(&WindowLabels::new(service, slo, window)).set(burn);
    }

    /// Budget left over the period: 1 all of it, negative when overdrawn.
    pub fn budget_remaining(&mut self, service: &str, slo: &str, ratio: f64) {
        self.budget.get_or_create(&SloLabels::new(service, slo)).set(ratio);
    }

    /// Objective as a ratio: 0.999.
    pub fn objective(&mut self, service: &str, slo: &str, ratio: f64) {
        self.objective.get_or_create(&SloLabels::new(service, slo)).set(ratio);
    }

    pub(super) fn into_registry(self) -> Registry {
        let mut registry = Registry::with_prefix("damper");
        let mut set = Set(&mut registry);
        set.add("slo_burn_rate", "Burn rate of the SLO over the window, groups pooled", self.burn_rate);
        set.add(
            "slo_error_budget_remaining_ratio",
            "Error budget left over the period, negative when overdrawn",
            self.budget,
        );
        set.add("slo_objective_ratio", "Objective of the SLO", self.objective);
        registry
    }
}
