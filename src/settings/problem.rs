//! What is wrong with the settings, all of it, for the person who has to put it right.
//!
//! Unlike problems of definitions these are shown without the line of the file: it may hold a secret.

use std::fmt;

use super::place::{Place, Shown};

/// Problems shown at most.
pub(super) const MAX_PROBLEMS: usize = 100;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsProblem {
    /// Where it was written.
    pub place: Place,
    /// The path of the key: `sources[0].url`; empty when it is about the whole.
    pub key: String,
    /// What is wrong and what to do.
    pub what: String,
}

/// Settings that cannot be used, with every reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsError {
    /// The settings file, as given.
    pub file: String,
    /// What is wrong; in the order of the file, then what stands outside of it.
    pub problems: Vec<SettingsProblem>,
}

impl SettingsError {
    pub(super) fn new(file: &str, mut problems: Vec<SettingsProblem>) -> Self {
        problems.sort_by_key(|problem| match &problem.place {
            Place::File(at) => (0, at.line, at.column, String::new()),
            Place::Outside(name) => (1, 0, 0, name.clone()),
        });
        Self { file: file.to_owned(), problems }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings in {} cannot be used", self.file)?;
        for problem in self.problems.iter().take(MAX_PROBLEMS) {
            write!(f, "\n  {}: ", Shown(&self.file, &problem.place))?;
            if !problem.key.is_empty() {
                write!(f, "{}: ", problem.key)?;
            }
            f.write_str(&problem.what)?;
        }
        match self.problems.len().saturating_sub(MAX_PROBLEMS) {
            0 => Ok(()),
            more => write!(f, "\n  … and {more} more"),
        }
    }
}

impl std::error::Error for SettingsError {}
