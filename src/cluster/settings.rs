//! Where workloads are: `scaling.kubernetes` and `scaling.actuators` in the settings.

use std::path::PathBuf;

use serde::Deserialize;

use crate::http::{Problems, WebhookConfig, WebhookSettings};

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
    /// Where and how it is spoken to; workloads lie below the address.
    pub webhook: WebhookConfig,
}

impl ActuatorSettings {
    /// Checks every key; `None` when one is wrong, with the problems noted under `at`.
    pub fn check(self, at: &str, problems: &mut Problems) -> Option<ActuatorConfig> {
        let webhook = self.webhook.check(&format!("{at}.webhook"), problems)?;
        if webhook.url.cannot_be_a_base() || webhook.url.query().is_some() || webhook.url.fragment().is_some()
        {
            let why = "names of workloads are added to its path, so it can have neither ? nor #";
            problems.add(format!("{at}.webhook.url"), why);
            return None;
        }
        Some(ActuatorConfig { name: self.name, webhook })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(yaml: &str) -> Result<ActuatorConfig, String> {
        let written: ActuatorSettings = serde_saphyr::from_str(yaml).map_err(|e| e.to_string())?;
        let mut problems = Problems::default();
        let config = written.check("scaling.actuators.shop", &mut problems);
        config.ok_or_else(|| problems.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn an_actuator_is_an_address_with_the_keys_of_a_webhook() {
        let config =
            check("{name: shop, webhook: {url: 'https://host/scale/', timeout: 3s, hmacSecretFile: /s}}");
        let config = config.unwrap();
        assert_eq!((config.name.as_str(), config.webhook.http.timeout.as_secs()), ("shop", 3));
    }

    #[test]
    fn an_address_that_no_name_can_be_added_to_is_refused() {
        let problem = check("{name: shop, webhook: {url: 'http://host/scale?token=x'}}").unwrap_err();
        assert!(problem.starts_with("scaling.actuators.shop.webhook.url: names of workloads"), "{problem}");
        assert!(check("{name: shop}").unwrap_err().contains("webhook"));
    }
}
