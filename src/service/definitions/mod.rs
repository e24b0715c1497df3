//! The definitions in force: read from files, laid beside what was in force, recorded, and only
//! then planned.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::asked::Asked;
use super::catalogue::{Accepted, Catalogue, Reload, Removal};
use super::clock;
use super::reading::Reading;
use super::settled::Settled;
use super::shared::Shared;
use super::state::{DefinitionProblem, DefinitionsView};
use super::survey::Survey;
use crate::engine::plan::Plan;
use crate::slo::listed::listed;
use crate::slo::problem::Level;
use crate::slo::{SourceFile, load_accepted};
use crate::store::{Decisions, Document, Revision, StoreError};

/// A reading that failed is tried again after this.
const RETRY: Duration = Duration::from_secs(5);
/// Names in one line of the log.
const LOGGED: usize = 100;

/// The definitions in force and what is known of the sources.
pub(super) struct Definitions {
    catalogue: Catalogue,
    revision: i64,
    settled: Settled,
    survey: Survey,
    /// When to read again although nobody asked.
    again: Option<Instant>,
    /// The digest of the last reading, where it changed nothing and nothing waits: the same again
    /// changes nothing either.
    settled_on: Option<String>,
}

impl Definitions {
    /// Starts from the documents the store kept, then reads the files. Whether an SLO fires must be
    /// known before.
    pub(super) async fn start(shared: &Shared, survey: Survey) -> Result<Self, StoreError> {
        let mut catalogue = Catalogue::default();
        let mut revision = shared.store.revisions(1).await?.first().map_or(0, |revision| revision.number);
        for document in shared.store.documents().await? {
            revision = revision.max(document.revision);
            let file = SourceFile { path: document.file.clone(), text: document.text.clone() };
            let loaded = load_accepted(&file, &shared.settings.context());
            let slos = loaded.slos().cloned().map(Arc::new).collect::<Vec<_>>();
            let policies = loaded.policies().cloned().map(Arc::new).collect::<Vec<_>>();
            if slos.is_empty() && policies.is_empty() {
                let why = loaded.problems().find(|problem| problem.level == Level::Error);
                let why = why.map(|problem| problem.what.as_str());
                tracing::error!(document.doc_id, why, "a definition that was in force does not fit any more");
            }
            let accepted = Accepted { text: document.text, file: document.file, slos, policies };
            catalogue.0.insert(document.doc_id, accepted);
        }
        let mut definitions =
            Self { catalogue, revision, settled: Settled::default(), survey, again: None, settled_on: None };
        definitions.plan(shared);
        definitions.read(shared).await;
        if definitions.catalogue.slos().is_empty() {
            tracing::warn!("no SLO is in force: nothing is watched");
        }
        Ok(definitions)
    }

    /// Waits until the files have to be read again, or something else was measured of the sources,
    /// which is planned at once; gives back whether to read.
    pub(super) async fn due(&mut self, shared: &Shared) -> bool {
        let again = self.again;
        let again = async {
            match again {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = again => true,
            () = self.survey.changed() => {
                shared.offer_plan(self.planned(shared));
                false
            }
        }
    }

    /// Reads all files and puts what is good into force.
    pub(super) async fn read(&mut self, shared: &Shared) {
        self.again = None;
        let read = self.try_read(shared).await;
        if let Err(error) = &read {
            tracing::error!("{error}; the definitions in force stay, tried again in {RETRY:?}");
            self.again = Some(Instant::now() + RETRY);
        }
        shared.trouble("definitions", read.err());
    }

    async fn try_read(&mut self, shared: &Shared) -> Result<(), String> {
        // Before the files: what people accept is what is there after they said so.
        // A store that does not say what was asked says it at the next look.
        let asked = Asked::read(shared).await.unwrap_or_default();
        let known = self.settled_on.take().filter(|_| asked.is_empty());
        let Some(reading) = Reading::take(shared, known.clone()).await? else {
            self.settled_on = known;
            return Ok(());
        };
        let compared = self.catalogue.compare(&reading.loaded, &reading.unread);
        self.again = self.settled.look_again_at(compared.gone(), Instant::now());
        let removal = match (self.again, asked.accept) {
            (Some(_), _) => Removal::NotYet,
            (None, true) => Removal::Accepted,
            (None, false) => Removal::Guarded,
        };
        // A word is consumed by the reload that carries it out, with it or not at all.
        let done = if removal == Removal::NotYet { Vec::new() } else { asked.ids };
        let fires = |slo: &str| shared.world.read().control.is_firing(slo);
        let reload = self.catalogue.reload(compared, removal, fires);
        let problems = reading.problems(&self.catalogue);
        let waiting = reload.waiting.clone();
        let is_settled = self.again.is_none()
            && waiting.is_empty()
            && reload.changed.is_empty()
            && reload.removed.is_empty();
        self.put(shared, reload, done).await.map_err(|error| error.to_string())?;
        self.settled_on = is_settled.then_some(reading.digest);
        self.show(shared, problems, waiting);
        Ok(())
    }

    async fn put(&mut self, shared: &Shared, reload: Reload, done: Vec<i64>) -> Result<(), StoreError> {
        let Some(epoch) = shared.epoch() else { return Ok(()) };
        if reload.changed.is_empty() && reload.removed.is_empty() {
            if !done.is_empty() {
                let done = Decisions { commands_done: done, ..Decisions::default() };
                shared.store.commit(epoch, &done).await?;
            }
            // The same texts; what moved are their lines.
            self.catalogue = reload.next;
            return Ok(());
        }
        let number = self.revision + 1;
        let at = clock::now_ms();
        let document = |key: &String| {
            let accepted = reload.next.0.get(key)?;
            Some(Document {
                doc_id: key.clone(),
                revision: number,
                hash: crate::engine::digest::Digest::of(&[&accepted.text]).hex(),
                text: accepted.text.clone(),
                file: accepted.file.clone(),
                accepted_at: at,
            })
        };
        let changed: Vec<Document> = reload.changed.iter().filter_map(document).collect();
        let summary = format!("{} documents new or changed, {} removed", changed.len(), reload.removed.len());
        let revision = Revision { number, hash: reload.next.hash(), at, summary };
        shared.store.accept(epoch, &revision, &changed, &reload.removed, &done).await?;
        let (changed, removed) = (listed(&reload.changed, LOGGED), listed(&reload.removed, LOGGED));
        tracing::info!(revision = number, changed, removed, "definitions in force");
        self.revision = number;
        self.catalogue = reload.next;
        self.plan(shared);
        Ok(())
    }

    /// Hands the plan to the tick loop, which alone puts it into force, and has it measured.
    fn plan(&self, shared: &Shared) {
        shared.offer_plan(self.planned(shared));
        self.survey.measure(self.catalogue.slos());
    }

    fn planned(&self, shared: &Shared) -> Plan {
        let policies = self.catalogue.policies(shared.settings.scaling.mode);
        let (held, held_policies) = (self.catalogue.held(), self.catalogue.held_policies());
        Plan { held, held_policies, policies, ..self.survey.plan(shared, &self.catalogue.slos()) }
    }

    fn show(&self, shared: &Shared, problems: Vec<DefinitionProblem>, waiting: Vec<String>) {
        let before = shared.definitions.read().clone();
        let known: BTreeSet<String> = before.problems.iter().map(ToString::to_string).collect();
        for problem in problems.iter().filter(|p| p.error && !known.contains(&p.to_string())) {
            let holds = self.catalogue.holds(&problem.file);
            tracing::error!("{problem}{}", if holds { "; what was in force of it stays so" } else { "" });
        }
        if !waiting.is_empty() && waiting != before.waiting_for_accept {
            tracing::warn!(
                waiting = listed(&waiting, LOGGED),
                "these would go; they stay until `damper reload --accept`"
            );
        }
        let errors = problems.iter().filter(|p| p.error).count();
        let slos = self.catalogue.slos().len();
        shared.metrics.definitions(self.revision, errors, slos);
        *shared.definitions.write() = DefinitionsView {
            revision: self.revision,
            hash: self.catalogue.hash(),
            accepted_at: if before.revision == self.revision { before.accepted_at } else { clock::now().0 },
            slos,
            problems,
            waiting_for_accept: waiting,
        };
    }
}

#[cfg(test)]
mod tests;
