//! Rulings on newborn series, target by target.
//!
//! | what is known of the target | ruling |
//! | --- | --- |
//! | its process began inside the gap | whole: everything in it is since then |
//! | the same, but before all that left, and it was up there | whole, less what series that left held, if that is no more than what is newborn: its own short life, moved by a relabel. What held more was another's |
//! | it was up before the slot | whole, less what series of the same target that left held: a relabel moves a life, it does not make one |
//! | neither | withheld |
//!
//! A series that fell is a reset unless its process is known to run on, and one that returns to where
//! it was before it fell has not grown unless its process began in the gap. One that was seen within a
//! day is not new: its growth is spread over the time it was away.

use std::collections::BTreeMap;

use super::table::Key;
use crate::engine::fact::Trust;
use crate::engine::plan::QueryGroup;
use crate::engine::plan::form::PART;
use crate::engine::sample::{Frame, Reading};
use crate::slo::time::Ts;
use crate::slo::unit::Events;

/// `job`, `instance`.
type Target = (String, String);

/// What an investigation of one slot brought.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    births: BTreeMap<Key, BTreeMap<Target, Born>>,
    /// Held by series that left, per member and target.
    gone: BTreeMap<(usize, Target), Events>,
    up: BTreeMap<Target, bool>,
    start: BTreeMap<Target, Ts>,
    /// Whether it was asked about series that came back.
    complete: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Born {
    new: Events,
    /// Of `new`, held by series that are not new.
    known: Events,
    fell: Events,
    rose: Events,
    /// Growth of those that are not new.
    back: Option<Events>,
    seen: Option<Ts>,
}

impl Born {
    /// All that is not a difference between two samples.
    fn all(&self) -> Events {
        self.new.plus(self.fell).plus(self.rose)
    }

    fn fresh(&self) -> Events {
        self.new.minus(self.known)
    }
}

/// What becomes of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    /// Not booked in this slot, growth of returning series included.
    pub withheld: Events,
    /// Growth of returning series, to be spread over the time they were away.
    pub returning: Events,
    /// When they were last seen.
    pub seen: Option<Ts>,
    /// How far the rest can be trusted.
    pub trust: Trust,
}

impl Evidence {
    pub(super) fn read(group: &QueryGroup, frames: &[Frame]) -> Self {
        let mut new = Self::default();
        new.take(group, frames);
        new
    }

    /// Whether series of a group came back and nothing is known of their growth.
    pub(super) fn lacks_returning(&self, key: &Key) -> bool {
        let targets = self.births.get(key).into_iter().flatten();
        !self.complete && targets.into_iter().any(|(_, born)| born.known > Events::ZERO)
    }

    /// Adds what was learned about series that came back; nothing, where the question failed.
    pub(super) fn complete(&mut self, group: &QueryGroup, frames: Option<&[Frame]>) {
        self.complete = true;
        self.take(group, frames.unwrap_or_default());
    }

    fn take(&mut self, group: &QueryGroup, frames: &[Frame]) {
        for frame in frames {
            let Some((_, Reading::Value(value))) = frame.points.last() else { continue };
            self.note(group, frame, value.get());
        }
    }

    fn note(&mut self, group: &QueryGroup, frame: &Frame, value: f64) {
        let label = |name: &str| frame.labels.get(name).cloned().unwrap_or_default();
        let target = (label("job"), label("instance"));
        let Some(part) = frame.labels.get(PART).map(String::as_str) else { return };
        let events = Events::from_f64(value).unwrap_or(Events::from_thousandths(i64::MAX));
        match part {
            "up" => {
                self.up.insert(target, value > 0.0);
            }
            "start" => {
                self.start.insert(target, seconds(value));
            }
            _ => {
                let Some(key) = group.place(&frame.labels) else { return };
                if part == "gone" {
                    self.gone.insert((key.0, target), events);
                    return;
                }
                let born = self.births.entry(key).or_default().entry(target).or_default();
                match part {
                    "new" => born.new = events,
                    "known" => born.known = events,
                    "fell" => born.fell = events,
                    "rose" => born.rose = events,
                    "back" => born.back = Some(events),
                    "seen" => born.seen = Some(seconds(value)),
                    _ => {}
                }
            }
        }
    }

    /// Rules on one group. `gap` is when a process must have begun to explain a birth, `lately` the
    /// earliest moment at which series that left may have been seen last: of what was there before it
    /// began a process holds nothing. `newborn` is what is to be explained: where several servers answer at
    /// one address, the evidence may be of another one, and what it does not know of is not proved.
    pub(super) fn rule(&self, key: &Key, gap: (Ts, Ts), lately: Ts, newborn: Events) -> Verdict {
        let mut verdict =
            Verdict { withheld: Events::ZERO, returning: Events::ZERO, seen: None, trust: Trust::Counted };
        let listed = self.births.get(key).into_iter().flatten();
        let listed = listed.fold(Events::ZERO, |sum, (_, born)| sum.plus(born.all()));
        let mut unproved = newborn.minus(listed).clamped();
        for (target, born) in self.births.get(key).into_iter().flatten() {
            let began = self.start.get(target).map(|at| gap.0 < *at && *at <= gap.1);
            let up = self.up.get(target).copied().unwrap_or(false);
            let ran_before = self.start.get(target).is_some_and(|at| *at <= lately);
            let is_whole = began == Some(true) && !(up && ran_before && self.is_its_own(key.0, target));
            match (is_whole, up) {
                (true, _) => {}
                (_, true) => {
                    verdict.withheld = verdict.withheld.plus(self.moved(key.0, target, born.fresh()));
                }
                _ => unproved = unproved.plus(born.fresh()),
            }
            if began == Some(false) {
                unproved = unproved.plus(born.fell);
            }
            if began != Some(true) {
                unproved = unproved.plus(born.rose);
            }
            match born.back {
                Some(back) => {
                    verdict.withheld = verdict.withheld.plus(born.known);
                    verdict.returning = verdict.returning.plus(back);
                    verdict.seen = [verdict.seen, born.seen].into_iter().flatten().min();
                }
                None => unproved = unproved.plus(born.known),
            }
        }
        verdict.withheld = verdict.withheld.plus(unproved);
        if unproved > Events::ZERO {
            verdict.trust = Trust::Partial;
        } else if verdict.returning > Events::ZERO {
            verdict.trust = Trust::Estimated;
        }
        verdict
    }

    /// What of a group's newborn value at a target was held before by series that left it. Shared
    /// between the groups by their newborn values, because a relabel may move a life between them.
    fn moved(&self, member: usize, target: &Target, fresh: Events) -> Events {
        let (held, all) = (self.held(member, target), self.all_fresh(member, target));
        if all == Events::ZERO {
            return Events::ZERO;
        }
        fresh.scaled(held.clamped().min(all).thousandths(), all.thousandths())
    }

    /// Whether what left a target may have been the same process: a life only grows.
    fn is_its_own(&self, member: usize, target: &Target) -> bool {
        self.held(member, target) <= self.all_fresh(member, target)
    }

    /// Held by what left a target.
    fn held(&self, member: usize, target: &Target) -> Events {
        self.gone.get(&(member, target.clone())).copied().unwrap_or_default()
    }

    /// Newborn at a target, in all groups.
    fn all_fresh(&self, member: usize, target: &Target) -> Events {
        let of_target = |(key, targets): (&Key, &BTreeMap<Target, Born>)| match key.0 == member {
            true => targets.get(target).map(Born::fresh),
            false => None,
        };
        self.births.iter().filter_map(of_target).fold(Events::ZERO, Events::plus)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a saturating cast of seconds since the epoch")]
fn seconds(value: f64) -> Ts {
    Ts(value.floor() as i64)
}
