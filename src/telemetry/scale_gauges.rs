//! The gauges of scale policies, made anew for each scrape: a policy that is gone leaves no series
//! behind, and of the reasons of one policy there is never more than the present one.

use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::labels::{PolicyLabels, ReplicasLabels, VerdictLabels};
use super::metrics::{Count, Gauge, Set};

/// Gauges of scale policies for one scrape.
#[derive(Default, Debug)]
pub struct ScaleGauges {
    stopped: Count,
    verdict: Family<VerdictLabels, Count>,
    replicas: Family<ReplicasLabels, Count>,
    look_age: Family<PolicyLabels, Gauge>,
}

impl ScaleGauges {
    /// Whether somebody stopped all scaling.
    pub fn stopped(&mut self, is_stopped: bool) {
        self.stopped.set(i64::from(is_stopped));
    }

    /// Why a policy decided last as it did, by the reason's code: `atRest`, `burning`, `cooldown`.
    pub fn verdict(&mut self, policy: &str, code: &str) {
        self.verdict.get_or_create(&VerdictLabels::new(policy, code)).set(1);
    }

    /// A count of its workload: `wanted`, `ready`, `position` of the lever, or the `base`.
    pub fn replicas(&mut self, policy: &str, of: &str, count: u32) {
        self.replicas.get_or_create(&ReplicasLabels::new(policy, of)).set(i64::from(count));
    }

    /// Seconds since its workload was seen last.
    pub fn look_age(&mut self, policy: &str, seconds: f64) {
        self.look_age.get_or_create(&PolicyLabels::new(policy)).set(seconds);
    }

    pub(super) fn into_registry(self) -> Registry {
        let mut registry = Registry::with_prefix("damper");
        let mut set = Set(&mut registry);
        set.add("scale_stopped", "1 while all scaling is stopped, by command or by the file", self.stopped);
        set.add("scale_verdict", "Always 1, with the reason of the policy's newest decision", self.verdict);
        set.add(
            "scale_replicas",
            "Replicas of the policy's workload: wanted, ready, the position of its lever, and the base that they are given back to",
            self.replicas,
        );
        set.add("scale_look_age_seconds", "Since the policy's workload was seen last", self.look_age);
        registry
    }
}
