//! One tick: ask, book, judge, commit, journal. SLOs are judged in batches as their answers arrive,
//! so that one slow query delays nobody else's page.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answers::{Answers, Next};
use super::asking::{Asked, Asking};
use super::blind::Tally;
use super::catchup::{self, moments};
use super::decide::{decide, make_sure};
use super::journal::Journal;
use super::shared::Shared;
use super::unknown::Unknown;
use super::waits::{Ready, Waits};
use crate::engine::fact::SeriesIx;
use crate::engine::plan::{Plan, Planned};
use crate::engine::step::{
    Delta, Inputs, Observed, net, retire, step, step_missed, step_sources, step_unanswered,
};
use crate::slo::time::Ts;
use crate::store::StoreError;

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
        done: Done::default(),
        store_answers: true,
        uncommitted: None,
    };
    let mut answers = Answers::of(asking.questions(shared, &round.plan, at));
    answers.meanwhile(round.retire()).await;
    let mut ready = Vec::new();
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
    let journaled = if round.uncommitted.is_none() { journal.write(shared).await } else { Ok(()) };
    shared.trouble("journal", journaled.err().map(|error| error.to_string()));
    // Once for the whole round: a batch with nothing to commit does not say that the store is well.
    shared.trouble("store", round.uncommitted.take());
    round.done
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
    done: Done,
    /// Whether the store was not found silent in this round.
    store_answers: bool,
    /// Why a decision of this round was not committed.
    uncommitted: Option<String>,
}

impl Round<'_> {
    /// Books one answer; gives back the SLOs that wait for nothing more.
    fn take(&mut self, asked: Asked, asking: &mut Asking, journal: &mut Journal) -> Vec<(usize, Ready)> {
        self.tally.entry(asked.source.clone()).or_default().add(&asked.tally);
        self.answered_until.insert(asked.source.clone(), asked.at);
        for (part, failure) in &asked.outcomes {
            let Some(failure) = failure else { continue };
            let wanted = part.group.members.iter().flat_map(|member| &member.wanted);
            self.failures.extend(wanted.map(|wanted| (wanted.series, failure.message.clone())));
        }
        journal.book(self.shared, &self.plan, &asked.facts);
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
    /// is it known whether their source is blind.
    async fn judge(&mut self, ready: Vec<(usize, Ready)>) {
        let of = |what| ready.iter().filter(move |(_, ready)| *ready == what).map(|(ix, _)| *ix);
        self.unanswered.extend(of(Ready::Unknown));
        self.begin(of(Ready::ToBegin).collect()).await;
        let ready: Vec<usize> = of(Ready::Known).collect();
        if ready.is_empty() || !self.is_sure().await {
            return;
        }
        let began = Instant::now();
        self.note_gaps(&ready);
        let (delta, judged) = self.look(&ready);
        self.shared.owed.write().values_mut().for_each(|owed| owed.note(&delta));
        self.done.step_seconds += began.elapsed().as_secs_f64();
        self.commit(delta, judged).await;
    }

    /// Fires what begins to, of SLOs that still wait for their targets: those only hold what ends.
    async fn begin(&mut self, slos: Vec<usize>) {
        if slos.is_empty() || !self.is_sure().await {
            return;
        }
        let delta = {
            let world = self.shared.world.read();
            let mut delta = Delta::default();
            for planned in slos.iter().filter_map(|ix| self.plan.slos.get(*ix)) {
                let at = self.moment_of(planned);
                // With moments before it that were missed it is judged in order, once all is answered.
                let since = world
                    .judged
                    .get(&planned.id)
                    .filter(|s| at.since(**s) <= self.shared.settings.step.span());
                if since.is_some() {
                    let inputs = self.inputs(at, &world.observed);
                    delta.extend(step_missed([planned], &world.ledger, &world.control, &inputs));
                }
            }
            delta.beginning(&world.control)
        };
        self.shared.owed.write().values_mut().for_each(|owed| owed.note(&delta));
        self.commit(delta, Vec::new()).await;
    }

    /// Ends the alerts of SLOs that are not defined any more; tried again in each tick until it is
    /// committed, and after a restart.
    async fn retire(&mut self) {
        if !self.is_sure().await {
            return;
        }
        let defined = self.plan.slos.iter().map(|planned| planned.id.as_str()).collect();
        let delta = retire(&defined, &self.shared.world.read().control, self.at);
        self.commit(delta, Vec::new()).await;
    }

    fn look(&self, ready: &[usize]) -> (Delta, Vec<(String, Ts)>) {
        let world = self.shared.world.read();
        let mut by_moments: BTreeMap<Vec<Ts>, Vec<usize>> = BTreeMap::new();
        let mut all = Delta::default();
        let mut judged = Vec::new();
        for ix in ready {
            let Some(planned) = self.plan.slos.get(*ix) else { continue };
            let at = self.moment_of(planned);
            let since = world.judged.get(&planned.id).copied();
            let moments = moments(&world.ledger, planned, since, at, self.shared.settings.step);
            by_moments.entry(moments).or_default().push(*ix);
            judged.push((planned.id.clone(), at));
        }
        for (moments, slos) in by_moments {
            let mut control = None;
            let mut deltas = Vec::with_capacity(moments.len());
            let several = moments.len() > 1;
            let apart = match moments.as_slice() {
                [first, second, ..] => second.since(*first),
                _ => self.shared.settings.step.span(),
            };
            let newest = moments.last().copied();
            for at in moments {
                let now = control.as_ref().unwrap_or(&world.control);
                let batch = slos.iter().filter_map(|ix| self.plan.slos.get(*ix));
                let inputs = Inputs { step: apart, ..self.inputs(at, &world.observed) };
                let delta = if Some(at) == newest {
                    step(batch, &world.ledger, now, &inputs)
                } else {
                    step_missed(batch, &world.ledger, now, &inputs)
                };
                if several {
                    control.get_or_insert_with(|| world.control.clone()).apply(&delta);
                }
                deltas.push(delta);
            }
            all.extend(net(&world.control, deltas));
        }
        (all, judged)
    }

    /// Remembers the SLOs that are judged with a gap behind them.
    fn note_gaps(&self, ready: &[usize]) {
        let (world, mut owed) = (self.shared.world.read(), self.shared.owed.write());
        for planned in ready.iter().filter_map(|ix| self.plan.slos.get(*ix)) {
            catchup::note_gap(&mut owed, &world, planned, self.moment_of(planned), self.shared.settings.step);
        }
    }

    /// Tells what burned in gaps that are filled by now.
    async fn sum_up(&mut self) {
        if self.shared.owed.read().is_empty() || !self.is_sure().await {
            return;
        }
        let summed = {
            let (world, owed) = (self.shared.world.read(), self.shared.owed.read());
            let inputs = |at| self.inputs(at, &world.observed);
            catchup::sum_up(&owed, &world, &self.plan, self.shared.settings.step, inputs)
        };
        let uncommitted = self.done.uncommitted;
        self.commit(summed.delta, Vec::new()).await;
        if self.done.uncommitted == uncommitted {
            self.shared.owed.write().retain(|id, _| !summed.slos.contains(id));
        }
    }

    /// Moves the alerts about not knowing of SLOs that could not be judged.
    async fn judge_unanswered(&mut self, asking: &Asking) {
        let slos = std::mem::take(&mut self.unanswered);
        let unanswered = {
            let world = self.shared.world.read();
            let unknown = Unknown { plan: &self.plan, world: &world, at: &|planned| self.moment_of(planned) };
            unknown.all(&slos, &self.failures, &asking.faults)
        };
        self.shared.world.write().observed.unanswered = unanswered;
        if !self.is_sure().await {
            return;
        }
        let delta = {
            let world = self.shared.world.read();
            let mut delta = Delta::default();
            for planned in slos.iter().filter_map(|ix| self.plan.slos.get(*ix)) {
                let inputs = self.inputs(self.moment_of(planned), &world.observed);
                delta.extend(step_unanswered(planned, &world.control, &inputs));
            }
            delta
        };
        self.commit(delta, Vec::new()).await;
    }

    /// The slice that the answers of an SLO's source reach to.
    fn moment_of(&self, planned: &Planned) -> Ts {
        self.answered_until.get(&planned.source).copied().unwrap_or(self.at)
    }

    /// `SourceBlind`: a source is blind while it leaves most of what counts events unanswered.
    async fn judge_sources(&mut self) {
        if !self.is_sure().await {
            return;
        }
        let delta = {
            let mut world = self.shared.world.write();
            for name in self.shared.sources.keys() {
                let was = world.observed.is_blind(name);
                let tally = self.tally.get(name);
                // One that nothing was asked of is none that any SLO needs.
                let blind = tally.is_some_and(|tally| tally.is_blind(was));
                world.observed.blind.insert(name.clone(), blind);
                match (was, blind) {
                    (false, true) => {
                        let why = tally.and_then(Tally::why);
                        tracing::warn!(source = name, why, "the source does not answer");
                    }
                    (true, false) => tracing::info!(source = name, "the source answers again"),
                    _ => {}
                }
            }
            let observed = world.observed.clone();
            step_sources(&world.control, &self.inputs(self.at, &observed))
        };
        self.commit(delta, Vec::new()).await;
    }

    /// Whether decisions can be made: not while nobody knows what became of the last one. A store
    /// that does not answer is asked once in a tick, for each time it may take as long as a query.
    async fn is_sure(&mut self) -> bool {
        if !self.store_answers {
            return false;
        }
        let sure = Box::pin(make_sure(self.shared)).await;
        self.store_answers = self.note(sure);
        self.store_answers
    }

    async fn commit(&mut self, delta: Delta, judged: Vec<(String, Ts)>) {
        let committed = Box::pin(decide(self.shared, delta, judged)).await;
        self.note(committed);
    }

    /// Remembers why something was not committed; whether it was.
    fn note(&mut self, committed: Result<(), StoreError>) -> bool {
        let Err(error) = committed else { return true };
        tracing::error!(%error, "decisions were not committed; the next tick decides again");
        self.shared.trouble("store", Some(error.to_string()));
        self.uncommitted.get_or_insert(error.to_string());
        self.done.uncommitted += 1;
        false
    }

    fn inputs<'b>(&'b self, at: Ts, observed: &'b Observed) -> Inputs<'b> {
        Inputs {
            at,
            step: self.shared.settings.step.span(),
            observed,
            external: &self.shared.settings.external_labels,
            receivers: &self.shared.told,
        }
    }
}
