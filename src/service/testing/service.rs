//! A service with a folder of definitions of its own, for tests of its parts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::{document, leader};
use crate::engine::alert::{AlertKey, AlertState, Firing, Subject};
use crate::service::asked::ACCEPT;
use crate::service::clock;
use crate::service::definitions::Definitions;
use crate::service::shared::Shared;
use crate::service::survey::survey;
use crate::slo::model::{Labels, Severity};
use crate::store::{Decisions, StatePut};

/// A service that leads and does nothing by itself.
pub(in crate::service) struct Service {
    pub(in crate::service) shared: Arc<Shared>,
    folder: TempDir,
}

impl Service {
    /// With a source that refuses.
    pub(in crate::service) async fn start() -> Self {
        Self::asking(SocketAddr::from(([127, 0, 0, 1], 9))).await
    }

    /// With this source.
    pub(in crate::service) async fn asking(source: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let slos = folder.path().join("slos");
        std::fs::create_dir(&slos).unwrap();
        let text = format!(
            "prometheus: {{name: local, url: 'http://{source}'}}\ndefinitions: ['{}']\n",
            slos.display()
        );
        let shared = leader(folder.path(), &text).await;
        Self { shared: Arc::new(shared), folder }
    }

    /// Writes an SLO `shop/name` into a file of its own, in one step.
    pub(in crate::service) fn slo(&self, name: &str, objective: &str) {
        let spec = format!(
            "  objective: {objective}\n  sli: {{events: {{bad: 'r_total{{code=~\"5..\"}}', total: r_total}}}}\n"
        );
        let new = self.folder.path().join(".new");
        std::fs::write(&new, document(name, &spec)).unwrap();
        std::fs::rename(new, self.file(name)).unwrap();
    }

    /// Removes its file.
    pub(in crate::service) fn remove(&self, name: &str) {
        std::fs::remove_file(self.file(name)).unwrap();
    }

    /// Its file.
    pub(in crate::service) fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(format!("slos/{name}.yaml"))
    }

    /// In the store an alert of this SLO fires.
    pub(in crate::service) async fn fire(&self, slo: &str) {
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
    pub(in crate::service) async fn accept(&self, age: Duration) {
        let at = clock::now_ms() - i64::try_from(age.as_millis()).unwrap();
        self.shared.store.put_command(ACCEPT, "{}", at).await.unwrap();
    }

    /// Commands that nothing has consumed.
    pub(in crate::service) async fn commands(&self) -> usize {
        self.shared.store.commands(100).await.unwrap().len()
    }

    /// The definitions as a start finds them, read and settled.
    pub(in crate::service) async fn definitions(&self) -> Definitions {
        let mut definitions = Definitions::start(&self.shared, survey().0).await.unwrap();
        self.settle(&mut definitions).await;
        definitions
    }

    /// Reads until nothing is to be looked at again.
    pub(in crate::service) async fn settle(&self, definitions: &mut Definitions) {
        definitions.read(&self.shared).await;
        while definitions.looks_again() {
            if definitions.due(&self.shared).await {
                definitions.read(&self.shared).await;
            }
        }
    }

    /// Objectives of the SLOs that the newest plan has.
    pub(in crate::service) fn objectives(&self) -> Vec<String> {
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
