//! What was seen at one moment besides the slices.

use std::collections::BTreeMap;

use super::targets::Targets;
use crate::engine::plan::{AliveIx, AliveReading, DirectIx, DirectReading, Planned};
use crate::slo::model::AbsentMeans;
use crate::slo::time::{Span, Ts};

/// Workloads are looked at after each tick; one that was not seen for longer may have been woken.
const ASLEEP_FOR: Span = Span::from_mins(2);

/// What was seen at one moment besides the slices.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Targets; missing where nothing has been asked.
    pub alive: BTreeMap<AliveIx, Targets>,
    /// The newest direct answers by window.
    pub direct: BTreeMap<DirectIx, DirectSeen>,
    /// SLOs by id whose workloads were seen at zero replicas, and when.
    pub asleep: BTreeMap<String, Ts>,
    /// Sources that do not answer.
    pub blind: BTreeMap<String, bool>,
    /// SLOs by id that could not be judged in the newest tick.
    pub unanswered: BTreeMap<String, Unanswered>,
}

/// Why an SLO, or a rule of it, cannot be judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unanswered {
    /// Until when it was judged.
    pub since: Ts,
    /// What its query came to, in words.
    pub why: String,
}

/// One direct answer.
#[derive(Clone, PartialEq, Debug)]
pub struct DirectSeen {
    /// When it was asked for.
    pub at: Ts,
    /// Until when it is fresh.
    pub fresh_until: Ts,
    /// What it said.
    pub reading: DirectReading,
}

impl DirectSeen {
    /// What it says of a moment: nothing of one before it was asked for, or after it is fresh.
    pub fn reading_at(&self, at: Ts) -> Option<&DirectReading> {
        (self.at <= at && at <= self.fresh_until).then_some(&self.reading)
    }
}

impl Observed {
    /// Notes what an alive selector said at a moment; `None` where its query failed.
    pub fn saw(&mut self, ix: AliveIx, at: Ts, reading: Option<AliveReading>) {
        self.alive.entry(ix).or_default().note(at, reading);
    }

    /// A window of an SLO's rules that was asked directly and of which nothing is known at `at`.
    pub fn stale_window(&self, planned: &Planned, at: Ts) -> Option<(Span, DirectIx)> {
        let reading = |ix: &DirectIx| self.direct.get(ix)?.reading_at(at);
        let is_stale = |ix: &DirectIx| matches!(reading(ix), None | Some(DirectReading::Unknown));
        planned.direct.iter().find(|(_, ix)| is_stale(ix)).copied()
    }

    /// What it means for an SLO that it has no series. At zero replicas none are to be expected.
    pub fn absence_of(&self, planned: &Planned, at: Ts) -> AbsentMeans {
        let seen = self.asleep.get(&planned.id);
        let is_asleep = seen.is_some_and(|seen| at.since(*seen) <= ASLEEP_FOR);
        match planned.slo.absent.means {
            AbsentMeans::Unknown if is_asleep => AbsentMeans::Idle,
            means => means,
        }
    }

    /// Whether a source does not answer.
    pub fn is_blind(&self, source: &str) -> bool {
        self.blind.get(source).copied().unwrap_or(false)
    }
}
