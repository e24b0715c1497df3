//! One tick: ask, book, judge, commit, journal. SLOs are judged in batches as their answers arrive,
//! so that one slow query delays nobody else's page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::asking::{Asked, Asking};
use super::blind::Tally;
use super::decide::decide;
use super::journal::Journal;
use super::missed::missed;
use super::shared::Shared;
use crate::engine::fact::SeriesIx;
use crate::engine::plan::{Plan, Planned};
use crate::engine::step::{Delta, Inputs, Observed, net, step, step_sources, step_unanswered};
use crate::slo::time::Ts;

/// Answers that arrive within this of each other are judged together.
const TOGETHER: Duration = Duration::from_millis(25);
/// Moments of missed slices judged at most in one go; beyond it some are passed over.
const MOST_MISSED: usize = 240;

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
    let mut round = Round {
        shared,
        waits: Waits::of(&plan),
        plan,
        at,
        answered_until: BTreeMap::new(),
        unanswered: Vec::new(),
        tally: BTreeMap::new(),
        done: Done::default(),
        uncommitted: None,
    };
    let mut answers: FuturesUnordered<_> = asking.questions(shared, &round.plan, at).into_iter().collect();
    let mut ready = Vec::new();
    loop {
        let next = if ready.is_empty() {
            answers.next().await
        } else {
            match tokio::time::timeout(TOGETHER, answers.next()).await {
                Ok(next) => next,
                Err(_) => {
                    round.judge(std::mem::take(&mut ready)).await;
                    continue;
                }
            }
        };
        let Some(asked) = next else { break };
        ready.extend(round.take(asked, asking, journal));
    }
    round.judge(ready).await;
    round.judge_sources().await;
    round.judge_unanswered().await;
    asking.faults.conclude(at, &round.tally);
    shared.trouble("queries", asking.faults.trouble(&round.tally));
    let journaled = journal.write(shared).await;
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
    /// By source: what became of the questions.
    tally: BTreeMap<String, Tally>,
    done: Done,
    /// Why a decision of this round was not committed.
    uncommitted: Option<String>,
}

impl Round<'_> {
    /// Books one answer; gives back the SLOs that wait for nothing more.
    fn take(&mut self, asked: Asked, asking: &mut Asking, journal: &mut Journal) -> Vec<(usize, bool)> {
        self.tally.entry(asked.source.clone()).or_default().add(&asked.tally);
        self.answered_until.insert(asked.source.clone(), asked.at);
        journal.book(self.shared, &self.plan, &asked.facts);
        asking.learn(&self.plan, &asked);
        {
            let observed = &mut self.shared.world.write().observed;
            observed.alive.extend(asked.alive);
            for ix in asked.alive_unknown {
                observed.alive.remove(&ix);
            }
            observed.direct.extend(asked.direct);
        }
        self.waits.settle(&asked.settles)
    }

    /// Judges SLOs by index, each with whether everything it needs is known. The others wait for
    /// the end of the tick: only then is it known whether their source is blind.
    async fn judge(&mut self, ready: Vec<(usize, bool)>) {
        let (known, unknown): (Vec<_>, Vec<_>) = ready.into_iter().partition(|(_, known)| *known);
        self.unanswered.extend(unknown.into_iter().map(|(ix, _)| ix));
        let ready: Vec<usize> = known.into_iter().map(|(ix, _)| ix).collect();
        if ready.is_empty() {
            return;
        }
        let began = tokio::time::Instant::now();
        let (delta, judged) = self.look(&ready);
        self.done.step_seconds += began.elapsed().as_secs_f64();
        self.commit(delta, judged).await;
    }

    fn look(&self, ready: &[usize]) -> (Delta, Vec<(String, Ts)>) {
        let world = self.shared.world.read();
        let inputs = |at, observed| self.inputs(at, observed);
        let mut by_moments: BTreeMap<Vec<Ts>, Vec<usize>> = BTreeMap::new();
        let mut all = Delta::default();
        let mut judged = Vec::new();
        for ix in ready {
            let Some(planned) = self.plan.slos.get(*ix) else { continue };
            let at = self.moment_of(planned);
            let since = world.judged.get(&planned.id).copied();
            by_moments
                .entry(missed(since, at, self.shared.settings.step, MOST_MISSED))
                .or_default()
                .push(*ix);
            judged.push((planned.id.clone(), at));
        }
        for (moments, slos) in by_moments {
            let mut control = None;
            let mut deltas = Vec::with_capacity(moments.len());
            let several = moments.len() > 1;
            for at in moments {
                let now = control.as_ref().unwrap_or(&world.control);
                let batch = slos.iter().filter_map(|ix| self.plan.slos.get(*ix));
                let delta = step(batch, &world.ledger, now, &inputs(at, &world.observed));
                if several {
                    control.get_or_insert_with(|| world.control.clone()).apply(&delta);
                }
                deltas.push(delta);
            }
            all.extend(net(&world.control, deltas));
        }
        (all, judged)
    }

    /// Moves the alerts about not knowing of SLOs that could not be judged.
    async fn judge_unanswered(&mut self) {
        let slos = std::mem::take(&mut self.unanswered);
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
        let delta = {
            let mut world = self.shared.world.write();
            for name in self.shared.sources.keys() {
                let was = world.observed.is_blind(name);
                let tally = self.tally.get(name);
                let blind = tally.map_or(was, |tally| tally.is_blind(was));
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

    async fn commit(&mut self, delta: Delta, judged: Vec<(String, Ts)>) {
        match decide(self.shared, delta, judged).await {
            Ok(()) => {}
            Err(error) => {
                tracing::error!(%error, "decisions were not committed; the next tick decides again");
                self.shared.trouble("store", Some(error.to_string()));
                self.uncommitted.get_or_insert(error.to_string());
                self.done.uncommitted += 1;
            }
        }
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

/// What each SLO still waits for.
struct Waits {
    /// By SLO: how much is not answered yet, and whether all so far was known.
    slos: Vec<(usize, bool)>,
    /// By question: the SLOs that wait for it.
    by_question: BTreeMap<Question, BTreeSet<usize>>,
}

/// One thing that is asked in a tick.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Question {
    /// A series of slices.
    Series(SeriesIx),
    /// An alive group, by position.
    Alive(usize),
    /// A direct window, by position.
    Direct(usize),
}

impl Waits {
    fn of(plan: &Plan) -> Self {
        let mut by_question: BTreeMap<Question, BTreeSet<usize>> = BTreeMap::new();
        let wanted = plan.groups.iter().flat_map(|group| &group.members).flat_map(|m| &m.wanted);
        let asked: BTreeSet<SeriesIx> = wanted.map(|w| w.series).collect();
        let alive_of: BTreeMap<_, _> = plan
            .alive_groups
            .iter()
            .enumerate()
            .flat_map(|(place, group)| group.members().iter().map(move |ix| (*ix, place)))
            .collect();
        let mut slos = Vec::with_capacity(plan.slos.len());
        for (slo, planned) in plan.slos.iter().enumerate() {
            let series = planned.bad.iter().chain(&planned.total).map(|(_, ix)| *ix);
            let series = series.filter(|ix| asked.contains(ix)).map(Question::Series);
            let alive = planned.alive.and_then(|ix| alive_of.get(&ix)).map(|place| Question::Alive(*place));
            let direct =
                planned.direct.iter().map(|(_, ix)| Question::Direct(usize::try_from(ix.0).unwrap_or(0)));
            let needs: BTreeSet<Question> = series.chain(alive).chain(direct).collect();
            for question in &needs {
                by_question.entry(*question).or_default().insert(slo);
            }
            slos.push((needs.len(), true));
        }
        Self { slos, by_question }
    }

    /// Strikes questions off; gives back the SLOs that wait for nothing more, and whether all was known.
    fn settle(&mut self, questions: &[(Question, bool)]) -> Vec<(usize, bool)> {
        let mut ready = Vec::new();
        for (question, known) in questions {
            // Not knowing the targets holds resolves by itself; it keeps no SLO from being judged.
            let counts = matches!(question, Question::Series(_));
            for slo in self.by_question.remove(question).unwrap_or_default() {
                let Some((left, all_known)) = self.slos.get_mut(slo) else { continue };
                *left = left.saturating_sub(1);
                *all_known &= *known || !counts;
                if *left == 0 {
                    ready.push((slo, *all_known));
                }
            }
        }
        ready
    }
}
