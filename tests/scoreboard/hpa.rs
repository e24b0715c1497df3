//! The horizontal pod autoscaler, as `pkg/controller/podautoscaler` of Kubernetes does it with its
//! defaults: a sync every 15 s, a tolerance of 0.1, up at most 4 pods or 100 % in 15 s, down to the
//! highest recommendation of the last 300 s. A metric that is missing holds. What it recommended
//! and did lives in its memory; after a restart the present count is its first recommendation.

use super::metrics::Metrics;
use super::workload::Workload;
use super::{Bounds, whole_up};

/// Seconds between syncs.
pub const SYNC: i64 = 15;
const TOLERANCE: f64 = 0.1;
const STABILIZED: i64 = 300;
/// Seconds that CPU of a new replica is not measured yet.
const UNMEASURED: i64 = 15;

/// What it scales on.
#[derive(Clone, Copy)]
pub enum Target {
    /// `averageUtilization`, 0 to 1: CPU in use of what replicas request, which is their capacity.
    Cpu(f64),
    /// `averageValue` of an external metric, per replica.
    Average(f64),
}

/// One autoscaler.
pub struct Hpa {
    target: Target,
    bounds: Bounds,
    /// What it recommended lately, and when.
    recommended: Vec<(i64, u32)>,
    /// What it added lately, and when.
    added: Vec<(i64, u32)>,
}

impl Hpa {
    /// One that has not looked yet.
    pub fn new(target: Target, bounds: Bounds) -> Self {
        Self { target, bounds, recommended: Vec::new(), added: Vec::new() }
    }

    /// Forgets what lives in memory.
    pub fn restart(&mut self) {
        (self.recommended, self.added) = (Vec::new(), Vec::new());
    }

    /// The replicas it wants now. `external` is its external metric, `None` where it has no answer;
    /// `floor` is its `minReplicas`.
    pub fn sync(
        &mut self,
        now: i64,
        workload: &Workload,
        metrics: &Metrics,
        external: Option<f64>,
        floor: u32,
    ) -> u32 {
        let current = workload.wanted;
        if self.recommended.is_empty() {
            self.recommended.push((now, current));
        }
        // Below its floor, or above its maximum, it looks at no metric.
        if current < floor || current > self.bounds.max {
            return self.done(now, current, current.clamp(floor, self.bounds.max));
        }
        let wanted = match self.target {
            Target::Cpu(target) => by_cpu(now, workload, metrics, target),
            Target::Average(target) => match external {
                Some(value) => by_average(workload, value, target),
                None => return current,
            },
        };
        let stable = self.stabilized(now, current, wanted);
        let limit = self.limit(now, current);
        let wanted = if stable > current { stable.min(limit.max(current)) } else { stable };
        self.done(now, current, wanted.clamp(floor, self.bounds.max))
    }

    /// Down only to the highest recommendation of the window; up at once.
    fn stabilized(&mut self, now: i64, current: u32, wanted: u32) -> u32 {
        self.recommended.retain(|(at, _)| now - at < STABILIZED);
        self.recommended.push((now, wanted));
        let highest = self.recommended.iter().map(|(_, count)| *count).max().unwrap_or(wanted);
        current.max(wanted).min(highest)
    }

    /// As many as may be at the end of this period.
    fn limit(&mut self, now: i64, current: u32) -> u32 {
        self.added.retain(|(at, _)| now - at < SYNC);
        let began = current.saturating_sub(self.added.iter().map(|(_, count)| count).sum());
        (began + 4).max(began * 2)
    }

    fn done(&mut self, now: i64, current: u32, wanted: u32) -> u32 {
        if wanted > current {
            self.added.push((now, wanted - current));
        }
        wanted
    }
}

/// Replicas that are not ready, or not measured yet, count as using nothing where more are wanted.
fn by_cpu(now: i64, workload: &Workload, metrics: &Metrics, target: f64) -> u32 {
    let (existing, ready) = (workload.existing(), workload.ready(now));
    let measured = workload.ready(now - UNMEASURED);
    if measured == 0 {
        return workload.wanted;
    }
    let used = metrics.mean(UNMEASURED, |served| served.cpu) * f64::from(measured);
    let ratio = used / f64::from(measured) / target;
    let near = |ratio: f64| (1.0 - ratio).abs() <= TOLERANCE;
    if measured == existing || (ratio <= 1.0 && measured == ready) {
        return if near(ratio) { workload.wanted } else { whole_up(ratio * f64::from(measured)) };
    }
    let (used, counted) =
        if ratio > 1.0 { (used, existing) } else { (used + f64::from(ready - measured), ready) };
    let again = used / f64::from(counted) / target;
    if near(again) || (ratio < 1.0) != (again < 1.0) {
        return workload.wanted;
    }
    let wanted = whole_up(again * f64::from(counted));
    if (again < 1.0) == (wanted <= workload.wanted) { wanted } else { workload.wanted }
}

/// The sum of an external metric, shared among the replicas that exist.
fn by_average(workload: &Workload, value: f64, target: f64) -> u32 {
    let ratio = value / (target * f64::from(workload.existing().max(1)));
    if (1.0 - ratio).abs() <= TOLERANCE { workload.existing() } else { whole_up(value / target) }
}
