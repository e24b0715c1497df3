//! `scaling:`: what all policies together may do, and where workloads are.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::check::Check;
use super::written::WrittenScaling;
use crate::cluster::{ActuatorConfig, ActuatorSettings, KubernetesSettings};
use crate::engine::scale::Limits;
use crate::notify::Problems;
use crate::slo::nearest;
use crate::slo::policy::ScaleMode;

const MAX_ACTUATORS: usize = 100;
const MOST_ADDED: u32 = 100_000;

/// What all policies together may do, and where workloads are.
#[derive(Clone)]
pub struct ScalingConfig {
    /// The most that a policy's own mode can do: `DryRun` makes every policy a dry run.
    pub mode: ScaleMode,
    /// What all policies together may add.
    pub limits: Limits,
    /// While this file exists, nothing is scaled.
    pub stop_file: Option<PathBuf>,
    /// Whether raised floors are put back when Damper ends.
    pub release_on_shutdown: bool,
    /// Which cluster.
    pub kubernetes: KubernetesSettings,
    /// Workloads outside of Kubernetes.
    pub actuators: Vec<ActuatorConfig>,
}

impl ScalingConfig {
    /// Without a word about it: policies decide for themselves whether they act.
    pub const MODE: ScaleMode = ScaleMode::Auto;
    /// A tenth of all policies, so that what ails all is not answered by adding everywhere, and as
    /// many replicas as a large service has.
    pub const LIMITS: Limits = Limits { policies_up: 10, added_per_hour: 50 };
}

impl Default for ScalingConfig {
    fn default() -> Self {
        Self {
            mode: Self::MODE,
            limits: Self::LIMITS,
            stop_file: None,
            release_on_shutdown: false,
            kubernetes: KubernetesSettings::default(),
            actuators: Vec::new(),
        }
    }
}

/// Actuators by name: whoever knows an address may be able to use it.
impl fmt::Debug for ScalingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let actuators: Vec<&str> = self.actuators.iter().map(|actuator| actuator.name.as_str()).collect();
        f.debug_struct("ScalingConfig")
            .field("mode", &self.mode)
            .field("limits", &self.limits)
            .field("stop_file", &self.stop_file)
            .field("release_on_shutdown", &self.release_on_shutdown)
            .field("kubernetes", &self.kubernetes)
            .field("actuators", &actuators)
            .finish()
    }
}

impl Check<'_> {
    /// All of `scaling:`.
    pub(super) fn scaling(&mut self, written: WrittenScaling) -> ScalingConfig {
        ScalingConfig {
            mode: self.scale_mode(written.mode),
            limits: Limits {
                policies_up: self.policies_up(written.max_policies_up),
                added_per_hour: self.added_per_hour(written.max_replicas_added_per_hour),
            },
            stop_file: self.stop_file(written.stop_file),
            release_on_shutdown: written.release_on_shutdown.unwrap_or(false),
            kubernetes: written.kubernetes,
            actuators: self.actuators(written.actuators),
        }
    }

    fn scale_mode(&mut self, text: Option<String>) -> ScaleMode {
        match text.as_deref() {
            None => ScalingConfig::MODE,
            Some("auto") => ScaleMode::Auto,
            Some("dryRun") => ScaleMode::DryRun,
            Some(word) => {
                let hint = nearest::hint(word, &["auto", "dryRun"]);
                self.add("scaling.mode", format!("`{word}` is not known; {hint}"));
                ScalingConfig::MODE
            }
        }
    }

    fn policies_up(&mut self, text: Option<String>) -> u32 {
        let default = ScalingConfig::LIMITS.policies_up;
        let Some(text) = text else { return default };
        let percent = text.trim().strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
        percent.filter(|percent| (1..=100).contains(percent)).unwrap_or_else(|| {
            self.add("scaling.maxPoliciesUp", "must be a share of all policies from \"1%\" to \"100%\"");
            default
        })
    }

    fn added_per_hour(&mut self, most: Option<u32>) -> u32 {
        let most = most.unwrap_or(ScalingConfig::LIMITS.added_per_hour);
        if !(1..=MOST_ADDED).contains(&most) {
            let what =
                format!("must be between 1 and {MOST_ADDED}; to add nothing write scaling.mode: dryRun");
            self.add("scaling.maxReplicasAddedPerHour", what);
        }
        most
    }

    fn stop_file(&mut self, text: Option<String>) -> Option<PathBuf> {
        let text = text?;
        if text.trim().is_empty() {
            self.add("scaling.stopFile", "is empty; write a path, or leave the key out");
        }
        Some(PathBuf::from(text))
    }

    fn actuators(&mut self, written: Vec<Option<ActuatorSettings>>) -> Vec<ActuatorConfig> {
        if written.len() > MAX_ACTUATORS {
            self.add("scaling.actuators", format!("holds more than {MAX_ACTUATORS} actuators"));
            return Vec::new();
        }
        let mut names = BTreeSet::new();
        let mut checked = Vec::new();
        for (i, actuator) in written.into_iter().enumerate() {
            let Some(actuator) = actuator else { continue };
            let at = format!("scaling.actuators[{i}]");
            let name = actuator.name.clone();
            if name.trim().is_empty() || name.chars().any(char::is_control) {
                self.add(format!("{at}.name"), "an actuator needs a name of visible characters");
            } else if !names.insert(name.clone()) {
                self.add(format!("{at}.name"), format!("`{name}` is taken by another actuator"));
            }
            let mut found = Problems::default();
            checked.extend(actuator.check(&at, &mut found));
            self.notify_problems(found.0);
        }
        checked
    }
}
