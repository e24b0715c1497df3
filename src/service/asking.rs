//! What a tick asks: every query group from where it is known, targets, direct windows that are due.
//!
//! The last slices are asked again, so that a late scrape heals a slice instead of being lost. What
//! was missed in an outage is asked with them: a gap of up to twelve hours costs one longer range.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::gather::{Gathered, gather};
use super::linked::{ask as ask_source, clusters, settle_doubts};
use super::round::Question;
use super::shared::Shared;
use crate::engine::fact::{Facts, Tier};
use crate::engine::ledger::FINE_REACH;
use crate::engine::plan::{AliveIx, AliveReading, DirectIx, Form, Plan, QueryGroup};
use crate::engine::sample::{Answer, Failure};
use crate::engine::step::DirectSeen;
use crate::prometheus::Priority;
use crate::slo::time::{Span, Step, Ts};

/// How long a merged query that failed is asked in its parts before it is tried whole again.
const SPLIT_FOR: Span = Span::from_mins(10);
/// A query that is itself at fault rests this long, doubling up to [`REST_MOST`].
const REST: Span = Span::from_mins(1);
const REST_MOST: Span = Span::from_mins(30);

/// What became of one question.
#[derive(Default)]
pub(super) struct Asked {
    /// The source asked.
    pub source: String,
    /// The newest slice asked for.
    pub at: Ts,
    /// What it settles.
    pub settles: Vec<Question>,
    /// Whether the newest slice is known.
    pub known: bool,
    /// Whether the source answered.
    pub answered: bool,
    /// Whether the source is to blame.
    pub source_failed: bool,
    /// Slices.
    pub facts: Vec<Facts>,
    /// Targets read.
    pub alive: Vec<(AliveIx, AliveReading)>,
    /// Targets whose query failed.
    pub alive_unknown: Vec<AliveIx>,
    /// Direct windows read.
    pub direct: Vec<(DirectIx, DirectSeen)>,
    /// Merged groups to ask in parts from now on, by id.
    split: Vec<u64>,
    /// Groups at fault, by id, and those that are well again.
    at_fault: Vec<(u64, Option<Failure>)>,
}

/// What is remembered from tick to tick about queries.
#[derive(Default)]
pub(super) struct Asking {
    plan: Option<Arc<Plan>>,
    /// Merged groups asked in parts, until when.
    split: HashMap<u64, Ts>,
    /// Queries at fault: until when they rest, and how long.
    resting: HashMap<u64, (Ts, Span, String)>,
    /// Places of query groups, those that are judged together.
    clusters: Vec<Vec<usize>>,
    /// When direct windows were last asked.
    direct: BTreeMap<DirectIx, Ts>,
}

type Question_<'a> = Pin<Box<dyn Future<Output = Asked> + Send + 'a>>;

impl Asking {
    /// Forgets what was about another plan.
    pub(super) fn prepare(&mut self, plan: &Arc<Plan>) {
        if self.plan.as_ref().is_none_or(|old| !Arc::ptr_eq(old, plan)) {
            self.plan = Some(Arc::clone(plan));
            self.clusters = clusters(plan);
            self.direct.clear();
            self.split.clear();
            self.resting.clear();
        }
    }

    /// Why a query rests, for people, if it does.
    pub(super) fn learn(&mut self, asked: &Asked) {
        for id in &asked.split {
            self.split.insert(*id, asked.at.plus(SPLIT_FOR));
        }
        for (id, failure) in &asked.at_fault {
            match failure {
                None => drop(self.resting.remove(id)),
                Some(failure) => {
                    let rest = self.resting.get(id).map_or(REST, |(_, rest, _)| {
                        Span::from_secs_saturating(rest.secs() * 2).min(REST_MOST)
                    });
                    tracing::warn!(source = asked.source, %rest, error = failure.message, "a query is at fault and rests");
                    self.resting.insert(*id, (asked.at.plus(rest), rest, failure.message.clone()));
                }
            }
        }
        for (ix, seen) in &asked.direct {
            self.direct.insert(*ix, seen.at);
        }
    }

    /// Everything to ask for the slice that ends at `at`; nothing is asked before it is polled.
    pub(super) fn questions<'a>(
        &self,
        shared: &'a Arc<Shared>,
        plan: &Arc<Plan>,
        at: Ts,
    ) -> Vec<Question_<'a>> {
        let step = shared.settings.step;
        let limit = deadline(step);
        let mut questions: Vec<Question_<'a>> = Vec::new();
        let moment =
            |source: &str| shared.sources.get(source).map_or(at, |s| moment(at, step, s.delay(), s.skew()));
        for (place, group) in plan.alive_groups.iter().enumerate() {
            let at = moment(&group.source);
            questions.push(Box::pin(ask_alive(shared, Arc::clone(plan), place, at, limit)));
        }
        for (place, direct) in plan.direct.iter().enumerate() {
            let ix = DirectIx(u32::try_from(place).unwrap_or(u32::MAX));
            let at = moment(&direct.source);
            let due = self.direct.get(&ix).is_none_or(|last| at.since(*last) >= direct.every);
            questions.push(if due {
                Box::pin(ask_direct(shared, Arc::clone(plan), place, at, limit))
            } else {
                Box::pin(std::future::ready(Asked {
                    source: direct.source.clone(),
                    at,
                    settles: vec![Question::Direct(place)],
                    known: true,
                    ..Asked::default()
                }))
            });
        }
        for cluster in &self.clusters {
            let asks = cluster.iter().filter_map(|place| {
                let group = plan.groups.get(*place)?;
                let at = moment(&group.source);
                Some((*place, self.parts(group, at), (known_until(shared, group, at, step), at)))
            });
            questions.push(Box::pin(ask_cluster(shared, Arc::clone(plan), asks.collect(), limit)));
        }
        questions
    }

    /// A group as it is to be asked, each part with whether it rests.
    fn parts(&self, group: &Arc<QueryGroup>, at: Ts) -> Vec<(Arc<QueryGroup>, bool)> {
        let split = self.split.get(&id(group)).is_some_and(|until| *until > at);
        let parts = if split && group.members.len() > 1 {
            group.split().into_iter().map(Arc::new).collect()
        } else {
            vec![Arc::clone(group)]
        };
        let rests = |part: &QueryGroup| self.resting.get(&id(part)).is_some_and(|(until, ..)| *until > at);
        parts.into_iter().map(|part| (Arc::clone(&part), rests(&part))).collect()
    }
}

/// A query may take half a step, and ten seconds at most.
pub(super) fn deadline(step: Step) -> Duration {
    Duration::from_millis(u64::try_from(step.secs() * 500).unwrap_or(2500)).min(Duration::from_secs(10))
}

/// The newest slice a source can know: its samples come late by `delay`, and where its clock is
/// apart from ours by more than half a step, its clock counts.
fn moment(at: Ts, step: Step, delay: Span, skew: Option<crate::prometheus::Skew>) -> Ts {
    let ahead = skew.map_or(0, |skew| skew.ahead);
    let shift = if ahead.abs() * 2 > step.secs() { ahead } else { 0 };
    step.floor(Ts(at.0.saturating_add(shift)).minus(delay))
}

/// Where to ask from: the last slices again, or from where the ledger knows nothing.
fn known_until(shared: &Shared, group: &QueryGroup, at: Ts, step: Step) -> Ts {
    let again = if matches!(group.form, Form::Direct { .. }) {
        at.floor_to(Span::from_mins(5)).minus(Span::from_mins(5))
    } else {
        at.minus(Span::from_secs_saturating((3 * step.secs()).max(60)))
    };
    let world = shared.world.read();
    let known = group
        .members
        .iter()
        .flat_map(|member| &member.wanted)
        .filter_map(|wanted| world.ledger.series(wanted.series))
        .map(|series| series.answered().last())
        .min()
        .flatten();
    // A series that was never asked is backfill's business.
    let from = known.map_or(again, |known| known.min(again));
    from.max(at.minus(FINE_REACH)).floor_to(step.span())
}

/// Asks linked groups at once, and settles what only all of them together can tell.
async fn ask_cluster(
    shared: &Shared,
    plan: Arc<Plan>,
    groups: Vec<(usize, Vec<(Arc<QueryGroup>, bool)>, (Ts, Ts))>,
    limit: Duration,
) -> Asked {
    let end = tokio::time::Instant::now() + limit;
    let linked = groups.len() > 1;
    let asks: Vec<_> = groups
        .into_iter()
        .map(|(place, parts, range)| ask_group(shared, place, parts, range, limit))
        .collect();
    let mut all = join_all(asks).await.into_iter();
    let Some(mut asked) = all.next() else { return Asked::default() };
    for other in all {
        asked.known &= other.known;
        asked.answered |= other.answered;
        asked.source_failed |= other.source_failed;
        asked.settles.extend(other.settles);
        asked.facts.extend(other.facts);
        asked.split.extend(other.split);
        asked.at_fault.extend(other.at_fault);
    }
    if linked {
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        settle_doubts(shared, &plan, &mut asked.facts, Priority::Tick, left).await;
    }
    asked
}

async fn ask_group(
    shared: &Shared,
    place: usize,
    parts: Vec<(Arc<QueryGroup>, bool)>,
    (from, at): (Ts, Ts),
    limit: Duration,
) -> Asked {
    let mut asked = Asked { at, settles: vec![Question::Group(place)], known: true, ..Asked::default() };
    if let Some((group, _)) = parts.first() {
        asked.source.clone_from(&group.source);
    }
    let whole = parts.len() == 1;
    for (part, rests) in parts {
        if rests {
            asked.known = false;
            continue;
        }
        let gathered = ask_part(shared, &part, (from, at), limit).await;
        let failed_by_itself = gathered.failure.as_ref().is_some_and(|f| !f.kind.is_of_source());
        if failed_by_itself && whole && part.members.len() > 1 {
            asked.split.push(id(&part));
            for single in part.split() {
                let single = Arc::new(single);
                let gathered = ask_part(shared, &single, (from, at), limit).await;
                note(&mut asked, &single, gathered, (from, at));
            }
            continue;
        }
        note(&mut asked, &part, gathered, (from, at));
    }
    asked
}

async fn ask_part(shared: &Shared, group: &Arc<QueryGroup>, range: (Ts, Ts), limit: Duration) -> Gathered {
    let tier = if matches!(group.form, Form::Direct { .. }) { Tier::FiveMinutes } else { Tier::Fine };
    gather(shared, group, tier, range, Priority::Tick, limit).await
}

fn note(asked: &mut Asked, group: &QueryGroup, gathered: Gathered, range: (Ts, Ts)) {
    asked.known &= gathered.failure.is_none() && gathered.knows(group, range);
    match &gathered.failure {
        None => {
            asked.answered = true;
            asked.at_fault.push((id(group), None));
        }
        Some(failure) if failure.kind.is_of_source() => asked.source_failed = true,
        Some(failure) => {
            // It answered, if only to say what is wrong with the question.
            asked.answered = true;
            asked.at_fault.push((id(group), Some(failure.clone())));
        }
    }
    asked.facts.extend(gathered.facts);
}

async fn ask_alive(shared: &Shared, plan: Arc<Plan>, place: usize, at: Ts, limit: Duration) -> Asked {
    let Some(group) = plan.alive_groups.get(place) else { return Asked::default() };
    let answer = ask_source(shared, group.query(at), Priority::Tick, limit).await;
    let mut asked = outcome(&group.source, at, Question::Alive(place), &answer);
    for (ix, reading) in group.read(&answer) {
        match reading {
            Some(reading) => asked.alive.push((ix, reading)),
            None => asked.alive_unknown.push(ix),
        }
    }
    asked
}

async fn ask_direct(shared: &Shared, plan: Arc<Plan>, place: usize, at: Ts, limit: Duration) -> Asked {
    let Some(direct) = plan.direct.get(place) else { return Asked::default() };
    let answer = ask_source(shared, direct.query(at), Priority::Tick, limit).await;
    let mut asked = outcome(&direct.source, at, Question::Direct(place), &answer);
    if matches!(answer, Answer::Frames { .. }) {
        let twice = Span::from_secs_saturating(direct.every.secs() * 2);
        let seen = DirectSeen { at, fresh_until: at.plus(twice), reading: direct.read(&answer) };
        asked.direct.push((DirectIx(u32::try_from(place).unwrap_or(u32::MAX)), seen));
    }
    asked
}

fn outcome(source: &str, at: Ts, question: Question, answer: &Answer) -> Asked {
    let source_failed = matches!(answer, Answer::Failed(failure) if failure.kind.is_of_source());
    Asked {
        source: source.to_owned(),
        at,
        settles: vec![question],
        known: matches!(answer, Answer::Frames { .. }),
        answered: !source_failed,
        source_failed,
        ..Asked::default()
    }
}

/// What a query group is remembered by: its first series, and how many it asks for.
fn id(group: &QueryGroup) -> u64 {
    let first = group.members.first().and_then(|m| m.wanted.first()).map_or(u32::MAX, |w| w.series.0);
    u64::from(first) << 32 | u64::try_from(group.members.len()).unwrap_or(0)
}
