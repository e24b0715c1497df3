//! Everything the loops, the API and shutdown share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::catchup::Arrears;
use super::degraded::{Degraded, Doubt};
use super::scaling::Scaling;
use super::state::{BackfillView, DefinitionsView, Guarded, TickView, World};
use crate::engine::plan::Plan;
use crate::prometheus::Prometheus;
use crate::settings::Settings;
use crate::slo::time::Ts;
use crate::store::Store;
use crate::telemetry::Metrics;

/// Shared by every task of the service.
pub struct Shared {
    /// The settings, checked.
    pub settings: Settings,
    /// Where everything durable is.
    pub store: Store,
    /// The lease's epoch; 0 while this process does not lead.
    epoch: AtomicI64,
    /// Sources by name.
    pub sources: BTreeMap<String, Arc<Prometheus>>,
    /// What is known and decided.
    pub world: Guarded<World>,
    /// SLOs whose gap is still to be summed up.
    pub(super) owed: Guarded<Arrears>,
    /// The last commit, while it may have been written without our knowing.
    pub(super) in_doubt: Guarded<Option<Doubt>>,
    /// What is done while the store takes nothing.
    pub degraded: Degraded,
    /// What is known of scale policies.
    pub scaling: Guarded<Scaling>,
    /// Held while it is decided what is taken out of SLOs, so that no two that overlap are accepted.
    pub(super) excluding: tokio::sync::Mutex<()>,
    /// The slice that was judged last, for the scaling loop; only ticks whose decisions were committed.
    pub(super) ticked: watch::Sender<Ts>,
    /// The definitions in force.
    pub definitions: Guarded<DefinitionsView>,
    /// Counters of the tick loop.
    pub ticks: Guarded<TickView>,
    /// How backfill goes.
    pub backfill: Guarded<BackfillView>,
    /// The last error of each component in trouble: `store`,
    /// `journal`, `lease`, `heartbeat`, `definitions`, `queries`, `audit`, `receivers`.
    pub troubles: Guarded<BTreeMap<&'static str, String>>,
    /// Damper's own metrics.
    pub metrics: Metrics,
    /// Wakes the delivery loops after a commit.
    pub outbox_wake: Notify,
    /// Wakes the reload loop; set by SIGHUP, file events and the API.
    pub reload_wake: Notify,
    /// A plan for the tick loop, which alone replaces the one in force.
    next_plan: Guarded<Option<Plan>>,
    /// Wakes the tick loop for it.
    pub plan_wake: Notify,
    /// What sources say their version is.
    pub versions: Guarded<BTreeMap<String, String>>,
    /// Names of the receivers that every alert is told to.
    pub told: Vec<String>,
    /// Why the process stops, if not because it was asked to.
    failure: Guarded<Option<String>>,
    /// Ends everything: ticks first, deliveries last.
    pub shutdown: CancellationToken,
    /// Ends deliveries and the API, after the last tick.
    pub drained: CancellationToken,
    /// Tasks that are waited for, and whose death is noticed.
    pub tasks: TaskTracker,
    /// When the process started, in milliseconds since the epoch.
    pub started_at_ms: i64,
}

impl Shared {
    /// Everything at its beginning.
    pub fn new(
        settings: Settings,
        store: Store,
        sources: BTreeMap<String, Arc<Prometheus>>,
        started_at_ms: i64,
    ) -> Self {
        let told = settings.route.iter().map(|route| route.receiver.clone()).collect();
        Self {
            settings,
            store,
            epoch: AtomicI64::new(0),
            sources,
            world: Guarded::default(),
            owed: Guarded::default(),
            in_doubt: Guarded::default(),
            degraded: Degraded::default(),
            scaling: Guarded::default(),
            excluding: tokio::sync::Mutex::default(),
            ticked: watch::Sender::new(Ts(0)),
            definitions: Guarded::default(),
            ticks: Guarded::default(),
            backfill: Guarded::default(),
            troubles: Guarded::default(),
            metrics: Metrics::new(),
            outbox_wake: Notify::new(),
            reload_wake: Notify::new(),
            next_plan: Guarded::default(),
            plan_wake: Notify::new(),
            versions: Guarded::default(),
            told,
            failure: Guarded::default(),
            shutdown: CancellationToken::new(),
            drained: CancellationToken::new(),
            tasks: TaskTracker::new(),
            started_at_ms,
        }
    }

    /// Hands a plan to the tick loop; one that was not taken yet is replaced.
    pub fn offer_plan(&self, plan: Plan) {
        *self.next_plan.write() = Some(plan);
        self.plan_wake.notify_one();
    }

    /// The plan that waits to be put into force.
    pub fn take_plan(&self) -> Option<Plan> {
        self.next_plan.write().take()
    }

    /// Stops the process because of something that it cannot mend.
    pub fn fail(&self, why: String) {
        self.failure.write().get_or_insert(why);
        self.shutdown.cancel();
    }

    /// Why the process stops, if not because it was asked to.
    pub fn failure(&self) -> Option<String> {
        self.failure.read().clone()
    }

    /// The epoch to write under, or `None` while this process does not lead.
    pub fn epoch(&self) -> Option<i64> {
        Some(self.epoch.load(Ordering::Acquire)).filter(|epoch| *epoch != 0)
    }

    /// Takes or gives up leadership.
    pub fn set_epoch(&self, epoch: Option<i64>) {
        self.epoch.store(epoch.unwrap_or(0), Ordering::Release);
    }

    /// Notes that a component is in trouble, or well again.
    pub fn trouble(&self, component: &'static str, error: Option<String>) {
        let mut troubles = self.troubles.write();
        match error {
            Some(error) => troubles.insert(component, error),
            None => troubles.remove(component),
        };
    }
}
