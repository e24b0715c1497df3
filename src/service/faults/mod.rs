//! What is remembered from tick to tick about queries that fail: which rest, which merged ones are
//! asked in parts, whose turn it is, and what people are told of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::asking::Asked;
use super::blind::Tally;
use super::parts::{Part, PartId, Parts};
use super::probes::Probes;
use super::single::{self, Single, slos_of};
use crate::engine::plan::{Plan, QueryGroup};
use crate::engine::sample::{Failure, FailureKind};
use crate::slo::time::{Span, Ts};

/// A query that is itself at fault rests this long, doubling up to [`REFUSED_MOST`].
const REST: Span = Span::from_mins(1);
/// Sources also refuse what is too much at the moment: nobody may be blind for long once it is over.
const REFUSED_MOST: Span = Span::from_mins(5);
/// One that is asked less often anyway rests as long as that, and this long at most.
const REST_MOST: Span = Span::from_mins(30);
/// A query that failed when it was asked for a gap as well leaves gaps to backfill for so long.
const NEWEST_ONLY_FOR: Span = Span::from_mins(10);

/// When a query is asked within a tick, where places are few.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Turn {
    /// It was not asked in so many ticks, for want of a place: the more, the sooner.
    First(Reverse<u32>),
    /// As ever.
    Usual,
    /// It had no answer in the last tick.
    Last,
}

/// Queries that failed. What is asked in the same way by a new plan is remembered.
#[derive(Default)]
pub(super) struct Faults {
    parts: Parts,
    /// Merged queries that failed in this tick as a source does that is in trouble, by source.
    suspects: BTreeMap<String, Vec<Suspect>>,
    /// How many queries may be halved where a source leaves most unanswered.
    probes: BTreeMap<String, Probes>,
    /// Queries at fault: until when they rest, and how long.
    resting: HashMap<PartId, (Ts, Span)>,
    /// Queries that had no answer when they were last asked.
    failing: BTreeMap<PartId, Failing>,
    /// Queries that were not asked, for want of a place: in how many ticks.
    passed_over: HashMap<PartId, u32>,
    /// Queries not asked for gaps, until when.
    newest_only: HashMap<PartId, Ts>,
}

/// A merged query that had no answer.
struct Suspect {
    id: PartId,
    /// It was asked for a gap as well.
    wide: bool,
}

struct Failing {
    source: String,
    /// What to tell people: whom it is for, and why it has no answer.
    what: String,
    why: String,
    /// The log says so.
    told: bool,
}

impl Faults {
    /// A group as it is to be asked.
    pub(super) fn parts(&self, group: &Arc<QueryGroup>, at: Ts) -> Vec<Part> {
        self.parts.of(group, at)
    }

    /// Whether a query is at fault, and not to be asked yet.
    pub(super) fn rests(&self, id: PartId, at: Ts) -> bool {
        self.resting.get(&id).is_some_and(|(until, _)| *until > at)
    }

    /// Whether a query is asked for the newest slices only.
    pub(super) fn newest_only(&self, id: PartId, at: Ts) -> bool {
        self.newest_only.iter().any(|(other, until)| *until > at && other.overlaps(&id))
    }

    /// When it is asked.
    pub(super) fn turn(&self, id: PartId) -> Turn {
        match (self.passed_over.get(&id), self.failing.contains_key(&id)) {
            (Some(ticks), _) => Turn::First(Reverse(*ticks)),
            (None, false) => Turn::Usual,
            (None, true) => Turn::Last,
        }
    }

    /// Why a query had no answer when it was last asked.
    pub(super) fn why(&self, id: PartId) -> Option<&str> {
        self.failing.get(&id).map(|failing| failing.why.as_str())
    }

    /// Forgets what was about queries that this plan does not ask.
    pub(super) fn keep(&mut self, plan: &Plan) {
        let merged = plan.groups.iter().map(|group| Part::whole(group).id);
        let asked: HashSet<u64> = merged.chain(single::ids(plan)).map(|id| id.whole()).collect();
        let is_asked = |id: &PartId| asked.contains(&id.whole());
        self.parts.keep(&asked);
        self.resting.retain(|id, _| is_asked(id));
        self.failing.retain(|id, _| is_asked(id));
        self.passed_over.retain(|id, _| is_asked(id));
        self.newest_only.retain(|id, _| is_asked(id));
    }

    /// Remembers what became of a question.
    pub(super) fn learn(&mut self, plan: &Plan, asked: &Asked) {
        for id in &asked.split {
            self.halve(*id, asked.at);
        }
        for (part, failure) in &asked.outcomes {
            self.parts.learn(part.id, failure.is_none(), asked.at);
            // What was remembered of a whole, or of its parts, is told better now.
            self.failing.retain(|id, _| *id == part.id || !id.overlaps(&part.id));
            match failure {
                None => self.is_well(part.id),
                Some(failure) => self.fails(plan, asked, part, failure),
            }
        }
        if let Some(single) = &asked.single {
            match &single.failure {
                None => self.is_well(single.id),
                Some(failure) => self.single_fails(asked, single, failure),
            }
        }
    }

    fn is_well(&mut self, id: PartId) {
        self.resting.remove(&id);
        self.passed_over.remove(&id);
        if let Some(Failing { source, what, .. }) = self.failing.remove(&id).filter(|failing| failing.told) {
            tracing::info!(source, what, "a query is answered again");
        }
    }

    fn fails(&mut self, plan: &Plan, asked: &Asked, part: &Part, failure: &Failure) {
        let (id, kind) = (part.id, failure.kind);
        if part.is_merged() && (kind.blames_source() || says_nothing(kind)) {
            let suspect = Suspect { id, wide: asked.wide };
            self.suspects.entry(asked.source.clone()).or_default().push(suspect);
        } else if !part.is_merged() && !kind.is_of_source() {
            self.rest(id, asked.at, REFUSED_MOST);
        }
        self.note(id, asked, &slos_of(plan, &part.group), failure);
    }

    /// A window is asked the less often the longer it is: one that is too much must not be asked
    /// more often because of that.
    fn single_fails(&mut self, asked: &Asked, single: &Single, failure: &Failure) {
        let (kind, pace) = (failure.kind, single.every.min(REST_MOST));
        match kind {
            // Nothing of it was carried out.
            FailureKind::Busy | FailureKind::BreakerOpen | FailureKind::Clock | FailureKind::Unreachable => {}
            _ if !kind.is_of_source() => self.rest(single.id, asked.at, pace.max(REFUSED_MOST)),
            _ => self.rest(single.id, asked.at, pace),
        }
        self.note(single.id, asked, &single.what, failure);
    }

    fn rest(&mut self, id: PartId, at: Ts, longest: Span) {
        let longer = |(_, rest): &(Ts, Span)| Span::from_secs_saturating(rest.secs() * 2);
        let rest = self.resting.get(&id).map_or(REST, longer).min(longest);
        self.resting.insert(id, (at.plus(rest), rest));
    }

    fn note(&mut self, id: PartId, asked: &Asked, whom: &str, failure: &Failure) {
        let (what, why) = (format!("{whom}: {}", failure.message), failure.message.clone());
        if failure.kind == FailureKind::Busy {
            *self.passed_over.entry(id).or_default() += 1;
        } else {
            self.passed_over.remove(&id);
        }
        let told = self.failing.get(&id).is_some_and(|failing| failing.told);
        self.failing.insert(id, Failing { source: asked.source.clone(), what, why, told });
    }

    /// At the end of a tick: a merged query that fails on a source which answers others is asked in
    /// halves from now on, so that the one at fault blinds nobody else. Where the source leaves most
    /// unanswered it may be overloaded, and more queries would make that worse: only a few are halved
    /// to find out.
    pub(super) fn conclude(&mut self, at: Ts, tally: &BTreeMap<String, Tally>) {
        // A source that has been well for a while is probed anew in its next bad time.
        let is_well = |source: &String| tally.get(source).is_some_and(Tally::mostly_answered);
        self.probes.retain(|source, probes| !(is_well(source) && probes.are_over(at)));
        for (source, suspects) in std::mem::take(&mut self.suspects) {
            let Some(tally) = tally.get(&source).filter(|tally| tally.reached()) else { continue };
            if tally.mostly_answered() {
                self.probes.remove(&source);
                suspects.iter().for_each(|suspect| self.probe(suspect, at));
                continue;
            }
            // Back in its parts a whole costs nothing that was not asked before.
            let (split, suspects): (Vec<_>, Vec<_>) =
                suspects.into_iter().partition(|suspect| self.parts.is_split(suspect.id));
            split.iter().for_each(|whole| self.halve(whole.id, at));
            let ids = suspects.iter().map(|suspect| suspect.id).collect();
            let chosen = self.probes.entry(source).or_default().choose(ids, tally.answered(), at);
            suspects.iter().filter(|s| chosen.contains(&s.id)).for_each(|suspect| self.probe(suspect, at));
        }
        self.newest_only.retain(|_, until| *until > at);
        let answers = |source: &str| tally.get(source).is_some_and(Tally::reached);
        for (id, failing) in &mut self.failing {
            if failing.told || self.passed_over.contains_key(id) || !answers(&failing.source) {
                continue;
            }
            failing.told = true;
            tracing::warn!(source = failing.source, what = failing.what, "a query has no answer");
        }
    }

    /// Asks less of a merged query that had no answer: first no gaps, then half of its members.
    fn probe(&mut self, suspect: &Suspect, at: Ts) {
        let Suspect { id, wide } = *suspect;
        if wide && !self.newest_only(id, at) {
            self.newest_only.insert(id, at.plus(NEWEST_ONLY_FOR));
        } else {
            self.halve(id, at);
        }
    }

    fn halve(&mut self, id: PartId, at: Ts) {
        self.parts.halve(id, at);
        // Its parts speak for themselves from now on.
        self.failing.remove(&id);
    }

    /// What fails by itself, on sources that answer, in words; `None` when all is well.
    pub(super) fn trouble(&self, tally: &BTreeMap<String, Tally>) -> Option<String> {
        let answers = |source: &str| tally.get(source).is_some_and(Tally::reached);
        let mut failing = self.failing.values().filter(|failing| answers(&failing.source));
        let first = &failing.next()?.what;
        Some(match failing.count() {
            0 => first.clone(),
            more => format!("{first} ({more} more queries fail)"),
        })
    }
}

/// An answer from which nothing can be concluded, though the source may answer others in whole.
fn says_nothing(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Partial | FailureKind::Garbage)
}

#[cfg(test)]
mod tests;
