//! The settings as a person writes them, before any check of their meaning.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::cluster::{ActuatorSettings, KubernetesSettings};
use crate::notify::ReceiverSettings;
use crate::notify::heartbeat::HeartbeatSettings;
use crate::prometheus::SourceSettings;

/// The whole file. Items of lists are `None` where they could not be read, so that the others keep their number.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Written {
    pub(super) sources: Option<Vec<Option<SourceSettings>>>,
    pub(super) prometheus: Option<SourceSettings>,
    pub(super) external_labels: BTreeMap<String, String>,
    pub(super) external_url: Option<String>,
    pub(super) definitions: Vec<Option<String>>,
    pub(super) store: Option<String>,
    pub(super) backups: Option<WrittenBackups>,
    pub(super) listen: Option<String>,
    pub(super) step: Option<String>,
    pub(super) heartbeat: Option<HeartbeatSettings>,
    pub(super) receivers: Vec<Option<ReceiverSettings>>,
    pub(super) route: Option<WrittenRoute>,
    pub(super) alerting: WrittenAlerting,
    pub(super) scaling: WrittenScaling,
    pub(super) log: WrittenLog,
}

/// `backups:`
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct WrittenBackups {
    pub(super) folder: Option<String>,
    pub(super) every: Option<String>,
    pub(super) keep: Option<u32>,
}

/// `route:`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenRoute {
    pub(super) receiver: String,
    pub(super) fallback: Option<String>,
    pub(super) fallback_after: Option<String>,
}

/// `alerting:`
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct WrittenAlerting {
    pub(super) mode: Option<String>,
    pub(super) shadow_receiver: Option<String>,
}

/// `scaling:`
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct WrittenScaling {
    pub(super) mode: Option<String>,
    pub(super) max_policies_up: Option<String>,
    pub(super) max_replicas_added_per_hour: Option<u32>,
    pub(super) stop_file: Option<String>,
    pub(super) release_on_shutdown: Option<bool>,
    pub(super) kubernetes: KubernetesSettings,
    pub(super) actuators: Vec<Option<ActuatorSettings>>,
}

/// `log:`
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct WrittenLog {
    pub(super) format: Option<String>,
    pub(super) level: Option<String>,
}
