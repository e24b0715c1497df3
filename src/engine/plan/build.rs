//! From SLOs to series, and from series to query groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::alive::{Alive, AliveGroup, AliveIx};
use super::buckets;
use super::composite;
use super::direct::{Direct, DirectIx};
use super::gather::gather;
use super::{Plan, PlanContext, Planned, Readers, Role, Series};
use crate::engine::fact::{SeriesIx, SeriesKey, What};
use crate::engine::window::Signal;
use crate::slo::model::{Rule, Sli, Slo, Timeslice};
use crate::slo::period::{CalendarUnit, Period};
use crate::slo::query::{Linear, Selector};
use crate::slo::time::Span;

/// Weight of a signal that is one series.
pub(super) const ONCE: i64 = 1_000_000;

impl Plan {
    /// What to ask for these SLOs. The same input gives the same plan.
    pub fn build(slos: &[Arc<Slo>], context: &PlanContext) -> Self {
        let mut builder = Builder {
            plan: Self::default(),
            context,
            series: BTreeMap::new(),
            alive: BTreeMap::new(),
            direct: BTreeMap::new(),
        };
        for slo in slos {
            let planned = builder.slo(slo);
            builder.plan.slos.push(planned);
        }
        let mut plan = builder.plan;
        composite::find(&mut plan.slos);
        keep_for_composites(&mut plan);
        plan.readers = Readers::of(&plan.slos);
        plan.groups = gather(&plan.series, context);
        plan.buckets = buckets::pairs(&plan, context);
        plan.alive_groups = AliveGroup::merge(&plan.alive);
        plan
    }
}

struct Builder<'a> {
    plan: Plan,
    context: &'a PlanContext,
    /// Positions by the key's printed form, which is as distinct as the key.
    series: BTreeMap<String, SeriesIx>,
    alive: BTreeMap<(String, Selector), AliveIx>,
    /// As for series.
    direct: BTreeMap<String, DirectIx>,
}

impl Builder<'_> {
    fn slo(&mut self, slo: &Arc<Slo>) -> Planned {
        let source = slo.source.clone().unwrap_or_else(|| self.context.default_source.clone());
        let by = slo.group_by.as_ref().map(|g| g.labels.clone()).unwrap_or_default();
        let at = Place { source: &source, by: &by, keep: keep(slo) };
        let (bad, total) = match &slo.sli {
            Sli::Counted { bad, total } => (self.linear(&at, bad), self.linear(&at, total)),
            Sli::Timeslice(slice) => {
                (self.once(&at, timeslice(slice, true)), self.once(&at, timeslice(slice, false)))
            }
            Sli::Direct { error_ratio } => {
                let what = |bad| What::Direct { error_ratio: error_ratio.clone(), bad };
                (self.once(&at, what(true)), self.once(&at, what(false)))
            }
            Sli::Composite(_) => (Signal::new(), Signal::new()),
        };
        self.roles(&bad, &total);
        let alive = slo.alive.as_ref().map(|selector| self.alive(&source, selector));
        let direct = match &slo.sli {
            Sli::Direct { error_ratio } => self.windows(slo, &at, error_ratio),
            _ => Vec::new(),
        };
        Planned {
            slo: Arc::clone(slo),
            id: slo.id.to_string(),
            rule_names: slo.alerting.rules.iter().map(Rule::name).collect(),
            source,
            bad,
            total,
            alive,
            direct,
            parts: None,
        }
    }

    fn linear(&mut self, at: &Place<'_>, linear: &Linear) -> Signal {
        linear
            .terms
            .iter()
            .map(|term| (term.weight, self.series(at, What::Atom(term.atom.clone()))))
            .collect()
    }

    fn once(&mut self, at: &Place<'_>, what: What) -> Signal {
        vec![(ONCE, self.series(at, what))]
    }

    fn series(&mut self, at: &Place<'_>, what: What) -> SeriesIx {
        let key =
            SeriesKey { source: at.source.to_owned(), what, by: at.by.to_vec(), step: self.context.step };
        let next = SeriesIx(index(self.plan.series.len()));
        let ix = *self.series.entry(format!("{key:?}")).or_insert(next);
        if ix == next {
            self.plan.series.push(Series { key, keep: at.keep, role: Role::default() });
        }
        if let Some(series) = self.plan.series.get_mut(ix.0 as usize) {
            series.keep = series.keep.max(at.keep);
        }
        ix
    }

    /// Notes what this SLO uses its series for.
    fn roles(&mut self, bad: &Signal, total: &Signal) {
        let first_total = total.iter().find(|(weight, _)| *weight > 0).map(|(_, ix)| *ix);
        let in_total = |ix: &SeriesIx| total.iter().any(|(_, other)| other == ix);
        for (_, ix) in total {
            self.role(*ix, |role| role.total = true);
        }
        for (weight, ix) in bad.iter().filter(|(_, ix)| !in_total(ix)) {
            match *weight > 0 {
                true => self.role(*ix, |role| role.bad = true),
                false => self.role(*ix, |role| role.good_of = role.good_of.or(first_total)),
            }
        }
    }

    fn role(&mut self, ix: SeriesIx, note: impl FnOnce(&mut Role)) {
        if let Some(series) = self.plan.series.get_mut(ix.0 as usize) {
            note(&mut series.role);
        }
    }

    fn alive(&mut self, source: &str, selector: &Selector) -> AliveIx {
        let next = AliveIx(index(self.plan.alive.len()));
        let ix = *self.alive.entry((source.to_owned(), selector.clone())).or_insert(next);
        if ix == next {
            self.plan.alive.push(Alive { source: source.to_owned(), selector: selector.clone() });
        }
        ix
    }

    fn windows(&mut self, slo: &Slo, at: &Place<'_>, template: &str) -> Vec<(Span, DirectIx)> {
        let mut windows: Vec<Span> =
            slo.alerting.rules.iter().flat_map(|rule| [Some(rule.long), rule.short]).flatten().collect();
        windows.sort_unstable();
        windows.dedup();
        windows.into_iter().map(|window| (window, self.window(at, template, window))).collect()
    }

    fn window(&mut self, at: &Place<'_>, template: &str, window: Span) -> DirectIx {
        let direct = Direct {
            source: at.source.to_owned(),
            template: template.to_owned(),
            window,
            every: Direct::cadence(window, self.context.step),
            by: at.by.to_vec(),
        };
        let next = DirectIx(index(self.plan.direct.len()));
        let ix = *self.direct.entry(format!("{direct:?}")).or_insert(next);
        if ix == next {
            self.plan.direct.push(direct);
        }
        ix
    }
}

struct Place<'a> {
    source: &'a str,
    by: &'a [String],
    keep: Span,
}

fn timeslice(slice: &Timeslice, bad: bool) -> What {
    What::Timeslice {
        query: slice.query.clone(),
        good: slice.good,
        slice: slice.slice,
        reduce: slice.reduce,
        bad,
    }
}

/// What a composite is made of is kept for as long as the composite looks back.
fn keep_for_composites(plan: &mut Plan) {
    for planned in plan.slos.iter().filter(|planned| planned.parts.is_some()) {
        for (_, ix) in planned.bad.iter().chain(&planned.total) {
            if let Some(series) = plan.series.get_mut(ix.0 as usize) {
                series.keep = series.keep.max(keep(&planned.slo));
            }
        }
    }
}

/// The longest a calendar unit can be, or the longest window a rule looks over.
fn keep(slo: &Slo) -> Span {
    let period = match &slo.period {
        Period::Rolling(span) => *span,
        Period::Calendar { unit: CalendarUnit::Week, .. } => Span::from_days(8),
        Period::Calendar { unit: CalendarUnit::Month, .. } => Span::from_days(32),
        Period::Calendar { unit: CalendarUnit::Quarter, .. } => Span::from_days(93),
    };
    slo.alerting.rules.iter().map(|rule| rule.long).fold(period, Span::max)
}

/// Positions beyond 2³² cannot come out of bounded definitions.
fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
