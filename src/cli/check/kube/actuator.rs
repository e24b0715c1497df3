//! A target behind an actuator: does its service know the workload, and how many replicas does it tell.

use super::Workload;
use crate::cli::check::place::Findings;
use crate::cluster::ActuatorConfig;
use crate::cluster::webhook::Webhook;
use crate::service::clock;

/// Asks the service of the settings; without settings nobody knows where it is.
pub(super) async fn check(
    actuators: Option<&[ActuatorConfig]>,
    actuator: &str,
    name: &str,
    findings: &mut Findings,
) -> Option<Workload> {
    let Some(actuators) = actuators else {
        let what = format!("the actuator {actuator} was not asked: only the settings say where it is");
        findings.notice(&["target", "actuator"], what, Some("name them with --config".to_owned()));
        return None;
    };
    // One that the settings do not have was told when the files were read.
    let config = actuators.iter().find(|config| config.name == actuator)?;
    let webhook = match Webhook::new(&format!("scaling.actuators.{actuator}"), config) {
        Ok(webhook) => webhook,
        Err(problem) => {
            findings.error(&["target", "actuator"], problem.to_string(), None);
            return None;
        }
    };
    match webhook.look(name, clock::now()).await {
        Ok(seen) => Some(Workload::from(&seen)),
        Err(fault) => {
            let hint = "docs/webhook-actuator.md says what it must answer".to_owned();
            findings.error(&["target", "name"], fault.to_string(), Some(hint));
            None
        }
    }
}
