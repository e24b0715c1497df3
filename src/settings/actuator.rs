//! Where workloads are: `scaling.kubernetes` and `scaling.actuators`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::notify::Problems;
use crate::notify::webhook::{WebhookConfig, WebhookSettings};

/// `kubernetes:`. By default the cluster that Damper runs in, else `$KUBECONFIG`, else `~/.kube/config`.
#[derive(Clone, PartialEq, Eq, Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct KubernetesSettings {
    /// The file with the clusters and logins.
    pub kubeconfig: Option<PathBuf>,
    /// Which of its contexts; by default its current one.
    pub context: Option<String>,
}

/// One entry of `actuators:`.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ActuatorSettings {
    /// What policies call it.
    pub name: String,
    webhook: WebhookSettings,
}

/// Checked.
#[derive(Clone, Debug)]
pub struct ActuatorConfig {
    /// What policies call it.
    pub name: String,
    /// Where and how it is spoken to.
    pub webhook: WebhookConfig,
}

impl ActuatorSettings {
    /// Checks every key; `None` when one is wrong, with the problems noted under `at`.
    pub fn check(self, at: &str, problems: &mut Problems) -> Option<ActuatorConfig> {
        let webhook = self.webhook.check(&format!("{at}.webhook"), problems)?;
        Some(ActuatorConfig { name: self.name, webhook })
    }
}
