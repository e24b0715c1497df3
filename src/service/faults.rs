//! What is remembered from tick to tick about queries that fail: which rest, which merged ones are
//! asked in their parts, and what people are told of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::asking::Asked;
use crate::engine::fact::SeriesIx;
use crate::engine::plan::{Plan, QueryGroup};
use crate::engine::sample::Failure;
use crate::slo::time::{Span, Ts};

/// How long a merged query that failed is asked in its parts before it is tried whole again.
const SPLIT_FOR: Span = Span::from_mins(10);
/// A query that is itself at fault rests this long, doubling up to [`REST_MOST`].
const REST: Span = Span::from_mins(1);
const REST_MOST: Span = Span::from_mins(30);

/// A query group, or a part of one, and whether it rests.
pub(super) type Part = (Arc<QueryGroup>, bool);

/// Queries that failed, of one plan.
#[derive(Default)]
pub(super) struct Faults {
    /// Merged groups asked in parts, until when.
    split: HashMap<u64, Ts>,
    /// Merged groups that failed in this tick as a source does that is in trouble, by source.
    suspects: Vec<(String, u64)>,
    /// Queries at fault: until when they rest, and how long.
    resting: HashMap<u64, (Ts, Span)>,
    /// Queries that had no answer when they were last asked: their source, and what to tell people.
    failing: BTreeMap<u64, (String, String)>,
}

impl Faults {
    /// A group as it is to be asked.
    pub(super) fn parts(&self, group: &Arc<QueryGroup>, at: Ts) -> Vec<Part> {
        let split = self.split.get(&id(group)).is_some_and(|until| *until > at);
        let parts = if split && group.members.len() > 1 {
            group.split().into_iter().map(Arc::new).collect()
        } else {
            vec![Arc::clone(group)]
        };
        let rests = |part: &QueryGroup| self.resting.get(&id(part)).is_some_and(|(until, _)| *until > at);
        parts.into_iter().map(|part| (Arc::clone(&part), rests(&part))).collect()
    }

    /// Remembers what became of a question.
    pub(super) fn learn(&mut self, plan: &Plan, asked: &Asked) {
        for group in &asked.split {
            self.split.insert(id(group), asked.at.plus(SPLIT_FOR));
        }
        self.suspects.extend(asked.suspects.iter().map(|group| (asked.source.clone(), id(group))));
        for (group, failure) in &asked.outcomes {
            match failure {
                None => self.is_well(id(group)),
                Some(failure) => self.fails(plan, asked, group, failure),
            }
        }
    }

    fn is_well(&mut self, id: u64) {
        self.resting.remove(&id);
        if let Some((source, what)) = self.failing.remove(&id) {
            tracing::info!(source, what, "a query is answered again");
        }
    }

    fn fails(&mut self, plan: &Plan, asked: &Asked, group: &QueryGroup, failure: &Failure) {
        let id = id(group);
        if !failure.kind.is_of_source() {
            let longer = |(_, rest): &(Ts, Span)| Span::from_secs_saturating(rest.secs() * 2).min(REST_MOST);
            let rest = self.resting.get(&id).map_or(REST, longer);
            tracing::warn!(source = asked.source, %rest, error = failure.message, "a query is at fault and rests");
            self.resting.insert(id, (asked.at.plus(rest), rest));
        }
        let told = format!("{}: {}", slos_of(plan, group), failure.message);
        self.failing.insert(id, (asked.source.clone(), told));
    }

    /// At the end of a tick: a merged query that fails on a source which answers others is asked in
    /// its parts from now on, so that the one at fault blinds nobody else.
    pub(super) fn suspect(&mut self, at: Ts, answers: impl Fn(&str) -> bool) {
        for (source, id) in std::mem::take(&mut self.suspects) {
            if answers(&source) {
                // Its parts speak for themselves from now on.
                self.failing.remove(&id);
                self.split.insert(id, at.plus(SPLIT_FOR));
            }
        }
    }

    /// What fails by itself, on sources that answer, in words; `None` when all is well.
    pub(super) fn trouble(&self, answers: impl Fn(&str) -> bool) -> Option<String> {
        let mut failing = self.failing.values().filter(|(source, _)| answers(source));
        let (_, first) = failing.next()?;
        Some(match failing.count() {
            0 => first.clone(),
            more => format!("{first} ({more} more queries fail)"),
        })
    }
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

/// What a query group is remembered by: its first series, and how many it asks for.
fn id(group: &QueryGroup) -> u64 {
    let first = group.members.first().and_then(|m| m.wanted.first()).map_or(u32::MAX, |w| w.series.0);
    u64::from(first) << 32 | u64::try_from(group.members.len()).unwrap_or(0)
}
