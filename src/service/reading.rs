//! One reading of all definition files: what they hold, what is wrong with them, what could not be read.

use super::catalogue::Catalogue;
use super::files::{self, Found};
use super::shared::Shared;
use super::state::DefinitionProblem;
use crate::slo::problem::{Level, Problem};
use crate::slo::{Loaded, load};

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
}

impl Reading {
    /// Reads and checks everything the settings name.
    pub(super) async fn take(shared: &Shared) -> Result<Self, String> {
        let (paths, context) = (shared.settings.definitions.clone(), shared.settings.context());
        let read = tokio::task::spawn_blocking(move || {
            let Found { files, problems, missing } = files::files(&paths);
            (load(&files, &context), problems, missing)
        });
        let (loaded, problems, missing) =
            read.await.map_err(|_| "reading the definition files failed".to_owned())?;
        let missing: Vec<String> = missing.iter().map(|path| path.display().to_string()).collect();
        let errors = problems.iter().filter(|problem| problem.level == Level::Error);
        let unread = errors.map(|problem| problem.file.clone()).chain(missing.iter().cloned()).collect();
        Ok(Self { loaded, unread, problems, missing })
    }

    /// Everything that is wrong, for people.
    pub(super) fn problems(&self, in_force: &Catalogue) -> Vec<DefinitionProblem> {
        let read = self.problems.iter().chain(self.loaded.problems()).map(told);
        read.chain(self.missing.iter().map(|path| missing(path, in_force))).collect()
    }
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
