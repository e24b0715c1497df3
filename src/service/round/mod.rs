//! The course of a tick: ask, book, judge, commit, journal. SLOs are judged in batches as their
//! answers arrive, so that one slow query delays nobody else's page.

mod unknown;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answers::{Answers, Next};
use super::asking::{Asked, Asking};
use super::blind::Tally;
use super::catchup::{self, Arrears, Debts, moments};
use super::commits::Commits;
use super::degraded;
use super::journal::Journal;
use super::missed::Moment;
use super::replay::replay;
use super::shared::Shared;
use super::state::World;
use super::waits::{Ready, Waits};
use crate::engine::fact::SeriesIx;
use crate::engine::plan::{Plan, Planned};
use crate::engine::step::{Delta, Inputs, Observed, retire, step_missed};
use crate::slo::time::Ts;

/// Answers that arrive within this after the first that lets something be judged are judged with it.
const TOGETHER: Duration = Duration::from_millis(25);

/// What one tick came to.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Done {
    /// Batches whose decision was not committed.
    pub uncommitted: u64,
    /// Seconds spent in `step`.
    pub step_seconds: f64,
}

/// Runs the tick for the slice that ends at `at`.
pub(super) async fn round(shared: &Arc<Shared>, asking: &mut Asking, journal: &mut Journal, at: Ts) -> Done {
    degraded::take_over(shared).await;
    journal.take_over(shared);
    let plan = Arc::clone(&shared.world.read().plan);
    asking.prepare(&plan);
    let waits = {
        let world = shared.world.read();
        Waits::of(&plan, &world.control, &world.observed)
    };
    let mut round = Round {
        shared,
        waits,
        plan,
        at,
        answered_until: BTreeMap::new(),
        unanswered: Vec::new(),
        failures: BTreeMap::new(),
        tally: BTreeMap::new(),
        left_open: None,
        step_seconds: 0.0,
        commits: Commits::of(shared),
    };
    let mut answers = Answers::of(asking.questions(shared, &round.plan, at));
    answers.meanwhile(round.retire()).await;
    let mut ready = round.waits.for_nothing();
    // When what is ready is judged: soon after the first of it, however many answers follow.
    let mut due = None;
    loop {
        match answers.next(due).await {
            Next::Answer(asked) => ready.extend(round.take(asked, asking, journal)),
            Next::Due => answers.meanwhile(round.judge(std::mem::take(&mut ready))).await,
            Next::End => break,
        }
        due = if ready.is_empty() { None } else { due.or_else(|| Some(Instant::now() + TOGETHER)) };
    }
    round.judge(ready).await;
    round.judge_sources().await;
    round.judge_unanswered(asking).await;
    round.sum_up().await;
    asking.faults.conclude(at, &round.tally);
    asking.open.forget(at);
    shared.trouble("queries", asking.faults.trouble(&round.tally).or(round.left_open.take()));
    // What is journaled counts as judged after a restart: not before its decisions are committed.
    let uncommitted = round.commits.end();
    let journaled = if uncommitted == 0 { journal.write(shared).await } else { Ok(()) };
    degraded::count(shared, uncommitted > 0, &journaled).await;
    shared.trouble("journal", journaled.err().map(|error| error.to_string()));
    Done { uncommitted, step_seconds: round.step_seconds }
}

struct Round<'a> {
    shared: &'a Arc<Shared>,
    plan: Arc<Plan>,
    at: Ts,
    waits: Waits,
    /// By source: the newest slice asked for.
    answered_until: BTreeMap<String, Ts>,
    /// SLOs by index that cannot be judged in this tick.
    unanswered: Vec<usize>,
    /// Why series have no answer.
    failures: BTreeMap<SeriesIx, String>,
    /// By source: what became of the questions.
    tally: BTreeMap<String, Tally>,
    /// What is left out because a follow-up question had no answer.
    left_open: Option<String>,
    step_seconds: f64,
    commits: Commits<'a>,
}

impl Round<'_> {
    /// Books one answer; gives back the SLOs that wait for nothing more.
    fn take(&mut self, asked: Asked, asking: &mut Asking, journal: &mut Journal) -> Vec<(usize, Ready)> {
        self.tally.entry(asked.source.clone()).or_default().add(&asked.tally);
        self.answered_until.insert(asked.source.clone(), asked.at);
        for (part, failure) in &asked.outcomes {
            let Some(failure) = failure else { continue };
            self.failures.extend(part.group.series().map(|series| (series, failure.message.clone())));
        }
        self.failures.extend(asked.unsettled.clone());
        reach!(Asked, "a slice");
        journal.book(self.shared, &self.plan, &asked.facts);
        reach!(Booked, "a slice");
        asking.open.note(&self.shared.world.read().ledger, &asked, self.at);
        asking.faults.learn(&self.plan, &asked);
        self.left_open = self.left_open.take().or(asked.left_open);
        {
            let observed = &mut self.shared.world.write().observed;
            for (ix, reading) in asked.alive {
                observed.saw(ix, asked.at, Some(reading));
            }
            for ix in asked.alive_unknown {
                observed.saw(ix, asked.at, None);
            }
            observed.direct.extend(asked.direct);
        }
        self.waits.settle(&asked.settles)
    }

    /// Judges SLOs by index. Those of which not all is known wait for the end of the tick: only then
    /// is it known whether their source is blind. A composite does not: what is known of its parts counts.
    async fn judge(&mut self, ready: Vec<(usize, Ready)>) {
        let of = |what| ready.iter().filter(move |(_, ready)| *ready == what).map(|(ix, _)| *ix);
        let plan = Arc::clone(&self.plan);
        let is_composite = |ix: &usize| plan.slos.get(*ix).is_some_and(|planned| planned.parts.is_some());
        self.unanswered.extend(of(Ready::Unknown).filter(|ix| !is_composite(ix)));
        self.begin(of(Ready::ToBegin).collect()).await;
        let ready: Vec<usize> = of(Ready::Known).chain(of(Ready::Unknown).filter(is_composite)).collect();
        if ready.is_empty() || !self.commits.is_sure().await {
            return;
        }
        let began = Instant::now();
        let gaps = Debts::of(self.gaps(&ready));
        let (delta, judged) = self.look(&ready);
        self.step_seconds += began.elapsed().as_secs_f64();
        self.commits.commit_owing(&delta, judged, gaps).await;
    }

    /// Fires what begins to, of SLOs that still wait for their targets: those only hold what ends.
    async fn begin(&mut self, slos: Vec<usize>) {
        if slos.is_empty() || !self.commits.is_sure().await {
            return;
        }
        let delta = {
            let world = self.shared.world.read();
            let mut delta = Delta::default();
            for planned in slos.iter().filter_map(|ix| self.plan.slos.get(*ix)) {
                // With moments before it that were missed it is judged in order, once all is answered.
                if world.judged.contains_key(&planned.id) && !self.is_behind(&world, planned) {
                    let inputs = self.inputs(self.newest(self.moment_of(planned)), &world.observed);
                    delta.extend(step_missed([planned], &world.ledger, &world.control, &inputs));
                }
            }
            delta.beginning(&world.control)
        };
        self.commits.commit(&delta, Vec::new()).await;
    }

    /// Ends the alerts of SLOs that are not defined any more; tried again in each tick until it is
    /// committed, and after a restart.
    async fn retire(&mut self) {
        if !self.commits.is_sure().await {
            return;
        }
        let delta = {
            let world = self.shared.world.read();
            let known = world.control.iter().filter_map(|(key, _)| key.subject.slo());
            let held = known.filter(|slo| self.plan.holds(slo));
            let defined = self.plan.slos.iter().map(|planned| planned.id.as_str()).chain(held).collect();
            retire(&defined, &world.control, self.at)
        };
        self.commits.commit(&delta, Vec::new()).await;
    }

    /// What follows for these SLOs, and until when they are judged then.
    fn look(&self, ready: &[usize]) -> (Delta, Vec<(String, Ts)>) {
        let world = self.shared.world.read();
        let slos: Vec<&Planned> = ready.iter().filter_map(|ix| self.plan.slos.get(*ix)).collect();
        let behind = slos.iter().copied().filter(|planned| self.is_behind(&world, planned));
        let most = catchup::most(&world.ledger, behind);
        let mut by_moments: BTreeMap<Vec<Moment>, Vec<&Planned>> = BTreeMap::new();
        let mut judged = Vec::new();
        for planned in slos {
            let at = self.moment_of(planned);
            let since = world.judged.get(&planned.id).copied();
            let moments = moments(&world.ledger, planned, since, at, self.shared.settings.step, most);
            by_moments.entry(moments).or_default().push(planned);
            judged.push((planned.id.clone(), at));
        }
        let mut all = Delta::default();
        for (moments, slos) in by_moments {
            let inputs = |moment| self.inputs(moment, &world.observed);
            all.extend(replay(&slos, &world.ledger, &world.control, &moments, inputs));
        }
        (all, judged)
    }

    /// Whether more than the newest slice of an SLO is to be judged.
    fn is_behind(&self, world: &World, planned: &Planned) -> bool {
        let since = world.judged.get(&planned.id);
        since.is_some_and(|since| self.moment_of(planned).since(*since) > self.shared.settings.step.span())
    }

    /// The gaps that SLOs are judged with behind them.
    fn gaps(&self, ready: &[usize]) -> Arrears {
        let (world, owed) = (self.shared.world.read(), self.shared.owed.read());
        let step = self.shared.settings.step;
        let of = |planned: &Planned| catchup::gap(&owed, &world, planned, self.moment_of(planned), step);
        let slos = ready.iter().filter_map(|ix| self.plan.slos.get(*ix));
        slos.filter_map(|planned| Some((planned.id.clone(), of(planned)?))).collect()
    }

    /// Tells what burned in gaps that are filled by now.
    async fn sum_up(&mut self) {
        if self.shared.owed.read().is_empty() || !self.commits.is_sure().await {
            return;
        }
        let summed = {
            let (world, owed) = (self.shared.world.read(), self.shared.owed.read());
            let inputs = |moment| self.inputs(moment, &world.observed);
            catchup::sum_up(&owed, &world, &self.plan, self.shared.settings.step, inputs)
        };
        self.commits.commit_owing(&summed.delta, Vec::new(), Debts::paid(summed.slos)).await;
    }

    /// The slice that the answers of an SLO's source reach to; of several sources of a composite the one
    /// that is latest behind.
    fn moment_of(&self, planned: &Planned) -> Ts {
        let until = |source: &str| self.answered_until.get(source).copied();
        if planned.parts.is_none() {
            return until(&planned.source).unwrap_or(self.at);
        }
        let sources = planned.sources().into_iter();
        sources.filter_map(until).min().unwrap_or(self.at)
    }

    /// A moment that speaks for its own slice.
    fn newest(&self, at: Ts) -> Moment {
        Moment { at, step: self.shared.settings.step.span() }
    }

    fn inputs<'b>(&'b self, moment: Moment, observed: &'b Observed) -> Inputs<'b> {
        Inputs {
            at: moment.at,
            step: moment.step,
            observed,
            external: &self.shared.settings.external_labels,
            receivers: &self.shared.told,
            shadow: self.shared.settings.alerting.shadow(),
        }
    }
}
