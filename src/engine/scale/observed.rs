//! What a scaling decision looks at. What is not known is said so, never zero.

use super::fleet::{Brake, Room};
use crate::engine::window::Counts;
use crate::slo::time::Ts;
use crate::slo::unit::{Finite, Objective};

/// What is known about one policy at one moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Observed {
    /// One entry per SLO of the policy, in its order.
    pub burns: Vec<Burn>,
    /// The workload; `None` while its API does not answer.
    pub workload: Option<Workload>,
    /// How full it is; `None` where nothing was asked or answered.
    pub saturation: Option<Finite>,
    /// What each veto of the policy said; `None` where it was not answered.
    pub vetoes: Vec<Option<Finite>>,
    /// What holds all policies.
    pub brake: Option<Brake>,
    /// What all policies together may still add; `None` where that does not limit this one.
    pub room: Option<Room>,
    /// Why the policy cannot do what it says as things are now: its SLO is gone or another one than it
    /// was written for, or another policy moves the same workload.
    pub misfit: Option<String>,
}

/// How one SLO burns.
#[derive(Clone, PartialEq, Debug)]
pub struct Burn {
    /// `service/name`.
    pub slo: String,
    /// What its windows hold; `None` while nothing can be said of it.
    pub known: Option<Burning>,
    /// Why nothing can be said of it; empty where something can.
    pub why: String,
    /// A page of it fires.
    pub pages: bool,
}

/// The windows of an SLO whose slices are known.
#[derive(Clone, PartialEq, Debug)]
pub struct Burning {
    /// What a group's bad events are held against: one part, or one for each group that is pooled.
    pub parts: Vec<Part>,
    /// Budget left over the period, 1 = untouched, where known.
    pub budget_left: Option<Finite>,
    /// Why little burn is no sign of calm, if so: with fewer than half of the targets up that there
    /// lately were, those left may look well because the sick are silent; and series that never were
    /// say nothing of a workload that was given replicas for what it burned.
    pub uncalm: Option<&'static str>,
}

/// One group.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Part {
    /// Its objective.
    pub objective: Objective,
    /// The short window.
    pub short: Counts,
    /// The long window.
    pub long: Counts,
}

/// A workload as its API tells it.
#[derive(Clone, PartialEq, Debug)]
pub struct Workload {
    /// Replicas it is asked to have.
    pub wanted: u32,
    /// Replicas that serve.
    pub ready: u32,
    /// What Damper moves.
    pub lever: Lever,
    /// Why replicas that are asked for cannot be had: unschedulable, over quota.
    pub blocked: Option<String>,
    /// A new version is being rolled out.
    pub rolling: bool,
    /// When the newest version began to be rolled out, and which.
    pub version: Option<Version>,
    /// Who paused it: by what, where somebody did so on the objects themselves.
    pub paused: Option<String>,
    /// Who set the lever last, and when, where the API tells.
    pub writer: Option<Writer>,
    /// Replicas that must stay for a disruption budget.
    pub must_stay: u32,
}

/// What Damper moves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lever {
    /// The count itself.
    Count,
    /// The floor of an autoscaler that owns the count.
    Floor {
        /// Where it is.
        at: u32,
        /// The autoscaler's own maximum.
        most: u32,
        /// `HorizontalPodAutoscaler checkout`
        owner: String,
        /// Where it was before Damper raised it, as the autoscaler itself says; `None` where it stands
        /// where somebody else put it.
        original: Option<u32>,
    },
}

/// One version of a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// When it began to be rolled out.
    pub since: Ts,
    /// For people: `revision 12`.
    pub name: String,
}

/// Who set the lever last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Writer {
    /// Its field manager.
    pub name: String,
    /// What it is.
    pub kind: WriterKind,
    /// When.
    pub at: Ts,
}

/// What sets levers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriterKind {
    /// Damper.
    Damper,
    /// A controller that keeps things as written elsewhere, such as in Git.
    Controller,
    /// Anybody else: a person as far as we know.
    Person,
}

impl Workload {
    /// Where the lever stands.
    pub fn position(&self) -> u32 {
        match self.lever {
            Lever::Count => self.wanted,
            Lever::Floor { at, .. } => at,
        }
    }

    /// Where a floor that Damper raised was before, as the autoscaler itself says.
    pub(super) fn original(&self) -> Option<u32> {
        match self.lever {
            Lever::Count => None,
            Lever::Floor { original, at, .. } => original.filter(|original| *original <= at),
        }
    }

    /// The autoscaler whose floor is moved.
    pub fn owner(&self) -> Option<&str> {
        match &self.lever {
            Lever::Count => None,
            Lever::Floor { owner, .. } => Some(owner),
        }
    }

    /// The highest position its owner accepts.
    pub fn most(&self) -> u32 {
        match self.lever {
            Lever::Count => u32::MAX,
            Lever::Floor { most, .. } => most,
        }
    }

    /// Whether enough replicas serve: all of a few, and all but 5 % of many, of which one is nearly
    /// always away.
    pub(super) fn is_ready(&self) -> bool {
        self.wanted > 0 && u64::from(self.ready) * 100 >= u64::from(self.expected()) * 95
    }

    /// Replicas that are asked for, or will be as soon as the autoscaler sees its floor.
    pub fn expected(&self) -> u32 {
        self.wanted.max(self.position())
    }
}
