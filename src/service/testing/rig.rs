//! A service whose ticks and pieces of history happen when a test says so.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::{NOWHERE, leader, plan};
use crate::service::asking::Asking;
use crate::service::backfill;
use crate::service::clock;
use crate::service::journal::Journal;
use crate::service::round::{Done, round};
use crate::service::shared::Shared;
use crate::service::swap::adopt;
use crate::service::units::Units;
use crate::slo::time::{Step, Ts};
use crate::store::OutboxFilter;

/// A service that leads, and its ticks.
pub(in crate::service) struct Rig {
    pub(in crate::service) shared: Arc<Shared>,
    pub(in crate::service) epoch: i64,
    pub(in crate::service) asking: Asking,
    journal: Journal,
    /// End of the slice of the last tick.
    pub(in crate::service) at: Ts,
    _folder: TempDir,
}

impl Rig {
    pub(in crate::service) async fn of(definitions: &str, source: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = format!(
            "prometheus: {{name: local, url: '{source}'}}\ndefinitions: [slos]\n\
             receivers: [{{name: oncall, webhook: {{url: '{NOWHERE}'}}}}]\nroute: {{receiver: oncall}}\n"
        );
        let shared = Arc::new(leader(folder.path(), &settings).await);
        let epoch = shared.epoch().unwrap();
        let at = Step::DEFAULT.floor(clock::now()).minus(Step::DEFAULT.span());
        let mut rig = Self {
            shared,
            epoch,
            asking: Asking::default(),
            journal: Journal::default(),
            at,
            _folder: folder,
        };
        rig.define(definitions);
        rig
    }

    /// Puts these definitions into force.
    pub(in crate::service) fn define(&mut self, definitions: &str) {
        let plan = Arc::new(plan(definitions));
        adopt(&mut self.shared.world.write(), plan, self.at);
    }

    /// The next tick.
    pub(in crate::service) async fn tick(&mut self) -> Done {
        self.at = self.at.plus(Step::DEFAULT.span());
        round(&self.shared, &mut self.asking, &mut self.journal, self.at).await
    }

    /// What is asked for history.
    pub(in crate::service) fn units(&self) -> Units {
        Units::of(&self.shared.world.read().plan, "local")
    }

    /// The next piece of history; the failure's message if it is to be asked again.
    pub(in crate::service) async fn fill(&mut self, units: &mut Units) -> Result<(), String> {
        let plan = Arc::clone(&self.shared.world.read().plan);
        let now = Instant::now();
        let job = units.next(&self.shared.world.read().ledger, self.at, now).0.unwrap();
        match backfill::ask(&self.shared, &plan, &job).await {
            Ok(facts) => {
                self.journal.book(&self.shared, &plan, &facts);
                units.answered(&job, &self.shared.world.read().ledger, now);
                Ok(())
            }
            Err(failure) => {
                units.failed(&job, now - Duration::from_secs(3600), false);
                Err(failure.message)
            }
        }
    }

    /// What is owed to receivers, oldest first: event and incident.
    pub(in crate::service) async fn owed(&self) -> Vec<(String, String)> {
        let page = self.shared.store.outbox(&OutboxFilter::default(), None, 100).await.unwrap();
        page.items.into_iter().rev().map(|row| (row.event, row.incident)).collect()
    }
}
