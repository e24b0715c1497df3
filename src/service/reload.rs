//! Keeps the definitions in force: reads them when their files change, on SIGHUP, when the API says
//! so and every minute; hands a new plan to the tick loop, which alone replaces it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::catalogue::{Accepted, Catalogue, Reload};
use super::clock;
use super::files;
use super::planner::Measured;
use super::shared::Shared;
use super::state::{DefinitionProblem, DefinitionsView};
use super::watch::Watch;
use crate::slo::problem::{Level, Problem};
use crate::slo::{Context, SourceFile, load};
use crate::store::{Document, Revision, StoreError};

/// Files are read again at least this often, whatever events say.
const EVERY: Duration = Duration::from_secs(60);
/// Events of one edit come in bursts; what they mean is looked at when they pause.
const SETTLE: Duration = Duration::from_millis(200);
/// How often sources are measured again, and how often while one has not said its version.
const MEASURE: Duration = Duration::from_secs(600);
const MEASURE_SOON: Duration = Duration::from_secs(15);
/// The command kind by which the API says that removals are meant.
pub const ACCEPT: &str = "reload-accept";

/// The definitions in force and what is known of the sources.
#[derive(Default)]
pub(super) struct Reloader {
    catalogue: Catalogue,
    revision: i64,
    measured: Measured,
    measure_at: Option<Instant>,
}

impl Reloader {
    /// Starts from the documents the store kept, then reads the files.
    pub(super) async fn start(shared: &Shared) -> Result<Self, StoreError> {
        let mut reloader = Self::default();
        let kept = shared.store.documents().await?;
        for document in kept {
            reloader.revision = reloader.revision.max(document.revision);
            let file = SourceFile { path: document.file.clone(), text: document.text.clone() };
            let loaded = load(&[file], &context(shared));
            let slos = loaded.slos().cloned().map(Arc::new).collect::<Vec<_>>();
            if !slos.is_empty() {
                let accepted = Accepted { text: document.text, file: document.file, slos };
                reloader.catalogue.0.insert(document.doc_id, accepted);
            }
        }
        let newest = shared.store.revisions(1).await?.first().map_or(0, |revision| revision.number);
        reloader.revision = reloader.revision.max(newest);
        let plan = reloader.measured.plan(shared, &reloader.catalogue.slos());
        shared.offer_plan(plan);
        reloader.read(shared, false).await;
        Ok(reloader)
    }

    /// Runs until shutdown.
    pub(super) async fn run(mut self, shared: Arc<Shared>, mut watch: Watch) {
        loop {
            let measure_at = *self.measure_at.get_or_insert_with(|| Instant::now() + Duration::from_secs(1));
            tokio::select! {
                () = shared.shutdown.cancelled() => return,
                () = shared.reload_wake.notified() => {
                    tokio::time::sleep(SETTLE).await;
                    let accept = take_accept(&shared).await;
                    watch.refresh(&shared.settings.definitions);
                    self.read(&shared, accept).await;
                }
                () = tokio::time::sleep(EVERY) => {
                    watch.refresh(&shared.settings.definitions);
                    self.read(&shared, false).await;
                }
                () = tokio::time::sleep_until(measure_at) => self.measure(&shared).await,
            }
        }
    }

    async fn measure(&mut self, shared: &Shared) {
        let plan = Arc::clone(&shared.world.read().plan);
        if self.measured.refresh(shared, &plan).await {
            shared.versions.write().clone_from(self.measured.versions());
            let plan = self.measured.plan(shared, &self.catalogue.slos());
            shared.offer_plan(plan);
        }
        let pause = if self.measured.is_complete(shared) { MEASURE } else { MEASURE_SOON };
        self.measure_at = Some(Instant::now() + pause);
    }

    /// Reads all files and puts what is good into force.
    async fn read(&mut self, shared: &Shared, accept: bool) {
        let paths = shared.settings.definitions.clone();
        let read = tokio::task::spawn_blocking(move || files::files(&paths)).await;
        let Ok(found) = read else {
            shared.trouble("definitions", Some("reading the definition files failed".into()));
            return;
        };
        let missing = found.missing.iter().map(|path| path.display().to_string());
        let unread: Vec<String> = found
            .problems
            .iter()
            .filter(|p| p.level == Level::Error)
            .map(|p| p.file.clone())
            .chain(missing.clone())
            .collect();
        let context = context(shared);
        let files = found.files;
        let Ok(loaded) = tokio::task::spawn_blocking(move || load(&files, &context)).await else {
            shared.trouble("definitions", Some("checking the definitions failed".into()));
            return;
        };
        let fires = |slo: &str| shared.world.read().control.is_firing(slo);
        let reload = self.catalogue.reload(&loaded, &unread, fires, accept);
        let mut problems: Vec<DefinitionProblem> =
            found.problems.iter().chain(loaded.problems()).map(problem).collect();
        problems.extend(missing.map(|file| DefinitionProblem {
            file,
            line: 1,
            column: 1,
            error: true,
            what: "no such file or folder".into(),
            hint: Some("see `definitions` in the settings".into()),
        }));
        let changed = !reload.changed.is_empty() || !reload.removed.is_empty();
        if changed && let Err(error) = self.accept(shared, &reload).await {
            tracing::error!(%error, "the new definitions were not recorded and are not in force");
            shared.trouble("definitions", Some(error.to_string()));
            return;
        }
        shared.trouble("definitions", None);
        self.show(shared, problems, reload.waiting);
    }

    async fn accept(&mut self, shared: &Shared, reload: &Reload) -> Result<(), StoreError> {
        let Some(epoch) = shared.epoch() else { return Ok(()) };
        let number = self.revision + 1;
        let at = clock::now_ms();
        let changed: Vec<Document> = reload
            .changed
            .iter()
            .filter_map(|key| Some((key, reload.next.0.get(key)?)))
            .map(|(key, accepted)| Document {
                doc_id: key.clone(),
                revision: number,
                hash: crate::engine::digest::Digest::of(&[&accepted.text]).hex(),
                text: accepted.text.clone(),
                file: accepted.file.clone(),
                accepted_at: at,
            })
            .collect();
        let summary = format!("{} documents new or changed, {} removed", changed.len(), reload.removed.len());
        let revision = Revision { number, hash: reload.next.hash(), at, summary };
        shared.store.accept(epoch, &revision, &changed, &reload.removed).await?;
        tracing::info!(revision = number, changed = ?reload.changed, removed = ?reload.removed, "definitions in force");
        self.revision = number;
        self.catalogue = reload.next.clone();
        // New queries must be measured before their lookback can be trusted.
        self.measure_at = Some(Instant::now() + Duration::from_secs(1));
        shared.offer_plan(self.measured.plan(shared, &self.catalogue.slos()));
        Ok(())
    }

    fn show(&self, shared: &Shared, problems: Vec<DefinitionProblem>, waiting: Vec<String>) {
        let errors = problems.iter().filter(|p| p.error).count();
        let known: BTreeSet<String> = shared.definitions.read().problems.iter().map(text).collect();
        for problem in problems.iter().filter(|p| p.error && !known.contains(&text(p))) {
            tracing::error!("{}; the last good version stays in force", text(problem));
        }
        let slos = self.catalogue.slos().len();
        shared.metrics.definitions(self.revision, errors, slos);
        let accepted_at = shared.definitions.read().accepted_at;
        let before = shared.definitions.read().revision;
        *shared.definitions.write() = DefinitionsView {
            revision: self.revision,
            hash: self.catalogue.hash(),
            accepted_at: if before == self.revision { accepted_at } else { clock::now().0 },
            slos,
            problems,
            waiting_for_accept: waiting,
        };
    }
}

/// Whether somebody said that removals are meant; said once, it counts for one reload.
async fn take_accept(shared: &Shared) -> bool {
    let Ok(commands) = shared.store.commands(100).await else { return false };
    let accepts: Vec<i64> = commands.iter().filter(|c| c.kind == ACCEPT).map(|c| c.id).collect();
    let Some(epoch) = shared.epoch().filter(|_| !accepts.is_empty()) else { return false };
    let done = crate::store::Decisions { commands_done: accepts, ..Default::default() };
    shared.store.commit(epoch, &done).await.is_ok()
}

fn context(shared: &Shared) -> Context {
    let sources = shared.settings.sources.iter().map(|source| source.name().to_owned()).collect();
    Context { step: shared.settings.step, sources }
}

fn problem(problem: &Problem) -> DefinitionProblem {
    DefinitionProblem {
        file: problem.file.clone(),
        line: problem.line,
        column: problem.column,
        error: problem.level == Level::Error,
        what: problem.what.clone(),
        hint: problem.hint.clone(),
    }
}

fn text(problem: &DefinitionProblem) -> String {
    let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}:{}:{}: {}{hint}", problem.file, problem.line, problem.column, problem.what)
}
