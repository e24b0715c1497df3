//! What is remembered from tick to tick about queries that fail: which rest, which merged ones are
//! asked in parts, whose turn it is, and what people are told of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::asking::Asked;
use super::blind::Tally;
use super::parts::{Part, PartId, Parts};
use crate::engine::fact::SeriesIx;
use crate::engine::plan::{Plan, QueryGroup};
use crate::engine::sample::{Failure, FailureKind};
use crate::slo::time::{Span, Ts};

/// A query that is itself at fault rests this long, doubling up to [`REST_MOST`].
const REST: Span = Span::from_mins(1);
const REST_MOST: Span = Span::from_mins(30);
/// A query that failed when it was asked for a gap as well leaves gaps to backfill for so long.
const NEWEST_ONLY_FOR: Span = Span::from_mins(10);
/// A source that leaves most unanswered may be overloaded: so many of its merged queries are halved
/// in one tick, and so many queries are added in all.
const PROBES: usize = 4;
const PROBES_IN_ALL: usize = 32;

/// When a query is asked within a tick, where places are few.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Turn {
    /// It was not asked in the last tick, for want of a place.
    First,
    /// As ever.
    Usual,
    /// It had no answer in the last tick.
    Last,
}

/// Queries that failed, of one plan.
#[derive(Default)]
pub(super) struct Faults {
    parts: Parts,
    /// Merged queries that failed in this tick as a source does that is in trouble, by source.
    suspects: BTreeMap<String, Vec<Suspect>>,
    /// Queries at fault: until when they rest, and how long.
    resting: HashMap<PartId, (Ts, Span)>,
    /// Queries that had no answer when they were last asked.
    failing: BTreeMap<PartId, Failing>,
    /// Queries that were not asked in the last tick, for want of a place.
    passed_over: HashSet<PartId>,
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
    /// What to tell people.
    what: String,
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
        match (self.passed_over.contains(&id), self.failing.contains_key(&id)) {
            (true, _) => Turn::First,
            (false, false) => Turn::Usual,
            (false, true) => Turn::Last,
        }
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
            self.passed_over.remove(&part.id);
            match failure {
                None => self.is_well(part.id),
                Some(failure) => self.fails(plan, asked, part, failure),
            }
        }
    }

    fn is_well(&mut self, id: PartId) {
        self.resting.remove(&id);
        if let Some(Failing { source, what, .. }) = self.failing.remove(&id).filter(|failing| failing.told) {
            tracing::info!(source, what, "a query is answered again");
        }
    }

    fn fails(&mut self, plan: &Plan, asked: &Asked, part: &Part, failure: &Failure) {
        let (id, kind) = (part.id, failure.kind);
        if kind == FailureKind::Busy {
            self.passed_over.insert(id);
        } else if part.is_merged() && (kind.blames_source() || says_nothing(kind)) {
            let suspect = Suspect { id, wide: asked.wide };
            self.suspects.entry(asked.source.clone()).or_default().push(suspect);
        } else if !part.is_merged() && !kind.is_of_source() {
            let longer = |(_, rest): &(Ts, Span)| Span::from_secs_saturating(rest.secs() * 2).min(REST_MOST);
            let rest = self.resting.get(&id).map_or(REST, longer);
            self.resting.insert(id, (asked.at.plus(rest), rest));
        }
        let what = format!("{}: {}", slos_of(plan, &part.group), failure.message);
        let told = self.failing.get(&id).is_some_and(|failing| failing.told);
        self.failing.insert(id, Failing { source: asked.source.clone(), what, told });
    }

    /// At the end of a tick: a merged query that fails on a source which answers others is asked in
    /// halves from now on, so that the one at fault blinds nobody else. Where the source leaves most
    /// unanswered it may be overloaded, and more queries would make that worse: only a few, the
    /// largest, are halved to find out.
    pub(super) fn conclude(&mut self, at: Ts, tally: &BTreeMap<String, Tally>) {
        for (source, mut suspects) in std::mem::take(&mut self.suspects) {
            let Some(tally) = tally.get(&source).filter(|tally| tally.reached()) else { continue };
            let most = match tally.mostly_answered() {
                true => usize::MAX,
                false => PROBES.min(PROBES_IN_ALL.saturating_sub(self.parts.extra())),
            };
            suspects.sort_by_key(|suspect| std::cmp::Reverse(suspect.id.members()));
            for Suspect { id, wide } in suspects.into_iter().take(most) {
                if wide && !self.newest_only(id, at) {
                    self.newest_only.insert(id, at.plus(NEWEST_ONLY_FOR));
                } else {
                    self.halve(id, at);
                }
            }
        }
        self.newest_only.retain(|_, until| *until > at);
        let answers = |source: &str| tally.get(source).is_some_and(Tally::reached);
        for (id, failing) in &mut self.failing {
            if failing.told || self.passed_over.contains(id) || !answers(&failing.source) {
                continue;
            }
            failing.told = true;
            tracing::warn!(source = failing.source, what = failing.what, "a query has no answer");
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

/// The SLOs that a query is for: `shop/availability`, or `shop/availability and 2 more`.
fn slos_of(plan: &Plan, group: &QueryGroup) -> String {
    let wanted: BTreeSet<SeriesIx> = group.members.iter().flat_map(|m| &m.wanted).map(|w| w.series).collect();
    let mut slos = plan.slos.iter().filter(|planned| {
        planned.bad.iter().chain(&planned.total).any(|(_, series)| wanted.contains(series))
    });
    let first = slos.next().map_or("no SLO", |planned| planned.id.as_str());
    match slos.count() {
        0 => first.to_owned(),
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::{Form, Member, Role, Take, Wanted};
    use crate::slo::query::Selector;
    use crate::slo::time::Step;

    const AT: Ts = Ts(1_800_000_000);

    fn group(first: u32, members: u32) -> Arc<QueryGroup> {
        let member = |series: u32| Member {
            value: Some(format!("service{series}")),
            wanted: vec![Wanted { series: SeriesIx(series), take: Take::Whole, role: Role::default() }],
        };
        Arc::new(QueryGroup {
            source: "local".into(),
            form: Form::Counter,
            step: Step::DEFAULT,
            base: Selector { metric: "requests_total".into(), matchers: vec![] },
            merge: Some("service".into()),
            by: vec![],
            members: (first..first + members).map(member).collect(),
            left_open: false,
            lookback: Span::from_mins(10),
            interval: None,
        })
    }

    /// A tick: everything is asked, and those with a series in `failing` fail.
    fn tick(
        faults: &mut Faults,
        groups: &[Arc<QueryGroup>],
        at: Ts,
        kind: FailureKind,
        failing: &[u32],
    ) -> Vec<Vec<u32>> {
        let plan = Plan::default();
        let mut tally = Tally::default();
        tally.hear(None);
        let mut answered = Vec::new();
        for part in groups.iter().flat_map(|group| faults.parts(group, at)).collect::<Vec<_>>() {
            if faults.rests(part.id, at) {
                continue;
            }
            let series: Vec<u32> = part.group.members.iter().map(|m| m.wanted[0].series.0).collect();
            let fails = series.iter().any(|series| failing.contains(series));
            let failure = fails.then(|| Failure { kind, message: kind.as_str().into() });
            tally.count(series.len(), failure.as_ref());
            if !fails {
                answered.push(series);
            }
            let mut asked = Asked { source: "local".into(), at, ..Asked::default() };
            asked.outcomes.push((part, failure));
            faults.learn(&plan, &asked);
        }
        faults.conclude(at, &BTreeMap::from([("local".into(), tally)]));
        answered
    }

    fn minutes(minutes: u32) -> Ts {
        AT.plus(Span::from_mins(minutes))
    }

    #[test]
    fn a_member_that_hangs_blinds_the_others_of_its_group_for_a_few_ticks_only() {
        for kind in [FailureKind::Timeout, FailureKind::Partial, FailureKind::Garbage] {
            let mut faults = Faults::default();
            let groups = [group(0, 64), group(100, 1)];
            let mut answered = Vec::new();
            for round in 0..8 {
                answered.push(tick(&mut faults, &groups, minutes(round), kind, &[41]).concat().len());
            }
            assert_eq!(answered, [1, 33, 49, 57, 61, 63, 64, 64], "{kind:?}");
            let trouble = faults.trouble(&BTreeMap::new());
            assert_eq!(trouble, None, "nothing is known of a source that was not asked");
            let mut late = 8;
            while tick(&mut faults, &groups, minutes(late), kind, &[]).len() > 2 {
                late += 1;
                assert!(late < 20, "all well, and asked in whole again");
            }
        }
    }

    #[test]
    fn an_overloaded_source_is_not_asked_ever_more_questions() {
        let mut faults = Faults::default();
        let groups: Vec<_> = (0..20).map(|n| group(n * 100, 64)).collect();
        let all: Vec<u32> = (0..2000).collect();
        for round in 0..60 {
            assert!(tick(&mut faults, &groups, minutes(round), FailureKind::Timeout, &all).is_empty());
        }
        assert!(faults.parts.extra() <= PROBES_IN_ALL, "{}", faults.parts.extra());
    }

    #[test]
    fn what_says_nothing_is_asked_again_in_the_next_tick_and_what_is_refused_rests() {
        for (kind, again) in [
            (FailureKind::Partial, true),
            (FailureKind::Garbage, true),
            (FailureKind::Timeout, true),
            (FailureKind::QueryError, false),
            (FailureKind::TooLarge, false),
        ] {
            let mut faults = Faults::default();
            tick(&mut faults, &[group(0, 1)], AT, kind, &[0]);
            let part = Part::whole(&group(0, 1));
            assert_eq!(!faults.rests(part.id, AT.plus(Span::from_secs(30))), again, "{kind:?}");
            assert_eq!(faults.turn(part.id), Turn::Last);
        }
    }

    #[test]
    fn who_had_no_place_is_asked_first_in_the_next_tick() {
        let mut faults = Faults::default();
        tick(&mut faults, &[group(0, 1), group(1, 1)], AT, FailureKind::Busy, &[0]);
        let turn = |faults: &Faults, first| faults.turn(Part::whole(&group(first, 1)).id);
        assert_eq!((turn(&faults, 0), turn(&faults, 1)), (Turn::First, Turn::Usual));
        tick(&mut faults, &[group(0, 1)], AT, FailureKind::Busy, &[]);
        assert_eq!(turn(&faults, 0), Turn::Usual);
    }
}
