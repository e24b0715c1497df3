//! Ticks and history over a real store, with a source that is not there or says what a test wants.

mod doubt;
mod follow_ups;
mod latency;
mod single;
pub(super) mod source;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::asking::Asking;
use super::backfill;
use super::clock;
use super::journal::Journal;
use super::round::{Done, round};
use super::shared::Shared;
use super::swap::adopt;
use super::units::Units;
use crate::engine::plan::{Plan, PlanContext};
use crate::prometheus::Prometheus;
use crate::settings::Settings;
use crate::slo::time::{Step, Ts};
use crate::slo::{Context, SourceFile, load};
use crate::store::{Lease, Options, OutboxFilter, Store};

/// Nobody listens there.
pub(super) const NOWHERE: &str = "http://127.0.0.1:9";

/// A service that leads, and its ticks.
pub(super) struct Rig {
    pub(super) shared: Arc<Shared>,
    pub(super) epoch: i64,
    pub(super) asking: Asking,
    journal: Journal,
    /// End of the slice of the last tick.
    pub(super) at: Ts,
    _folder: TempDir,
}

impl Rig {
    pub(super) async fn of(definitions: &str, source: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}", folder.path().join("damper.db").display());
        let store = Store::open(&file, Options::default()).await.unwrap();
        let lease = store.acquire("test", clock::now_ms(), 600_000).await.unwrap();
        let Lease::Acquired { epoch } = lease else { panic!("a new store has no leader") };
        let settings = format!(
            "prometheus: {{name: local, url: '{source}'}}\ndefinitions: [slos]\n\
             receivers: [{{name: oncall, webhook: {{url: '{NOWHERE}'}}}}]\nroute: {{receiver: oncall}}\n"
        );
        let settings = Settings::parse("damper.yaml", &settings, [], &[]).unwrap();
        let source = Prometheus::new(settings.sources[0].clone(), clock::now).unwrap();
        let sources = BTreeMap::from([("local".to_owned(), Arc::new(source))]);
        let shared = Arc::new(Shared::new(settings, store, sources, clock::now_ms()));
        shared.set_epoch(Some(epoch));
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
    pub(super) fn define(&mut self, definitions: &str) {
        let plan = Arc::new(plan(definitions));
        adopt(&mut self.shared.world.write(), plan, self.at);
    }

    /// The next tick.
    pub(super) async fn tick(&mut self) -> Done {
        self.at = self.at.plus(Step::DEFAULT.span());
        round(&self.shared, &mut self.asking, &mut self.journal, self.at).await
    }

    /// What is asked for history.
    pub(super) fn units(&self) -> Units {
        Units::of(&self.shared.world.read().plan, "local")
    }

    /// The next piece of history; the failure's message if it is to be asked again.
    pub(super) async fn fill(&mut self, units: &mut Units) -> Result<(), String> {
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
    pub(super) async fn owed(&self) -> Vec<(String, String)> {
        let page = self.shared.store.outbox(&OutboxFilter::default(), None, 100).await.unwrap();
        page.items.into_iter().rev().map(|row| (row.event, row.incident)).collect()
    }
}

/// The plan of these definitions.
pub(super) fn plan(definitions: &str) -> Plan {
    let files = [SourceFile { path: "a.yaml".into(), text: definitions.into() }];
    let loaded = load(&files, &Context { step: Step::DEFAULT, sources: vec![] });
    let slos: Vec<_> = loaded.slos().cloned().map(Arc::new).collect();
    assert!(!slos.is_empty(), "{loaded:?}");
    let context = PlanContext {
        step: Step::DEFAULT,
        default_source: "local".into(),
        sources: BTreeMap::new(),
        intervals: BTreeMap::new(),
    };
    Plan::build(&slos, &context)
}

/// An SLO on the requests of a job.
pub(super) fn slo(name: &str) -> String {
    format!(
        "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {name}}}\nspec:\n  \
         service: shop\n  objective: 99\n  sli:\n    events: {{bad: 'r_total{{job=\"{name}\",code=\"500\"}}', \
         total: 'r_total{{job=\"{name}\"}}'}}\n"
    )
}

/// An SLO on how long the requests of a job take.
pub(super) fn latency(name: &str) -> String {
    format!(
        "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {name}}}\nspec:\n  \
         service: shop\n  sli:\n    latency: {{histogram: d_seconds, selector: '{{job=\"{name}\"}}', \
         unit: s, objectives: [{{percent: 99, within: 300ms}}]}}\n  alerting:\n    rules:\n      \
         - {{severity: page, burnRate: 2, long: 2m, short: 1m}}\n"
    )
}

/// An SLO on a ratio of its own.
pub(super) fn ratio(name: &str) -> String {
    format!(
        "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {name}}}\nspec:\n  \
         service: shop\n  objective: 99\n  sli:\n    ratio: {{query: '1 - avg_over_time(probe_success{{job=\"{name}\"}}[{{{{.window}}}}])'}}\n"
    )
}
