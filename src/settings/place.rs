//! Where a setting was written. It travels through the layers as the `origin` of each value.

use std::fmt;

use config::Value;

use crate::slo::problem::At;

/// Where a setting was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the settings file.
    File(At),
    /// In an environment variable of this name, or by a flag.
    Outside(String),
}

impl Place {
    /// The first character of the file: for what is nowhere, because it is missing.
    pub(super) const START: Self = Self::File(At { line: 1, column: 1 });

    /// As the origin of a value.
    pub(super) fn origin(&self) -> String {
        match self {
            Self::File(at) => format!("{}:{}", at.line, at.column),
            Self::Outside(name) => name.clone(),
        }
    }

    /// From the origin of a value; `None` for values that a layer made up to hold others.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let origin = value.origin()?;
        let at = origin
            .split_once(':')
            .and_then(|(line, column)| Some(At { line: line.parse().ok()?, column: column.parse().ok()? }));
        Some(at.map_or_else(|| Self::Outside(origin.to_owned()), Self::File))
    }
}

/// A place with the name of the file.
pub(super) struct Shown<'a>(pub(super) &'a str, pub(super) &'a Place);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Place::File(at) => write!(f, "{}:{}:{}", self.0, at.line, at.column),
            Place::Outside(name) => f.write_str(name),
        }
    }
}
