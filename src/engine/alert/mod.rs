//! The life of an alert: inactive → pending (`for`) → firing → resolved, by rule and over restarts.

mod key;
mod labels;
mod machine;
#[cfg(test)]
mod tests;
mod timer;

pub use key::{AlertKey, Matter, Subject};
pub use labels::{Naming, alert_labels};
pub use machine::{AlertState, Firing, Phase};
pub use timer::{RuleInput, Timer};
