//! `damper check PATH…`: all problems of all definitions in one run.
//!
//! [`read`] gathers, [`report`] prints; [`live`] asks a Prometheus and [`kube`] a cluster, and both add
//! their problems in between.

pub(super) mod command;
pub mod kube;
pub mod live;
mod place;
mod policy;
mod report;

use std::collections::HashSet;
use std::path::PathBuf;

use crate::service::files;
use crate::slo::policy::ScalePolicy;
use crate::slo::problem::{Level, Problem};
use crate::slo::{Context, Document, Loaded, SourceFile, load};
pub use report::report;
pub(super) use report::usage;

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One object for programs.
    Json,
}

/// How the command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// No errors.
    Good,
    /// At least one error.
    Problems,
    /// Nothing to check: a path is missing, or no file was found.
    Usage,
}

impl Verdict {
    /// 0 good, 1 problems, 2 usage.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Problems => 1,
            Self::Usage => 2,
        }
    }
}

/// Everything that was read and what is known about it.
#[derive(Debug)]
pub struct Checked {
    /// The files, for showing lines.
    pub files: Vec<SourceFile>,
    /// Documents, SLOs and policies.
    pub loaded: Loaded,
    /// Problems outside of documents: unreadable files, answers of a live server.
    pub more: Vec<Problem>,
    /// What a live server said; `None` when none was asked.
    pub live: Option<live::Live>,
    /// What the cluster said; `None` when it was not asked.
    pub kube: Option<kube::Kube>,
}

/// Reads and checks; the error says why there is nothing to check.
pub fn read(paths: &[PathBuf], context: &Context) -> Result<Checked, String> {
    let found = files::files(paths);
    if !found.missing.is_empty() {
        let missing: Vec<String> = found.missing.iter().map(|p| p.display().to_string()).collect();
        return Err(format!("no such file or folder: {}", missing.join(", ")));
    }
    if found.files.is_empty() && found.problems.is_empty() {
        let given: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        return Err(format!("no *.yaml or *.yml in: {}", given.join(", ")));
    }
    let loaded = load(&found.files, context);
    let mut more = found.problems;
    more.extend(empty(&found.files, &loaded));
    Ok(Checked { files: found.files, loaded, more, live: None, kube: None })
}

/// Files in which nothing is defined: whoever wrote one may believe that it is.
fn empty(files: &[SourceFile], loaded: &Loaded) -> Vec<Problem> {
    let read: HashSet<&str> = loaded.documents.iter().map(|document| document.place.file.as_str()).collect();
    let empty = files.iter().filter(|file| !read.contains(file.path.as_str()));
    empty
        .map(|file| Problem {
            file: file.path.clone(),
            line: 1,
            column: 1,
            level: Level::Notice,
            what: "this file holds no document: nothing is defined in it".to_owned(),
            hint: Some(
                "a document begins with `apiVersion` and `kind`; lines that begin with # are comments"
                    .to_owned(),
            ),
        })
        .collect()
}

/// The good policies, each with its document.
fn policies(loaded: &Loaded) -> impl Iterator<Item = (&Document, &ScalePolicy)> {
    loaded
        .documents
        .iter()
        .flat_map(|document| document.policies.iter().map(move |policy| (document, policy)))
}

#[cfg(test)]
mod tests;
