//! What every part of a decision reads, and what comes of it.

use super::observed::{Observed, Workload};
use super::verdict::Reason;
use crate::slo::policy::ScalePolicy;
use crate::slo::time::{Span, Ts};

/// One policy at one moment, with its workload known.
pub(super) struct Look<'a> {
    pub now: Ts,
    pub observed: &'a Observed,
    pub workload: &'a Workload,
    pub policy: &'a ScalePolicy,
}

/// Where the lever should go, and what is against it.
pub(super) struct Wish {
    pub to: u32,
    pub cooldown: Span,
    pub reason: Reason,
    /// The gravest first; it is done where there is nothing.
    pub against: Vec<Reason>,
}
