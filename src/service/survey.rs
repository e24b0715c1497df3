//! Measures the sources: their versions, and how often what is counted is scraped. In a task of its
//! own, because it takes as long as the sources take, and no reload may wait for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::measuring::Measuring;
use super::planner::Measured;
use super::shared::Shared;
use crate::engine::plan::Plan;
use crate::slo::model::Slo;

/// How often all is measured again. What had no answer is asked for sooner: first after this, then
/// after twice as long each time.
const EVERY: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(15);

type Slos = Vec<Arc<Slo>>;

/// What the reload loop holds: it tells which SLOs are in force and hears what was measured.
pub(super) struct Survey {
    slos: watch::Sender<Slos>,
    measured: watch::Receiver<Measured>,
}

/// The other end.
pub(super) struct Surveyor {
    slos: watch::Receiver<Slos>,
    measured: watch::Sender<Measured>,
}

/// Both ends.
pub(super) fn survey() -> (Survey, Surveyor) {
    let (slos_in_force, slos) = watch::channel(Slos::new());
    let (tell, measured) = watch::channel(Measured::default());
    (Survey { slos: slos_in_force, measured }, Surveyor { slos, measured: tell })
}

impl Survey {
    /// Has these SLOs measured, soon: new queries must be before their lookback can be trusted.
    pub(super) fn measure(&self, slos: Slos) {
        self.slos.send_replace(slos);
    }

    /// The plan for these SLOs, by what is known now.
    pub(super) fn plan(&self, shared: &Shared, slos: &[Arc<Slo>]) -> Plan {
        self.measured.borrow().plan(shared, slos)
    }

    /// Waits until something else was measured.
    pub(super) async fn changed(&mut self) {
        if self.measured.changed().await.is_err() {
            // The other task has ended, and the service with it.
            std::future::pending::<()>().await;
        }
    }
}

impl Surveyor {
    /// Runs until shutdown.
    pub(super) async fn run(mut self, shared: Arc<Shared>) {
        let mut measuring = Measuring::default();
        let mut all_at = Instant::now();
        let mut pause = SOON;
        loop {
            if Instant::now() >= all_at {
                all_at = Instant::now() + EVERY;
                measuring.again();
            }
            let slos = self.slos.borrow_and_update().clone();
            let plan = measuring.measured().plan(&shared, &slos);
            let changed = tokio::select! {
                () = shared.shutdown.cancelled() => return,
                changed = measuring.refresh(&shared, &plan) => changed,
            };
            if changed {
                shared.versions.write().clone_from(&measuring.measured().versions);
                self.measured.send_replace(measuring.measured().clone());
            }
            let complete = measuring.is_complete(&shared, &plan);
            let next = if complete { all_at } else { all_at.min(Instant::now() + pause) };
            tokio::select! {
                () = shared.shutdown.cancelled() => return,
                () = tokio::time::sleep_until(next) => {
                    pause = if complete { SOON } else { (pause * 2).min(EVERY) };
                }
                Ok(()) = self.slos.changed() => {}
            }
        }
    }
}
