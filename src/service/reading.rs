//! One reading of all definition files: what they hold, what is wrong with them, what could not be read.

use super::catalogue::Catalogue;
use super::files::{self, Found};
use super::shared::Shared;
use super::state::DefinitionProblem;
use crate::engine::digest::Digest;
use crate::slo::problem::{Level, Problem};
use crate::slo::{Context, Loaded, load};

/// What was read.
pub(super) struct Reading {
    /// Documents.
    pub loaded: Loaded,
    /// Files and folders that could not be read: nothing of theirs is gone.
    pub unread: Vec<String>,
    /// Problems of files.
    problems: Vec<Problem>,
    /// Paths of the settings that do not exist.
    missing: Vec<String>,
    /// What all of this follows from.
    pub digest: String,
}

impl Reading {
    /// Reads and checks everything the settings name; `None` where all of it is as in the reading with
    /// the digest `known`.
    pub(super) async fn take(shared: &Shared, known: Option<String>) -> Result<Option<Self>, String> {
        let (paths, context) = (shared.settings.definitions.clone(), shared.settings.context());
        let read = tokio::task::spawn_blocking(move || {
            let found = files::files(&paths);
            let digest = digest(&found);
            (known.as_ref() != Some(&digest)).then(|| Self::of(found, digest, &context))
        });
        read.await.map_err(|_| "reading the definition files failed".to_owned())
    }

    fn of(found: Found, digest: String, context: &Context) -> Self {
        let Found { files, problems, missing } = found;
        let loaded = load(&files, context);
        let missing: Vec<String> = missing.iter().map(|path| path.display().to_string()).collect();
        let errors = problems.iter().filter(|problem| problem.level == Level::Error);
        let unread = errors.map(|problem| problem.file.clone()).chain(missing.iter().cloned()).collect();
        Self { loaded, unread, problems, missing, digest }
    }

    /// Everything that is wrong, for people.
    pub(super) fn problems(&self, in_force: &Catalogue) -> Vec<DefinitionProblem> {
        let read = self.problems.iter().chain(self.loaded.problems()).map(told);
        read.chain(self.missing.iter().map(|path| missing(path, in_force))).collect()
    }
}

/// Of everything that was found, and of what could not be read.
fn digest(found: &Found) -> String {
    let others = format!("{:?} {:?}", found.problems, found.missing);
    let files = found.files.iter().flat_map(|file| [file.path.as_str(), file.text.as_str()]);
    Digest::of(&files.chain([others.as_str()]).collect::<Vec<_>>()).hex()
}

fn told(problem: &Problem) -> DefinitionProblem {
    DefinitionProblem {
        file: problem.file.clone(),
        line: problem.line,
        column: problem.column,
        error: problem.level == Level::Error,
        what: problem.what.clone(),
        hint: problem.hint.clone(),
    }
}

/// A path of the settings that does not exist. Relative ones surprise under a service manager, so
/// that the place where it was looked for is told.
fn missing(path: &str, in_force: &Catalogue) -> DefinitionProblem {
    let place = match std::env::current_dir() {
        Ok(folder) if !path.starts_with('/') => format!(" in {}", folder.display()),
        _ => String::new(),
    };
    let so = if in_force.holds(path) { "" } else { ", so none of its SLOs is watched" };
    DefinitionProblem {
        file: path.to_owned(),
        line: 1,
        column: 1,
        error: true,
        what: format!("there is no such file or folder{place}{so}"),
        hint: Some("create it, which is noticed at once, or correct `definitions` in the settings".into()),
    }
}
