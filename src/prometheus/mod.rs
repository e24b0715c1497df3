//! ASK: range and instant queries, decoding, limits, breaker.

mod config;
mod decode;
mod refusal;
mod settings;
mod wire;

pub use config::{SourceConfig, SourceProblem};
pub use settings::{BasicAuthSettings, SourceKind, SourceSettings, TlsSettings};
