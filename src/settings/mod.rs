//! Service settings: defaults, then the file, then the environment, then flags.
//!
//! ```text
//! damper.yaml ─▶ file ──────────┐
//! DAMPER_…    ─▶ environment ───┼▶ config ─▶ merged ─▶ reader ─▶ written ─▶ check ─▶ Settings
//! --listen …  ─▶ flags ─────────┘    each value with the place it was written at
//! ```
//!
//! All problems are told in one run, each with its line or variable. `docs/settings.md` lists all keys.

mod alerting;
mod backups;
mod check;
mod environment;
mod file;
mod load;
mod merged;
mod place;
mod problem;
mod reader;
mod scaling;
mod store;
#[cfg(test)]
mod tests;
mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::notify::ReceiverConfig;
use crate::notify::heartbeat::HeartbeatConfig;
use crate::prometheus::SourceConfig;
use crate::slo::Context;
use crate::slo::time::{Span, Step};
use crate::telemetry::LogSettings;

pub use crate::cluster::{ActuatorConfig, ActuatorSettings, KubernetesSettings};
pub use alerting::AlertingConfig;
pub use backups::BackupConfig;
pub use load::Flag;
pub use place::Place;
pub use problem::{SettingsError, SettingsProblem};
pub use scaling::ScalingConfig;
pub use store::StoreAddress;

/// The settings of a service, checked: every value here is right.
#[derive(Clone)]
pub struct Settings {
    /// Whom to ask; at least one. The first is the default.
    pub sources: Vec<SourceConfig>,
    /// Labels of every alert.
    pub external_labels: BTreeMap<String, String>,
    /// Where people reach Damper, without a slash at its end; empty when nobody said.
    pub external_url: String,
    /// Files and folders of definitions; at least one. Relative to the working directory.
    pub definitions: Vec<PathBuf>,
    /// Where everything durable is.
    pub store: StoreAddress,
    /// Regular copies of it.
    pub backups: BackupConfig,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Length of a slice.
    pub step: Step,
    /// Who is told after each tick.
    pub heartbeat: Option<HeartbeatConfig>,
    /// Who can be told of alerts.
    pub receivers: Vec<ReceiverConfig>,
    /// Which of them is told; `None` without receivers.
    pub route: Option<Route>,
    /// Whether anybody is told at all, and who is shown what nobody is told.
    pub alerting: AlertingConfig,
    /// What policies may do together, and where workloads are.
    pub scaling: ScalingConfig,
    /// Logs.
    pub log: LogSettings,
}

/// Which receiver is told. Both names are in [`Settings::receivers`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// The receiver of every alert.
    pub receiver: String,
    /// Told what the receiver did not take; another one.
    pub fallback: Option<String>,
    /// How long the receiver may leave a page untaken before the fallback is told.
    pub fallback_after: Span,
}

impl Route {
    /// `fallbackAfter` where it is not written.
    pub const FALLBACK_AFTER: Span = Span::from_mins(1);
}

impl Settings {
    /// What definitions are checked against.
    pub fn context(&self) -> Context {
        let actuators = self.scaling.actuators.iter().map(|actuator| actuator.name.clone()).collect();
        Context {
            step: self.step,
            sources: self.sources.iter().map(|source| source.name().to_owned()).collect(),
            actuators: Some(actuators),
        }
    }
}

/// Without what may hold a secret: receivers by name, since whoever knows a webhook's address can use it.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let receivers: Vec<&str> = self.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
        f.debug_struct("Settings")
            .field("sources", &self.sources)
            .field("external_labels", &self.external_labels)
            .field("external_url", &self.external_url)
            .field("definitions", &self.definitions)
            .field("store", &self.store)
            .field("backups", &self.backups)
            .field("listen", &self.listen)
            .field("step", &self.step)
            .field("heartbeat", &self.heartbeat.is_some())
            .field("receivers", &receivers)
            .field("route", &self.route)
            .field("alerting", &self.alerting)
            .field("scaling", &self.scaling)
            .field("log", &self.log)
            .finish()
    }
}
