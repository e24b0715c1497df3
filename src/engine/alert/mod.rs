//! The life of an alert: inactive → pending (`for`) → firing → resolved, by rule and over restarts.

mod key;
mod labels;
mod machine;

pub use key::{AlertKey, Subject};
pub use labels::{Naming, alert_labels};
pub use machine::{AlertState, Firing, Phase, RuleInput, Timer};
