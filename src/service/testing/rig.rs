//! A service whose ticks and pieces of history happen when a test says so.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::{NOWHERE, leader, plan};
use crate::service::asking::Asking;
use crate::service::backfill;
use crate::service::catchup;
use crate::service::clock;
use crate::service::journal::Journal;
use crate::service::restart;
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
    /// What history is written by.
    history: Journal,
    /// End of the slice of the last tick.
    pub(in crate::service) at: Ts,
    definitions: String,
    settings: String,
    folder: TempDir,
}

impl Rig {
    pub(in crate::service) async fn of(definitions: &str, source: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = format!(
            "prometheus: {{name: local, url: '{source}'}}\ndefinitions: [slos]\n\
             receivers: [{{name: oncall, webhook: {{url: '{NOWHERE}'}}}}]\nroute: {{receiver: oncall}}\n"
        );
        let at = Step::DEFAULT.floor(clock::now()).minus(Step::DEFAULT.span());
        let mut rig = Self::on(folder, settings, at).await;
        rig.define(definitions);
        rig
    }

    async fn on(folder: TempDir, settings: String, at: Ts) -> Self {
        let shared = Arc::new(leader(folder.path(), &settings).await);
        let epoch = shared.epoch().unwrap();
        Self {
            shared,
            epoch,
            asking: Asking::default(),
            journal: Journal::default(),
            history: Journal::default(),
            at,
            definitions: String::new(),
            settings,
            folder,
        }
    }

    /// The next process, as after `kill -9`: nothing is left but files.
    pub(in crate::service) async fn die(self) -> Self {
        let Self { shared, at, definitions, settings, folder, .. } = self;
        let shared = Arc::into_inner(shared).expect("nobody else has it");
        let Shared { store, .. } = shared;
        store.close().await;
        let mut rig = Self::on(folder, settings, at).await;
        let control = restart::control(&rig.shared).await.unwrap();
        rig.shared.world.write().control = control;
        catchup::restore(&rig.shared).await.unwrap();
        restart::restore(&rig.shared, plan(&definitions)).await.unwrap();
        rig.definitions = definitions;
        rig
    }

    /// Edits the settings of the next process.
    pub(in crate::service) fn settings(&mut self, from: &str, to: &str) {
        self.settings = self.settings.replacen(from, to, 1);
    }

    /// Puts these definitions into force.
    pub(in crate::service) fn define(&mut self, definitions: &str) {
        definitions.clone_into(&mut self.definitions);
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
        self.try_fill(units).await.expect("something is lacking")
    }

    /// The same; `None` where nothing lacks.
    pub(in crate::service) async fn try_fill(&mut self, units: &mut Units) -> Option<Result<(), String>> {
        let plan = Arc::clone(&self.shared.world.read().plan);
        let now = Instant::now();
        let job = units.next(&self.shared.world.read().ledger, self.at, now).0?;
        Some(match backfill::ask(&self.shared, &plan, &job).await {
            Ok(facts) => {
                backfill::book(&self.shared, &plan, &mut self.history, &facts).await;
                units.answered(&job, &self.shared.world.read().ledger, now);
                Ok(())
            }
            Err(failure) => {
                units.failed(&job, now - Duration::from_secs(3600), false);
                Err(failure.message)
            }
        })
    }

    /// All history that there is to fill.
    pub(in crate::service) async fn fill_all(&mut self) {
        let mut units = self.units();
        while let Some(filled) = self.try_fill(&mut units).await {
            filled.unwrap();
        }
    }

    /// What is owed to receivers, oldest first: event and incident.
    pub(in crate::service) async fn owed(&self) -> Vec<(String, String)> {
        let page = self.shared.store.outbox(&OutboxFilter::default(), None, 100).await.unwrap();
        page.items.into_iter().rev().map(|row| (row.event, row.incident)).collect()
    }
}
