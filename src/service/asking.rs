//! What a tick asks: every query group for its newest slots, targets, direct windows that are due.
//! All of it has one deadline, so that a tick never takes longer, and nothing waits for another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, once};
use tokio::time::Instant;

use super::blind::{Tally, failure};
use super::counting::{self, Task, series_of};
use super::faults::{Faults, Turn};
use super::linked::{ask as ask_source, clusters, linked};
use super::open::Open;
use super::parts::{Part, PartId};
use super::reach::Reach;
use super::shared::Shared;
use super::waits::Question;
use crate::engine::fact::{Facts, SeriesIx};
use crate::engine::plan::{AliveIx, AliveReading, DirectIx, Plan};
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
    pub tally: Tally,
    /// Slices.
    pub facts: Vec<Facts>,
    /// Those known without what a question that followed was about.
    pub open: Vec<(SeriesIx, Ts)>,
    /// Targets read.
    pub alive: Vec<(AliveIx, AliveReading)>,
    /// Targets whose query failed.
    pub alive_unknown: Vec<AliveIx>,
    /// Direct windows read.
    pub direct: Vec<(DirectIx, DirectSeen)>,
    /// Merged queries to ask in halves from now on.
    pub split: Vec<PartId>,
    /// Slices were asked for a gap as well.
    pub wide: bool,
    /// Why a question that followed from an answer has none: what it was about is left out.
    pub left_open: Option<String>,
    /// A series whose newest slices are not known for want of such an answer, and why.
    pub unsettled: Option<(SeriesIx, String)>,
    /// Queries asked, and why they have no answer.
    pub outcomes: Vec<(Part, Option<Failure>)>,
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
    /// Which question is asked first: another one in each tick.
    first: usize,
}

/// Gives its answers as they come.
type Question_<'a> = BoxStream<'a, Asked>;

/// A tick's frame: what it asks about, and until when.
struct Frame<'a> {
    shared: &'a Arc<Shared>,
    plan: &'a Arc<Plan>,
    at: Ts,
    end: Instant,
}

impl Frame<'_> {
    /// The newest slice this source can know.
    fn moment(&self, source: &str) -> Ts {
        let step = self.shared.settings.step;
        let source = self.shared.sources.get(source);
        source.map_or(self.at, |source| moment(self.at, step, source.delay(), source.skew()))
    }
}

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

    /// Everything to ask for the slice that ends at `at`; nothing is asked before it is polled. In
    /// the order of asking: where a source has not the time for all, it is others' turn in the next tick.
    pub(super) fn questions<'a>(
        &mut self,
        shared: &'a Arc<Shared>,
        plan: &Arc<Plan>,
        at: Ts,
    ) -> Vec<Question_<'a>> {
        let end = Instant::now() + deadline(shared.settings.step);
        let frame = Frame { shared, plan, at, end };
        let mut questions = Vec::new();
        for (place, group) in plan.alive_groups.iter().enumerate() {
            let at = frame.moment(&group.source);
            let ask = ask_alive(shared, Arc::clone(plan), place, at, end);
            questions.push((Turn::Usual, once(ask).boxed()));
        }
        for place in 0..plan.direct.len() {
            questions.extend(self.direct(shared, &frame, place).map(|ask| (Turn::Usual, ask)));
        }
        for cluster in &self.clusters {
            self.counting(shared, &frame, cluster, &mut questions);
        }
        let first = self.first.checked_rem(questions.len()).unwrap_or(0);
        questions.rotate_left(first);
        self.first = self.first.wrapping_add(1);
        questions.sort_by_key(|(turn, _)| *turn);
        questions.into_iter().map(|(_, ask)| ask).collect()
    }

    fn direct<'a>(&self, shared: &'a Arc<Shared>, frame: &Frame<'_>, place: usize) -> Option<Question_<'a>> {
        let direct = frame.plan.direct.get(place)?;
        let ix = DirectIx(u32::try_from(place).unwrap_or(u32::MAX));
        let at = frame.moment(&direct.source);
        let due = self.direct.get(&ix).is_none_or(|last| at.since(*last) >= direct.every);
        Some(if due {
            once(ask_direct(shared, Arc::clone(frame.plan), place, at, frame.end)).boxed()
        } else {
            let settles = vec![(Question::Direct(place), true)];
            at_once(Asked { source: direct.source.clone(), at, settles, ..Asked::default() })
        })
    }

    /// The questions of query groups that are judged together. Only parts that are still linked are
    /// one question: nobody else waits for them, or is asked for as much as they need.
    fn counting<'a>(
        &self,
        shared: &'a Arc<Shared>,
        frame: &Frame<'_>,
        cluster: &[usize],
        questions: &mut Vec<(Turn, Question_<'a>)>,
    ) {
        let groups = cluster.iter().filter_map(|place| frame.plan.groups.get(*place));
        let Some(at) = groups.clone().map(|group| frame.moment(&group.source)).min() else { return };
        let parts = groups.flat_map(|group| self.faults.parts(group, at));
        let (rest, parts): (Vec<_>, Vec<_>) = parts.partition(|part| self.faults.rests(part.id, at));
        questions.extend(rest.iter().map(|part| (Turn::Last, at_once(counting::at_rest(part, at)))));
        for parts in linked(frame.plan, parts, cluster.len() > 1) {
            let Some(turn) = parts.iter().map(|part| self.faults.turn(part.id)).min() else { continue };
            let reach = self.reach(shared, &parts, at);
            let task = Task { parts, reach, at, end: frame.end, plan: Arc::clone(frame.plan) };
            questions.push((turn, counting::ask(shared, task).boxed()));
        }
    }

    /// From where these are asked: as far back as one of them needs.
    fn reach(&self, shared: &Shared, parts: &[Part], at: Ts) -> Reach {
        let world = shared.world.read();
        let of = |part: &Part| {
            let newest_only = self.faults.newest_only(part.id, at);
            let reach = Reach::of(&world.ledger, &part.group, at, shared.settings.step, newest_only);
            let open = self.open.oldest(&world.ledger, series_of(&part.group), at);
            open.filter(|_| !newest_only).map_or(reach, |end| reach.with(end, shared.settings.step))
        };
        let widest = parts.iter().map(of).min_by_key(|reach| reach.from);
        widest.unwrap_or(Reach { from: at, wide: false })
    }
}

fn at_once<'a>(asked: Asked) -> Question_<'a> {
    once(std::future::ready(asked)).boxed()
}

/// A query may take half a step, and ten seconds at most.
pub(super) fn deadline(step: Step) -> Duration {
    Duration::from_millis(u64::try_from(step.secs() * 500).unwrap_or(2500)).min(Duration::from_secs(10))
}

/// The newest slice a source can know: its samples come late by `delay`, and where its clock is
/// apart from ours by more than half a step, its clock counts.
pub(super) fn moment(at: Ts, step: Step, delay: Span, skew: Option<crate::prometheus::Skew>) -> Ts {
    let ahead = skew.map_or(0, |skew| skew.ahead);
    let shift = if ahead.abs() * 2 > step.secs() { ahead } else { 0 };
    step.floor(Ts(at.0.saturating_add(shift)).minus(delay))
}

async fn ask_alive(shared: &Shared, plan: Arc<Plan>, place: usize, at: Ts, end: Instant) -> Asked {
    let Some(group) = plan.alive_groups.get(place) else { return Asked::default() };
    let answer = ask_source(shared, group.query(at), Priority::Tick, left(end)).await;
    let mut asked = outcome(&group.source, at, Question::Alive(place), &answer);
    for (ix, reading) in group.read(&answer) {
        match reading {
            Some(reading) => asked.alive.push((ix, reading)),
            None => asked.alive_unknown.push(ix),
        }
    }
    asked
}

async fn ask_direct(shared: &Shared, plan: Arc<Plan>, place: usize, at: Ts, end: Instant) -> Asked {
    let Some(direct) = plan.direct.get(place) else { return Asked::default() };
    let answer = ask_source(shared, direct.query(at), Priority::Tick, left(end)).await;
    let mut asked = outcome(&direct.source, at, Question::Direct(place), &answer);
    if matches!(answer, Answer::Frames { .. }) {
        let twice = Span::from_secs_saturating(direct.every.secs() * 2);
        let seen = DirectSeen { at, fresh_until: at.plus(twice), reading: direct.read(&answer) };
        asked.direct.push((DirectIx(u32::try_from(place).unwrap_or(u32::MAX)), seen));
    }
    asked
}

fn outcome(source: &str, at: Ts, question: Question, answer: &Answer) -> Asked {
    let settles = vec![(question, matches!(answer, Answer::Frames { .. }))];
    let mut asked = Asked { source: source.to_owned(), at, settles, ..Asked::default() };
    match question {
        Question::Alive(_) => asked.tally.hear(failure(answer)),
        Question::Direct(_) | Question::Series(_) => asked.tally.count(1, failure(answer)),
    }
    asked
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}
