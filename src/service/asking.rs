//! What a tick asks: every query group from where it is known, targets, direct windows that are due.
//!
//! The last slices are asked again, so that a late scrape heals a slice instead of being lost. What
//! was missed in an outage is asked with them: a gap of up to twelve hours costs one longer range.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::faults::{Faults, Part};
use super::gather::{Gathered, gather};
use super::linked::{ask as ask_source, clusters, settle_doubts};
use super::open::Open;
use super::shared::Shared;
use super::waits::Question;
use crate::engine::fact::{Facts, SeriesIx, Tier};
use crate::engine::ledger::FINE_REACH;
use crate::engine::plan::{AliveIx, AliveReading, DirectIx, Form, Plan, QueryGroup};
use crate::engine::sample::{Answer, Failure};
use crate::engine::step::DirectSeen;
use crate::prometheus::Priority;
use crate::slo::time::{Span, Step, Ts};

/// What became of one question.
#[derive(Default)]
pub(super) struct Asked {
    /// The source asked.
    pub source: String,
    /// The newest slice asked for.
    pub at: Ts,
    /// What it settles, each with whether the newest slice is known.
    pub settles: Vec<(Question, bool)>,
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
    /// Merged groups to ask in parts from now on.
    pub split: Vec<Arc<QueryGroup>>,
    /// Merged groups that failed as a source does that is in trouble.
    pub suspects: Vec<Arc<QueryGroup>>,
    /// Why a question that followed from an answer has none: what it was about is left out.
    pub left_open: Option<String>,
    /// Queries asked, and why they have no answer.
    pub outcomes: Vec<(Arc<QueryGroup>, Option<Failure>)>,
}

/// What is remembered from tick to tick about queries.
#[derive(Default)]
pub(super) struct Asking {
    plan: Option<Arc<Plan>>,
    /// Queries that fail.
    pub(super) faults: Faults,
    /// Places of query groups, those that are judged together.
    clusters: Vec<Vec<usize>>,
    /// When direct windows were last asked.
    direct: BTreeMap<DirectIx, Ts>,
    /// Slots to ask again, of any plan.
    pub(super) open: Open,
}

type Question_<'a> = Pin<Box<dyn Future<Output = Asked> + Send + 'a>>;

impl Asking {
    /// Forgets what was about another plan: a query that was mended is asked at once. Whether the
    /// plan is new.
    pub(super) fn prepare(&mut self, plan: &Arc<Plan>) -> bool {
        let new = self.plan.as_ref().is_none_or(|old| !Arc::ptr_eq(old, plan));
        if new {
            let open = std::mem::take(&mut self.open);
            *self = Self { clusters: clusters(plan), plan: Some(Arc::clone(plan)), open, ..Self::default() };
        }
        new
    }

    /// Remembers what became of a question.
    pub(super) fn learn(&mut self, plan: &Plan, asked: &Asked) {
        self.faults.learn(plan, asked);
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
                    settles: vec![(Question::Direct(place), true)],
                    ..Asked::default()
                }))
            });
        }
        for cluster in &self.clusters {
            let asks = cluster.iter().filter_map(|place| {
                let group = plan.groups.get(*place)?;
                let at = moment(&group.source);
                Some((self.faults.parts(group, at), (self.ask_from(shared, group, at), at)))
            });
            questions.push(Box::pin(ask_cluster(shared, Arc::clone(plan), asks.collect(), limit)));
        }
        questions
    }
}

impl Asking {
    /// From where it is not known, or from the oldest slot that was left open.
    fn ask_from(&self, shared: &Shared, group: &QueryGroup, at: Ts) -> Ts {
        let step = shared.settings.step;
        let from = known_until(shared, group, at, step);
        let open = self.open.oldest(&shared.world.read().ledger, series_of(group), at);
        open.map_or(from, |end| from.min(end.minus(step.span())).max(at.minus(FINE_REACH)))
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
    let world = shared.world.read();
    let known = group
        .members
        .iter()
        .flat_map(|member| &member.wanted)
        .filter_map(|wanted| world.ledger.series(wanted.series))
        .map(|series| series.answered().last())
        .min()
        .flatten();
    // A series that was never asked is backfill's business. The newest slices of before a gap have
    // not been asked again yet either.
    let newest = known.map_or(at, |known| known.plus(step.span()).min(at));
    let from = if matches!(group.form, Form::Direct { .. }) {
        newest.floor_to(Span::from_mins(5)).minus(Span::from_mins(5))
    } else {
        newest.minus(Span::from_secs_saturating((3 * step.secs()).max(60)))
    };
    from.max(at.minus(FINE_REACH)).floor_to(step.span())
}

/// Asks linked groups at once, and settles what only all of them together can tell.
async fn ask_cluster(
    shared: &Shared,
    plan: Arc<Plan>,
    groups: Vec<(Vec<Part>, (Ts, Ts))>,
    limit: Duration,
) -> Asked {
    let end = tokio::time::Instant::now() + limit;
    let linked = groups.len() > 1;
    let asks: Vec<_> =
        groups.into_iter().map(|(parts, range)| ask_group(shared, parts, range, limit)).collect();
    let mut all = join_all(asks).await.into_iter();
    let Some(mut asked) = all.next() else { return Asked::default() };
    for other in all {
        asked.answered |= other.answered;
        asked.source_failed |= other.source_failed;
        asked.settles.extend(other.settles);
        asked.facts.extend(other.facts);
        asked.split.extend(other.split);
        asked.suspects.extend(other.suspects);
        asked.outcomes.extend(other.outcomes);
        asked.left_open = asked.left_open.or(other.left_open);
    }
    if linked {
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        settle_doubts(shared, &plan, &mut asked.facts, Priority::FollowUp, left).await;
    }
    asked
}

async fn ask_group(shared: &Shared, parts: Vec<Part>, (from, at): (Ts, Ts), limit: Duration) -> Asked {
    let mut asked = Asked { at, ..Asked::default() };
    if let Some((group, _)) = parts.first() {
        asked.source.clone_from(&group.source);
    }
    let alone = parts.len() == 1;
    for (part, rests) in parts {
        if rests {
            asked.settles.extend(series_of(&part).map(|series| (Question::Series(series), false)));
            continue;
        }
        let gathered = ask_part(shared, &part, (from, at), limit).await;
        let failed = gathered.failure.as_ref().filter(|_| alone && part.members.len() > 1);
        if failed.is_some_and(|failure| failure.kind.blames_source()) {
            asked.suspects.push(Arc::clone(&part));
        }
        if failed.is_some_and(|failure| !failure.kind.is_of_source()) {
            for single in part.split() {
                let single = Arc::new(single);
                let gathered = ask_part(shared, &single, (from, at), limit).await;
                note(&mut asked, &single, gathered, (from, at));
            }
            asked.split.push(part);
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

fn note(asked: &mut Asked, group: &Arc<QueryGroup>, gathered: Gathered, range: (Ts, Ts)) {
    // Each series for itself: one that is not known blinds no SLO but its own.
    let known = |series| (Question::Series(series), gathered.knows(group, series, range));
    asked.settles.extend(series_of(group).map(known));
    match &gathered.failure {
        Some(failure) if failure.kind.is_of_source() => asked.source_failed = true,
        // It answered, if only to say what is wrong with the question.
        None | Some(_) => asked.answered = true,
    }
    if let Some(failure) = &gathered.left_open {
        asked.left_open.get_or_insert_with(|| {
            format!(
                "what is new among {} is left out and asked for again: {}",
                group.selector(),
                failure.message
            )
        });
    }
    asked.outcomes.push((Arc::clone(group), gathered.failure));
    asked.facts.extend(gathered.facts);
}

/// The series of a query group.
pub(super) fn series_of(group: &QueryGroup) -> impl Iterator<Item = SeriesIx> {
    group.members.iter().flat_map(|member| &member.wanted).map(|wanted| wanted.series)
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
        settles: vec![(question, matches!(answer, Answer::Frames { .. }))],
        answered: !source_failed,
        source_failed,
        ..Asked::default()
    }
}
