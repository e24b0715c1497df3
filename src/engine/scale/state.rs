//! What is remembered of a policy between decisions; kept in the store, so that cooldowns and holds
//! outlive a restart and a change of leader.

use serde::{Deserialize, Serialize};

use super::verdict::Reason;
use crate::slo::policy::Bounds;
use crate::slo::time::{Span, Ts};

/// What is remembered of a policy. A new policy begins with the default.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// Where the lever stood before Damper moved it, or where somebody else brought it since; as it
    /// was, inside the bounds or not. See [`State::goes_back_to`].
    pub base: Option<u32>,
    /// The autoscaler whose floor is moved, if any.
    pub owner: Option<String>,
    /// Where the lever was seen, or brought by Damper, last.
    pub seen: Option<u32>,
    /// The last write that was made, while nobody else wrote since.
    pub last: Option<Intent>,
    /// A write that was decided and not seen yet.
    pub intent: Option<Intent>,
    /// No write before; counts also where the write never came.
    pub cooldown_until: Option<Ts>,
    /// Why replicas were added last.
    pub added_for: Option<Reason>,
    /// Why a write was refused that is still wanted.
    pub refused: Option<String>,
    /// When writes were decided, the newest last; of the last hour.
    pub writes: Vec<Ts>,
    /// Writes that a dry run decided; forgotten once the policy acts.
    pub rehearsed: Rehearsed,
    /// Since when every window of every SLO stays below the rate for giving back.
    pub calm_since: Option<Ts>,
    /// Since when the windows ask for more.
    pub burning_since: Option<Ts>,
    /// Since when enough replicas are ready.
    pub ready_since: Option<Ts>,
    /// Since when too few are.
    pub unready_since: Option<Ts>,
    /// Steps up whose effect is not judged yet.
    pub trial: Option<Trial>,
    /// Steps that did not help, and are given back.
    pub useless: Option<Useless>,
    /// A count that somebody else set.
    pub overridden: Option<Overridden>,
    /// When somebody put a write of Damper back to where it was.
    pub reverts: Vec<Ts>,
    /// Somebody else keeps writing the same lever.
    pub fight: Option<Overridden>,
    /// Paused by command.
    pub paused: bool,
    /// A version that is trusted although burn began with it, by when it began.
    pub trusted: Option<Ts>,
}

/// A write that was decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// When.
    pub at: Ts,
    /// Where the lever stood.
    pub from: u32,
    /// Where it is brought.
    pub to: u32,
    /// After it the write is void.
    pub until: Ts,
}

/// What a dry run would have written.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rehearsed {
    /// It would not write before.
    pub cooldown_until: Option<Ts>,
    /// When it would have written, the newest last; of the last hour.
    pub writes: Vec<Ts>,
}

/// Steps up whose effect is not judged yet.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trial {
    /// The SLO that asked for the first of them, `service/name`: they are judged by it alone.
    pub slo: String,
    /// Its burn rate in the short window before the first of them.
    pub before: f64,
    /// Its good events per second in the short window before the first of them.
    pub good: f64,
    /// Replicas that served before the first of them.
    pub ready: u32,
    /// Where the lever stood before the first of them.
    pub from: u32,
    /// How many.
    pub steps: u32,
    /// When the last of them was.
    pub at: Ts,
}

/// Steps that did not help.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Useless {
    /// How many in a row.
    pub steps: u32,
    /// Where the lever stood before the first of them.
    pub from: u32,
    /// Burn rate of the short window before the first of them, and when they were judged.
    pub before: f64,
    /// The same afterwards.
    pub after: f64,
    /// Nothing is added until then; `None` while one more may be tried.
    pub hold_until: Option<Ts>,
    /// How long that hold is; the next is twice as long.
    pub hold: Span,
}

/// A count that somebody else set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overridden {
    /// By whom, where the API tells.
    pub by: Option<String>,
    /// Where the lever was brought.
    pub to: u32,
    /// It is left alone until then.
    pub until: Ts,
}

impl State {
    /// Whether nothing is added because it did not help.
    pub fn is_useless(&self, now: Ts) -> bool {
        self.useless.and_then(|useless| useless.hold_until).is_some_and(|until| now < until)
    }

    /// Where what was added is given back to. The bounds are for what Damper adds; a floor is the
    /// autoscaler's own, and to put it back is not to scale.
    pub fn goes_back_to(&self, bounds: Bounds) -> Option<u32> {
        let base = self.base?;
        Some(if self.owner.is_some() { base } else { base.max(bounds.min()) })
    }

    /// Whether replicas were added that are not given back yet.
    pub fn is_raised(&self, bounds: Bounds) -> bool {
        self.seen.zip(self.goes_back_to(bounds)).is_some_and(|(at, base)| at > base)
    }

    /// Writes of the last hour, made and rehearsed, the newest last.
    pub(super) fn all_writes(&self) -> Vec<Ts> {
        let mut all = self.writes.clone();
        all.extend(&self.rehearsed.writes);
        all.sort_unstable();
        all
    }

    /// Where Damper brought the lever to above where it was, as far as it was seen.
    pub fn raised(&self) -> Option<u32> {
        let to = self.last?.to;
        (self.seen == Some(to) && self.base.is_some_and(|base| to > base)).then_some(to)
    }

    /// Whether a cooldown lasts.
    pub fn is_cooling(&self, now: Ts) -> bool {
        self.cooldown_until.is_some_and(|until| now < until.plus(SKEW))
    }

    /// What is still to be known of a lever that was let go: when it was written, and what people said.
    pub fn let_go(&self) -> Self {
        Self {
            cooldown_until: self.cooldown_until,
            writes: self.writes.clone(),
            paused: self.paused,
            overridden: self.overridden.clone(),
            ..Self::default()
        }
    }

    /// Forgets writes, reverts and trials that count no more. What is so since a time to come was seen by
    /// a clock that was ahead, and is so since now at the latest: nothing waits for that time.
    pub(super) fn forget(&mut self, now: Ts) {
        let Self { calm_since, burning_since, ready_since, unready_since, .. } = self;
        for since in [calm_since, burning_since, ready_since, unready_since] {
            *since = since.map(|since| since.min(now));
        }
        self.writes.retain(|at| now.since(*at) < Span::from_hours(1));
        self.rehearsed.writes.retain(|at| now.since(*at) < Span::from_hours(1));
        self.trial = self.trial.take().filter(|trial| now.since(trial.at) < JUDGED_WITHIN);
        self.reverts.retain(|at| now.since(*at) < REVERTS_WITHIN);
    }
}

/// How far the clocks of two leaders may be apart.
pub(super) const SKEW: Span = Span::from_secs(10);
/// Steps that could not be judged for so long never are: what burns then has other causes.
const JUDGED_WITHIN: Span = Span::from_hours(1);
/// Two reverts within this time are a fight.
pub(super) const REVERTS_WITHIN: Span = Span::from_mins(10);
