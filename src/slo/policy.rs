//! What a checked scale policy says. Values of these types come only out of [`crate::slo::load`] and
//! hold no nonsense: bounds do not cross, no cooldown is zero, the steps up can all match.

use std::fmt;

use super::model::{Labels, Place, SloId};
use super::time::Span;
use super::unit::{BurnRate, Events, Finite};

/// When replicas of one workload are added and given back.
#[derive(Clone, PartialEq, Debug)]
pub struct ScalePolicy {
    /// `metadata.name`, one of its kind.
    pub name: String,
    /// `metadata.labels`, carried by notices.
    pub labels: Labels,
    /// `metadata.annotations`, carried by notices.
    pub annotations: Labels,
    /// Up by the worst of them, down only if all agree; at least one.
    pub slos: Vec<Watched>,
    /// What is scaled.
    pub target: Target,
    /// Whether it acts.
    pub mode: ScaleMode,
    /// Where it may move.
    pub replicas: Bounds,
    /// Steps up, the steepest first; at least one.
    pub up: Vec<UpStep>,
    /// How replicas are given back.
    pub down: DownStep,
    /// The windows that must agree.
    pub windows: Windows,
    /// Bad events the long window needs before anything is added.
    pub min_bad_events: Events,
    /// How long after all replicas are ready before the next judgement.
    pub settle: Span,
    /// Writes per hour at most.
    pub max_actions_per_hour: u32,
    /// How full the workload is; `None` where the policy says that nothing tells.
    pub saturation: Option<Saturation>,
    /// Any of them forbids adding.
    pub unless: Vec<Veto>,
    /// How long a count that somebody else set is left alone.
    pub respect_override: Span,
    /// Where it was written.
    pub place: Place,
}

/// An SLO that a policy guards, pooled over its groups unless one is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watched {
    /// The SLO.
    pub slo: SloId,
    /// The one group that counts.
    pub group: Option<Labels>,
}

/// What is scaled.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Target {
    /// A resource with a scale subresource.
    Kubernetes {
        /// `apps/v1`
        api_version: String,
        /// `Deployment`
        kind: String,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A workload behind an actuator of the settings, spoken to over HTTP.
    Webhook {
        /// Name of the actuator in the settings.
        actuator: String,
        /// The workload's name there.
        name: String,
    },
}

impl Target {
    /// The workload whatever it is called: Kubernetes serves one kind under several versions of its
    /// group. Two targets with the same are the same workload.
    pub fn workload(&self) -> [&str; 4] {
        match self {
            Self::Kubernetes { api_version, kind, namespace, name } => {
                let group = api_version.split_once('/').map_or("", |(group, _)| group);
                [group, kind, namespace, name]
            }
            Self::Webhook { actuator, name } => ["", "", actuator, name],
        }
    }

    /// Who answers for it: an actuator by its name; `None` is Kubernetes.
    pub fn actuator(&self) -> Option<&str> {
        match self {
            Self::Kubernetes { .. } => None,
            Self::Webhook { actuator, .. } => Some(actuator),
        }
    }
}

/// `apps/v1 Deployment shop/checkout`, or `checkout at local`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubernetes { api_version, kind, namespace, name } => {
                write!(f, "{api_version} {kind} {namespace}/{name}")
            }
            Self::Webhook { actuator, name } => write!(f, "{name} at {actuator}"),
        }
    }
}

/// Whether a policy acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ScaleMode {
    /// Decides and records, writes nothing.
    #[default]
    DryRun,
    /// Decides and acts.
    Auto,
}

/// Where Damper's own writes may lie: `1 ≤ min ≤ max`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    min: u32,
    max: u32,
}

impl Bounds {
    /// Replicas of one workload at most.
    pub const MOST: u32 = 10_000;

    /// `None` where they cross, reach zero or exceed [`Self::MOST`].
    pub fn new(min: u32, max: u32) -> Option<Self> {
        (min >= 1 && min <= max && max <= Self::MOST).then_some(Self { min, max })
    }

    /// The lowest count.
    pub fn min(self) -> u32 {
        self.min
    }

    /// The highest count.
    pub fn max(self) -> u32 {
        self.max
    }

    /// The nearest count inside.
    pub fn clamp(self, count: u32) -> u32 {
        count.clamp(self.min, self.max)
    }
}

/// Burn at or above the rate adds replicas.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct UpStep {
    /// The burn rate both windows must reach.
    pub burn_rate: BurnRate,
    /// Replicas added, at least 1.
    pub add: u32,
    /// Time until the next write, above zero.
    pub cooldown: Span,
}

/// Burn below the rate, for long enough, gives one replica back.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DownStep {
    /// The burn rate every window must stay under.
    pub burn_rate: BurnRate,
    /// For how long.
    pub calm: Span,
    /// Time until the next write, above zero.
    pub cooldown: Span,
}

/// The windows that must agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// The short one; multiples of the step.
    pub short: Span,
    /// The long one.
    pub long: Span,
}

/// How full the workload is, 1 being all it can do.
#[derive(Clone, PartialEq, Debug)]
pub struct Saturation {
    /// Any PromQL that gives one number.
    pub query: String,
    /// Nothing is added below it: load is not the cause.
    pub scale_above: Finite,
    /// One replica is given back only where the others would stay below it.
    pub shrink_below: Finite,
}

/// Forbids adding replicas while a query is above a value.
#[derive(Clone, PartialEq, Debug)]
pub struct Veto {
    /// Any PromQL that gives one number.
    pub query: String,
    /// The bound.
    pub above: Finite,
}
