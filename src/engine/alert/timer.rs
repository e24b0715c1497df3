//! The timer of one rule: how long it has held, and whether it fires.

use serde::{Deserialize, Serialize};

use crate::engine::condition::Verdict;
use crate::slo::time::{Span, Ts};

/// One rule that holds, or held until lately.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timer {
    /// When it began to hold.
    pub since: Ts,
    /// Time since then in which nothing could be said; it does not count towards `for`.
    pub frozen: Span,
    /// When it last held, pushed on by time in which nothing could be said.
    pub held: Ts,
    /// `for` is over.
    pub firing: bool,
}

/// What a rule says now.
#[derive(Clone, Copy, Debug)]
pub struct RuleInput<'a> {
    /// Its name.
    pub name: &'a str,
    /// How long it must hold.
    pub hold_for: Span,
    /// How long it stays after it last held.
    pub keep_firing_for: Span,
    /// May it begin?
    pub begins: Verdict,
    /// Does it go on?
    pub goes_on: Verdict,
}

/// The moment a rule is judged at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// When.
    pub at: Ts,
    /// How much of the time before it the verdict speaks for.
    pub seen: Span,
    /// How much of the time since the moment before nobody looked at.
    pub unseen: Span,
}

impl Timer {
    /// Moves the timer of a rule to a moment; `None` when the rule is inactive then.
    pub(super) fn advance(timer: Option<Self>, rule: &RuleInput<'_>, moment: Moment) -> Option<Self> {
        match timer.map(|timer| timer.passed_over(moment.unseen, moment.at)) {
            None => begin(rule, moment.at),
            Some(timer) if timer.firing => go_on(timer, rule, moment),
            Some(timer) => wait(timer, rule, moment),
        }
    }

    /// Two that fire, as one.
    pub(super) fn joined(self, other: Self) -> Self {
        Self {
            since: self.since.min(other.since),
            frozen: self.frozen.max(other.frozen),
            held: self.held.max(other.held),
            firing: self.firing || other.firing,
        }
    }

    /// Time about which nothing can be said counts neither for nor against. A clock that leapt
    /// ahead and came back leaves nothing in the future.
    fn passed_over(self, time: Span, at: Ts) -> Self {
        let since = self.since.min(at);
        let frozen = Span::from_secs_saturating(self.frozen.secs() + time.secs());
        Self { since, frozen: frozen.min(at.since(since)), held: self.held.plus(time).min(at), ..self }
    }
}

fn begin(rule: &RuleInput<'_>, at: Ts) -> Option<Timer> {
    (rule.begins == Verdict::Holds).then_some(Timer {
        since: at,
        frozen: Span::ZERO,
        held: at,
        firing: rule.hold_for.is_zero(),
    })
}

fn wait(timer: Timer, rule: &RuleInput<'_>, Moment { at, seen, .. }: Moment) -> Option<Timer> {
    match rule.begins {
        Verdict::Clear => None,
        Verdict::Unknown => Some(timer.passed_over(seen, at)),
        Verdict::Holds => {
            let held_for = at.since(timer.since).secs() - timer.frozen.secs();
            Some(Timer { held: at, firing: held_for >= rule.hold_for.secs(), ..timer })
        }
    }
}

fn go_on(timer: Timer, rule: &RuleInput<'_>, Moment { at, seen, .. }: Moment) -> Option<Timer> {
    match rule.goes_on {
        Verdict::Holds => Some(Timer { held: at, ..timer }),
        Verdict::Unknown => Some(timer.passed_over(seen, at)),
        Verdict::Clear if rule.keep_firing_for.is_zero() => None,
        Verdict::Clear => (at.since(timer.held) < rule.keep_firing_for).then_some(timer),
    }
}
