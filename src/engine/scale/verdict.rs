//! A decision and its reasons, as data; [`super::words`] says them to people.

use serde::{Deserialize, Serialize};

use crate::slo::time::Ts;

/// What was decided, and why.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// When.
    pub at: Ts,
    /// What becomes of the lever.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What else would have decided the same or otherwise, the gravest first.
    #[serde(default)]
    pub others: Vec<Reason>,
    /// Replicas that it adds. A floor is raised by more: it may begin far below what runs.
    #[serde(default)]
    pub adds: u32,
}

impl Decision {
    /// What would have decided without its reason, where something would.
    pub fn runner_up(&self) -> Option<&Reason> {
        self.others.first()
    }

    /// All that counted, the gravest first.
    pub fn reasons(&self) -> impl Iterator<Item = &Reason> {
        std::iter::once(&self.reason).chain(&self.others)
    }
}

/// What becomes of the lever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It stays.
    Hold,
    /// It moves.
    Scale {
        /// Where it stands.
        from: u32,
        /// Where it goes.
        to: u32,
    },
}

/// Why. The order is the order in which they count.
#[expect(missing_docs, reason = "a variant's line says what its fields are")]
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "code")]
pub enum Reason {
    /// Somebody stopped all scaling.
    Stopped { by: String },
    /// So many policies would add at once that their cause is common.
    CommonCause { adding: u32, most: u32 },
    /// All policies together added as many replicas as they may in an hour.
    FleetLimit { added: u32, most: u32 },
    /// Paused, by command or on the object itself.
    Paused { by: String },
    /// It does not fit its SLOs any more, or is not the only one that moves this workload.
    Misfit { why: String },
    /// The workload's API does not answer.
    WorkloadUnknown,
    /// The workload is at zero; that is somebody else's decision.
    AtZero,
    /// A write is under way.
    InFlight { to: u32, until: Ts },
    /// Somebody else set the count.
    Overridden { by: Option<String>, to: u32, until: Ts },
    /// Somebody else keeps putting it back.
    Fight { by: Option<String>, to: u32, until: Ts, owner: Option<String> },
    /// Nothing can be said about an SLO.
    BurnUnknown { slo: String, why: String },
    /// Replicas that were asked for cannot be had.
    Blocked { why: String },
    /// Replicas are not ready yet.
    Starting { ready: u32, wanted: u32 },
    /// The last write is too young.
    Cooldown { until: Ts },
    /// The last write was refused, too short a time ago to try again.
    Refused { why: String, until: Ts },
    /// All replicas are ready, too short to see what it did.
    Settling { until: Ts },
    /// As many writes as an hour may have.
    RateLimit { writes: u32, until: Ts },
    /// Above the bounds: nothing is added.
    AboveMax { at: u32, max: u32 },
    /// A new version is being rolled out.
    Rolling,

    /// Burn asks for more.
    Burning { slo: String, short: f64, long: f64, rate: f64, add: u32 },
    /// It does, with fewer bad events than needed.
    TooFew { slo: String, bad: f64, needed: f64 },
    /// It does, and adding did not help.
    Useless { before: f64, after: f64, until: Ts },
    /// It does, and nothing is known of the saturation.
    SaturationUnknown,
    /// It does, and the workload is not full.
    NotLoad { saturation: f64, above: f64, version: Option<String> },
    /// It does, and a query forbids it.
    Vetoed { query: String, value: f64, above: f64 },
    /// It does, and a query that could forbid it is not answered.
    VetoUnknown { query: String },
    /// It does, since shortly after a new version.
    SuspectVersion { version: String, since: Ts, burning: Ts },
    /// It does, and there is no room.
    AtMax { at: u32, max: u32, owner: Option<String> },

    /// Steps that did not help are given back.
    GiveBackUseless { at: u32, base: u32 },
    /// It has been calm for long enough: one is given back.
    Calm { since: Ts, base: u32 },
    /// It is calm, not for long enough.
    Calming { until: Ts },
    /// It is calm, and a page fires.
    PageFires { slo: String },
    /// It is calm, and the others could not carry the load.
    WouldFill { saturation: f64, would_be: f64, below: f64 },
    /// It is calm, and a disruption budget needs them.
    MustStay { at: u32, least: u32 },
    /// Neither burn asks for more, nor is there anything to give back.
    AtRest { at: u32, base: u32 },
    /// It burns, not enough to add and too much to give back.
    Between { slo: String, short: f64, long: f64 },
}
