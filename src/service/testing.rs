//! A service with a store and a folder of definitions of its own, for tests of its parts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use super::asked::ACCEPT;
use super::clock;
use super::definitions::Definitions;
use super::shared::Shared;
use super::survey::survey;
use crate::engine::alert::{AlertKey, AlertState, Firing, Subject};
use crate::prometheus::Prometheus;
use crate::settings::Settings;
use crate::slo::model::{Labels, Severity};
use crate::store::{Decisions, Lease, Options, StatePut, Store};

/// A service that leads and does nothing by itself.
pub(super) struct Service {
    pub(super) shared: Arc<Shared>,
    folder: TempDir,
}

impl Service {
    /// With a source that refuses.
    pub(super) async fn start() -> Self {
        Self::asking(SocketAddr::from(([127, 0, 0, 1], 9))).await
    }

    /// With this source.
    pub(super) async fn asking(source: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let slos = folder.path().join("slos");
        std::fs::create_dir(&slos).unwrap();
        let text = format!(
            "prometheus: {{name: local, url: 'http://{source}'}}\ndefinitions: ['{}']\n",
            slos.display()
        );
        let settings = Settings::parse("damper.yaml", &text, [], &[]).unwrap();
        let file = format!("sqlite:{}", folder.path().join("damper.db").display());
        let store = Store::open(&file, Options::default()).await.unwrap();
        let Lease::Acquired { epoch } = store.acquire("test", clock::now_ms(), 60_000).await.unwrap() else {
            panic!("a new store has no leader")
        };
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let source = Prometheus::new(settings.sources[0].clone(), clock::now).unwrap();
        let sources = BTreeMap::from([("local".to_owned(), Arc::new(source))]);
        let shared = Shared::new(settings, store, sources, clock::now_ms());
        shared.set_epoch(Some(epoch));
        Self { shared: Arc::new(shared), folder }
    }

    /// Writes an SLO `shop/name` into a file of its own, in one step.
    pub(super) fn slo(&self, name: &str, objective: &str) {
        let text = format!(
            "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {name}}}\nspec:\n  service: shop\n  objective: {objective}\n  sli: {{events: {{bad: 'r_total{{code=~\"5..\"}}', total: r_total}}}}\n"
        );
        let new = self.folder.path().join(".new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.file(name)).unwrap();
    }

    /// Removes its file.
    pub(super) fn remove(&self, name: &str) {
        std::fs::remove_file(self.file(name)).unwrap();
    }

    /// Its file.
    pub(super) fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("slos/{name}.yaml"))
    }

    /// In the store an alert of this SLO fires.
    pub(super) async fn fire(&self, slo: &str) {
        let key = AlertKey {
            subject: Subject::Burn { slo: slo.into(), group: Labels::new() },
            severity: Severity::Page,
        };
        let firing = Firing {
            incident: "i".into(),
            at: clock::now(),
            labels: Labels::new(),
            annotations: Labels::new(),
            told: vec![],
            targets: None,
            rules: vec![],
        };
        let state = AlertState { firing: Some(firing), ..AlertState::default() };
        let put = StatePut { key: key.to_text(), body: serde_json::to_string(&state).unwrap() };
        let decided = Decisions { states: vec![put], ..Decisions::default() };
        self.shared.store.commit(self.shared.epoch().unwrap(), &decided).await.unwrap();
    }

    /// Somebody accepted removals so long ago.
    pub(super) async fn accept(&self, age: Duration) {
        let at = clock::now_ms() - i64::try_from(age.as_millis()).unwrap();
        self.shared.store.put_command(ACCEPT, "{}", at).await.unwrap();
    }

    /// Commands that nothing has consumed.
    pub(super) async fn commands(&self) -> usize {
        self.shared.store.commands(100).await.unwrap().len()
    }

    /// The definitions as a start finds them, read and settled.
    pub(super) async fn definitions(&self) -> Definitions {
        let mut definitions = Definitions::start(&self.shared, survey().0).await.unwrap();
        self.settle(&mut definitions).await;
        definitions
    }

    /// Reads until nothing is to be looked at again.
    pub(super) async fn settle(&self, definitions: &mut Definitions) {
        definitions.read(&self.shared).await;
        while definitions.looks_again() {
            if definitions.due(&self.shared).await {
                definitions.read(&self.shared).await;
            }
        }
    }

    /// Objectives of the SLOs that the newest plan has.
    pub(super) fn objectives(&self) -> Vec<String> {
        let offered = self.shared.take_plan();
        if let Some(plan) = offered {
            self.shared.world.write().plan = Arc::new(plan);
        }
        let plan = Arc::clone(&self.shared.world.read().plan);
        plan.slos.iter().map(|planned| planned.slo.objective.to_string()).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.shutdown.cancel();
    }
}

/// Asks until it is so; fails the test once `limit` has passed.
pub(super) async fn wait_until(limit: Duration, what: &str, is_so: impl AsyncFn() -> bool) {
    let end = Instant::now() + limit;
    while !is_so().await {
        assert!(Instant::now() < end, "after {limit:?} still waiting for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
