//! Which actuator a target belongs to.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::kubernetes::Kubernetes;
use super::order::{Order, Released, Remark};
use super::webhook::Webhook;
use crate::engine::scale::Workload;
use crate::slo::policy::Target;
use crate::slo::time::Ts;

/// All actuators of the settings.
#[derive(Default)]
pub struct Actuators {
    /// The cluster, logged in to once a target is in it.
    pub kubernetes: Option<Kubernetes>,
    /// Webhooks by name.
    pub webhooks: BTreeMap<String, Webhook>,
}

impl Actuators {
    /// The workload as it is now.
    pub async fn look(&self, target: &Target, now: Ts) -> Result<Workload, Fault> {
        match target {
            Target::Kubernetes { .. } => self.kubernetes()?.look(target).await,
            Target::Webhook { actuator, name } => self.webhook(actuator)?.look(name, now).await,
        }
    }

    /// Moves the lever, if it stands where the order says.
    pub async fn write(&self, target: &Target, order: &Order, now: Ts) -> Result<(), Fault> {
        match target {
            Target::Kubernetes { .. } => self.kubernetes()?.write(target, order).await,
            Target::Webhook { actuator, name } => self.webhook(actuator)?.write(name, order, now).await,
        }
    }

    /// Puts a raised floor back to where it was, from what the object itself says.
    pub async fn release(&self, target: &Target) -> Result<Released, Fault> {
        match target {
            Target::Kubernetes { .. } => self.kubernetes()?.release(target).await,
            Target::Webhook { .. } => Ok(Released::Nothing),
        }
    }

    /// Tells on the workload itself, where there is a place for it.
    pub async fn tell(&self, target: &Target, remark: &Remark) -> Result<(), Fault> {
        match target {
            Target::Kubernetes { .. } => self.kubernetes()?.tell(target, remark).await,
            Target::Webhook { .. } => Ok(()),
        }
    }

    fn kubernetes(&self) -> Result<&Kubernetes, Fault> {
        let why = "no Kubernetes cluster is set up; write scaling.kubernetes in the settings, \
                   or run Damper inside the cluster";
        self.kubernetes.as_ref().ok_or_else(|| Fault::refused(why))
    }

    fn webhook(&self, name: &str) -> Result<&Webhook, Fault> {
        let why = || Fault::refused(format!("no actuator {name:?} is in scaling.actuators of the settings"));
        self.webhooks.get(name).ok_or_else(why)
    }
}
