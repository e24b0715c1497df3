//! DEFINITIONS, pure: YAML text becomes checked values, every problem with file, line, column and a hint.

mod check;
pub mod composite;
mod doc_id;
pub mod fit;
pub mod format;
pub mod listed;
mod load;
pub mod model;
pub mod nearest;
pub mod period;
pub mod policy;
pub mod problem;
pub mod promql;
pub mod query;
pub mod rules;
pub mod time;
pub mod unit;
pub mod yaml;

#[cfg(test)]
mod tests;

pub use doc_id::DocId;
pub use load::{Context, Document, Loaded, MAX_DOCUMENTS, MAX_FILE, SourceFile, load, load_accepted};
