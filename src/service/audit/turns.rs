//! Whose turn it is: every query group of a source in a circle, and what differs in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::audit::{Compared, Drift, Findings, Visit, stretch};
use crate::engine::digest::Digest;
use crate::engine::fact::SeriesIx;
use crate::engine::ledger::{FINE_REACH, Ledger};
use crate::engine::plan::{Form, Plan, Planned, QueryGroup, Read};
use crate::engine::sample::Failure;
use crate::slo::time::{Span, Ts};

/// Members asked at once: a part of a large query, so that no visit costs more than others.
const MEMBERS: usize = 25;
/// A circle is to be over in an hour, with so many questions in a round at most.
const CIRCLE: Span = Span::from_hours(1);
const MOST_JOBS: usize = 4;
/// Before slices are too old for the ledger to tell them apart, they are left alone.
const SPARE: Span = Span::from_mins(15);

/// What is to be asked.
pub(super) struct Job {
    pub group: Arc<QueryGroup>,
    /// Slots after the first moment up to the second.
    pub stretch: (Ts, Ts),
    /// Its place in the circle; `None` for one that differed.
    unit: Option<usize>,
}

/// One source's circle.
pub(super) struct Turns {
    source: String,
    plan: Arc<Plan>,
    units: Vec<Arc<QueryGroup>>,
    /// Visits so far.
    cursor: u64,
    round: u64,
    findings: Findings,
    /// By series: how it is asked, and since when, if that ever changed. What a restart changes of it, the
    /// lookback, the ledger remembers.
    expressions: BTreeMap<u64, (u64, Option<Ts>)>,
}

impl Turns {
    pub(super) fn of(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            plan: Arc::default(),
            units: Vec::new(),
            cursor: 0,
            round: 0,
            findings: Findings::default(),
            expressions: BTreeMap::new(),
        }
    }

    /// Takes up a plan; slots that were asked in another way are not compared.
    pub(super) fn adopt(&mut self, plan: &Arc<Plan>, ledger: &Ledger, newest: Ts) {
        if Arc::ptr_eq(&self.plan, plan) {
            return;
        }
        self.plan = Arc::clone(plan);
        let own = plan.groups.iter().filter(|group| group.source == self.source);
        // Five-minute ratios are averages over time, with nothing counted behind them.
        let counted = own.filter(|group| !matches!(group.form, Form::Direct { .. }));
        self.units.clear();
        let before = std::mem::take(&mut self.expressions);
        for group in counted {
            self.units.extend(parts(group));
            let asked = expression(group);
            for id in group.series().filter_map(|ix| ledger.series(ix)).map(|series| series.id()) {
                let since = match before.get(&id) {
                    Some((same, since)) if *same == asked => *since,
                    Some(_) => Some(newest),
                    None => None,
                };
                self.expressions.insert(id, (asked, since));
            }
        }
    }

    /// What is asked in this round: what differed first, then whose turn it is.
    pub(super) fn next(&mut self, ledger: &Ledger, newest: Ts, every: Span) -> Vec<Job> {
        self.round += 1;
        let oldest = newest.minus(FINE_REACH).plus(SPARE);
        let plan = Arc::clone(&self.plan);
        let otherwise = |drift: &Drift| ledger.series(ledger.find(drift.series)?)?.booked_otherwise();
        self.findings.retain(|drift| {
            drift.end > oldest && otherwise(drift) < Some(drift.end) && counts(&plan, ledger, drift)
        });
        let mut jobs = Vec::new();
        if let Some(drift) = self.findings.due().cloned() {
            self.findings.looked(&drift, self.round);
            jobs.extend(self.again(ledger, &drift));
        }
        for _ in 0..self.share(every) {
            jobs.extend(self.turn(ledger, oldest, newest));
        }
        jobs
    }

    /// Takes in what was compared.
    pub(super) fn note(&mut self, compared: Compared) {
        self.findings.note(compared, self.round);
    }

    /// A query that its source refuses is asked for each member alone from then on.
    pub(super) fn failed(&mut self, job: &Job, failure: &Failure) {
        let several = job.group.members.len() > 1;
        if let Some(unit) = job.unit.filter(|_| several && !failure.kind.is_of_source())
            && self.units.get(unit).is_some_and(|group| Arc::ptr_eq(group, &job.group))
        {
            self.units.splice(unit..=unit, job.group.split().into_iter().map(Arc::new));
        }
    }

    /// What differs for certain.
    pub(super) fn certain(&self) -> Vec<Drift> {
        self.findings.certain()
    }

    fn share(&self, every: Span) -> usize {
        let rounds = usize::try_from(CIRCLE.secs() / every.secs().max(1)).unwrap_or(1).max(1);
        self.units.len().div_ceil(rounds).min(MOST_JOBS)
    }

    fn turn(&mut self, ledger: &Ledger, oldest: Ts, newest: Ts) -> Option<Job> {
        let count = u64::try_from(self.units.len()).ok().filter(|count| *count > 0)?;
        let (nth, unit) = (self.cursor / count, usize::try_from(self.cursor % count).ok()?);
        self.cursor += 1;
        let group = Arc::clone(self.units.get(unit)?);
        let since = group.series().filter_map(|ix| self.since(ledger, ix)).max();
        let series = group.series().filter_map(|ix| ledger.series(ix));
        let first = series.filter_map(|series| series.first_known().or(series.answered().first())).min();
        let slot = slot(&group);
        // Of the first slot nothing can be said.
        let oldest = oldest.max(first?.plus(slot)).max(since.unwrap_or(oldest));
        let stretch = stretch(Visit { nth, oldest, newest, slot })?;
        Some(Job { group, stretch, unit: Some(unit) })
    }

    fn again(&self, ledger: &Ledger, drift: &Drift) -> Option<Job> {
        let ix = ledger.find(drift.series)?;
        let group = self.plan.groups.iter().find(|group| group.series().any(|own| own == ix))?;
        let member = group.members.iter().position(|m| m.wanted.iter().any(|w| w.series == ix))?;
        let from = drift.end.minus(drift.width).minus(drift.width);
        Some(Job { group: Arc::new(group.part(member..member + 1)), stretch: (from, drift.end), unit: None })
    }

    fn since(&self, ledger: &Ledger, ix: SeriesIx) -> Option<Ts> {
        let series = ledger.series(ix)?;
        let since = self.expressions.get(&series.id()).and_then(|(_, since)| *since);
        since.max(series.booked_otherwise())
    }
}

/// Whether some SLO counts it: somebody may have taken the time out of all of them.
fn counts(plan: &Plan, ledger: &Ledger, drift: &Drift) -> bool {
    let Some(ix) = ledger.find(drift.series) else { return false };
    let is_out = |planned: &Planned| {
        let list = ledger.excluded(&planned.id).map_or(&[][..], |excluded| excluded.list());
        list.iter().any(|exclusion| exclusion.from < drift.end && drift.end <= exclusion.to)
    };
    plan.readers_of([Read::Series(ix)]).any(|planned| !is_out(planned))
}

fn parts(group: &Arc<QueryGroup>) -> Vec<Arc<QueryGroup>> {
    let members = group.members.len();
    if members <= MEMBERS {
        return vec![Arc::clone(group)];
    }
    let starts = (0..members).step_by(MEMBERS);
    starts.map(|start| Arc::new(group.part(start..members.min(start + MEMBERS)))).collect()
}

fn slot(group: &QueryGroup) -> Span {
    match group.form {
        Form::Timeslice { slice, .. } => slice.max(group.step.span()),
        _ => group.step.span(),
    }
}

/// What of a question its answer depends on, besides what is counted.
fn expression(group: &QueryGroup) -> u64 {
    let interval = match group.form {
        Form::Increase | Form::Native { .. } => group.interval,
        _ => None,
    };
    let lookback = group.lookback(group.step.span());
    Digest::of(&[&format!("{:?} {lookback} {} {interval:?}", group.form, group.left_open)]).short()
}
