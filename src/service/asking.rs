//! What a tick asks: every query group for its newest slots, targets, direct windows that are due.
//! All of it has one deadline, so that a tick never takes longer, and nothing waits for another.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, once};
use tokio::time::Instant;

use super::blind::Tally;
use super::counting::{self, Task};
use super::faults::{Faults, Turn};
use super::linked::{clusters, linked};
use super::open::Open;
use super::parts::{Part, PartId};
use super::reach::Reach;
use super::shared::Shared;
use super::single::{Single, alive_id, ask_alive, ask_direct, direct_id, not_now};
use super::waits::Question;
use crate::engine::fact::{Facts, SeriesIx};
use crate::engine::plan::{AliveIx, AliveReading, DirectIx, Plan};
use crate::engine::sample::Failure;
use crate::engine::step::DirectSeen;
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
    /// What became of a question about targets, or of a direct window.
    pub single: Option<Single>,
}

/// What is remembered from tick to tick about queries.
#[derive(Default)]
pub(super) struct Asking {
    plan: Option<Arc<Plan>>,
    /// Queries that fail.
    pub(super) faults: Faults,
    /// Places of query groups, those that are judged together.
    clusters: Vec<Vec<usize>>,
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
        source.map_or(self.at, |source| moment(self.at, step, source.delay(), source.ahead()))
    }
}

impl Asking {
    /// Forgets what was about queries that a new plan does not ask: a query that was mended is asked
    /// at once, and an edit elsewhere makes no query that hangs forgotten.
    pub(super) fn prepare(&mut self, plan: &Arc<Plan>) {
        if self.plan.as_ref().is_none_or(|old| !Arc::ptr_eq(old, plan)) {
            self.clusters = clusters(plan);
            self.faults.keep(plan);
            self.plan = Some(Arc::clone(plan));
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
        questions.extend((0..plan.alive_groups.len()).filter_map(|place| self.alive(shared, &frame, place)));
        questions.extend((0..plan.direct.len()).filter_map(|place| self.direct(shared, &frame, place)));
        for cluster in &self.clusters {
            self.counting(shared, &frame, cluster, &mut questions);
        }
        let first = self.first.checked_rem(questions.len()).unwrap_or(0);
        questions.rotate_left(first);
        self.first = self.first.wrapping_add(1);
        questions.sort_by_key(|(turn, _)| *turn);
        questions.into_iter().map(|(_, ask)| ask).collect()
    }

    fn alive<'a>(
        &self,
        shared: &'a Arc<Shared>,
        frame: &Frame<'_>,
        place: usize,
    ) -> Option<(Turn, Question_<'a>)> {
        let group = frame.plan.alive_groups.get(place)?;
        let (id, at, end) = (alive_id(group), frame.moment(&group.source), frame.end);
        if self.faults.rests(id, at) {
            let rest = not_now(&group.source, Question::Alive(place), at);
            return Some((Turn::Last, at_once(rest)));
        }
        let plan = Arc::clone(frame.plan);
        let ask = async move { ask_alive(shared, &plan, place, at, end).await };
        Some((self.faults.turn(id), once(ask).boxed()))
    }

    fn direct<'a>(
        &self,
        shared: &'a Arc<Shared>,
        frame: &Frame<'_>,
        place: usize,
    ) -> Option<(Turn, Question_<'a>)> {
        let direct = frame.plan.direct.get(place)?;
        let ix = DirectIx(u32::try_from(place).unwrap_or(u32::MAX));
        let (id, at, end) = (direct_id(direct), frame.moment(&direct.source), frame.end);
        let last = shared.world.read().observed.direct.get(&ix).map(|seen| seen.at);
        let due = last.is_none_or(|last| at.since(last) >= direct.every);
        if !due || self.faults.rests(id, at) {
            let rest = not_now(&direct.source, Question::Direct(place), at);
            return Some((Turn::Usual, at_once(rest)));
        }
        let plan = Arc::clone(frame.plan);
        let ask = async move { ask_direct(shared, &plan, place, at, end).await };
        Some((self.faults.turn(id), once(ask).boxed()))
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
            let open = self.open.oldest(&world.ledger, part.group.series(), at);
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
pub(super) fn moment(at: Ts, step: Step, delay: Span, ahead: i64) -> Ts {
    let shift = if ahead.abs() * 2 > step.secs() { ahead } else { 0 };
    step.floor(Ts(at.0.saturating_add(shift)).minus(delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_apart_by_more_than_half_a_step_is_the_one_that_counts() {
        let at = Ts(1_800_000_000);
        let shifted = |ahead, delay| moment(at, Step::DEFAULT, Span::from_secs(delay), ahead).0 - at.0;
        for (ahead, delay, slices) in
            [(0, 0, 0), (15, 0, 0), (-15, 0, 0), (16, 0, 0), (-16, 0, -1), (90, 0, 3)]
        {
            assert_eq!(shifted(ahead, delay), slices * 30, "{ahead}s");
        }
        assert_eq!(shifted(0, 60), -60);
        assert_eq!(shifted(60, 60), 0);
    }
}
