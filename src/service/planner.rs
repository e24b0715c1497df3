//! Builds plans from definitions and from what was measured of the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::shared::Shared;
use crate::engine::fact::SeriesIx;
use crate::engine::ledger::{Expiry, Keep};
use crate::engine::plan::{self, Form, Plan, PlanContext, SourceTraits};
use crate::prometheus::SourceKind;
use crate::slo::model::{Overflow, Slo};
use crate::slo::period::Period;
use crate::slo::query::Selector;
use crate::slo::time::{Span, Ts};

/// What is known about sources: versions and scrape intervals.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Measured {
    /// By source.
    pub versions: BTreeMap<String, String>,
    /// By source and what is counted.
    pub intervals: BTreeMap<(String, Selector), Span>,
}

impl Measured {
    /// The plan for these SLOs.
    pub(super) fn plan(&self, shared: &Shared, slos: &[Arc<Slo>]) -> Plan {
        let sources = shared.sources.iter().map(|(name, source)| {
            let version = self.versions.get(name).map(String::as_str);
            let left_open = source.kind().has_left_open_ranges(version);
            (name.clone(), SourceTraits { kind: kind(source.kind()), left_open, ..SourceTraits::default() })
        });
        Plan::build(
            slos,
            &PlanContext {
                step: shared.settings.step,
                default_source: shared
                    .settings
                    .sources
                    .first()
                    .map(|s| s.name().to_owned())
                    .unwrap_or_default(),
                sources: sources.collect(),
                intervals: self.intervals.clone(),
            },
        )
    }
}

/// What the ledger is to keep for a plan.
pub(crate) fn keeps(plan: &Plan, now: Ts) -> Vec<Keep> {
    let mut begun: BTreeMap<SeriesIx, BTreeSet<Ts>> = BTreeMap::new();
    for (ix, start) in cuts(plan, now) {
        begun.entry(ix).or_default().insert(start);
    }
    // Of several SLOs that share a series the one that wants more of it counts.
    let mut limits: BTreeMap<SeriesIx, (usize, Overflow)> = BTreeMap::new();
    for planned in plan.slos.iter().filter(|planned| planned.parts.is_none()) {
        let by = planned.slo.group_by.as_ref();
        let (limit, overflow) = by.map_or((1, Overflow::Other), |by| (by.limit, by.on_overflow));
        for (_, ix) in planned.bad.iter().chain(&planned.total) {
            let known = limits.entry(*ix).or_insert((limit, overflow));
            known.0 = limit.max(known.0);
            if overflow == Overflow::Other {
                known.1 = overflow;
            }
        }
    }
    let (follows, beside) = (follows(plan), beside(plan));
    let mut reaches: BTreeMap<SeriesIx, Span> = BTreeMap::new();
    for group in &plan.groups {
        // Only a counter's difference reaches back over slices without a sample.
        let reach = match group.form {
            Form::Counter | Form::Aggregated | Form::Native { .. } => group.lookback(group.step.span()),
            Form::GaugeSum
            | Form::GaugeCount
            | Form::Increase
            | Form::Timeslice { .. }
            | Form::Direct { .. } => Span::ZERO,
        };
        reaches.extend(group.series().map(|series| (series, reach)));
    }
    let keep = |(ix, series): (u32, &plan::Series)| Keep {
        key: series.key.clone(),
        span: series.keep,
        reach: reaches.get(&SeriesIx(ix)).copied().unwrap_or(Span::from_mins(10)),
        limit: limits.get(&SeriesIx(ix)).map_or(1, |(limit, _)| *limit),
        overflow: limits.get(&SeriesIx(ix)).map_or(Overflow::Other, |(_, overflow)| *overflow),
        follows: follows.get(&SeriesIx(ix)).into_iter().flatten().copied().collect(),
        beside: beside.get(&SeriesIx(ix)).into_iter().flatten().copied().collect(),
        cuts: begun.get(&SeriesIx(ix)).into_iter().flatten().copied().collect(),
    };
    (0..).zip(&plan.series).map(keep).collect()
}

/// Series whose groups others decide: bad follows the totals of its SLOs, further totals the first.
fn follows(plan: &Plan) -> BTreeMap<SeriesIx, BTreeSet<SeriesIx>> {
    let mut follows: BTreeMap<SeriesIx, BTreeSet<SeriesIx>> = BTreeMap::new();
    for planned in plan.slos.iter().filter(|planned| planned.slo.group_by.is_some()) {
        let totals: BTreeSet<SeriesIx> = planned.total.iter().map(|(_, ix)| *ix).collect();
        let first = planned.total.first().map(|(_, ix)| *ix);
        for (_, ix) in planned.total.iter().skip(1) {
            follows.entry(*ix).or_default().extend(first.filter(|first| first != ix));
        }
        for (_, ix) in planned.bad.iter().filter(|(_, ix)| !totals.contains(ix)) {
            follows.entry(*ix).or_default().extend(&totals);
        }
    }
    follows
}

/// What is read beside each total.
fn beside(plan: &Plan) -> BTreeMap<SeriesIx, BTreeSet<SeriesIx>> {
    let mut beside: BTreeMap<SeriesIx, BTreeSet<SeriesIx>> = BTreeMap::new();
    for planned in &plan.slos {
        for (_, ix) in &planned.total {
            let others = planned.total.iter().chain(&planned.bad).map(|(_, other)| *other);
            beside.entry(*ix).or_default().extend(others.filter(|other| other != ix));
        }
    }
    beside
}

/// When the groups of each series drop out; of several SLOs the one that waits longest counts.
pub(super) fn expiries(plan: &Plan) -> BTreeMap<SeriesIx, Expiry> {
    let mut expiries: BTreeMap<SeriesIx, Expiry> = BTreeMap::new();
    for planned in &plan.slos {
        let Some(by) = &planned.slo.group_by else { continue };
        for (_, ix) in planned.bad.iter().chain(&planned.total) {
            let known = expiries.entry(*ix).or_default();
            known.after = known.after.max(by.expire_after);
            known.totals.extend(planned.total.iter().map(|(_, ix)| *ix));
        }
    }
    expiries
}

/// Where the present calendar periods of each series' SLOs began.
pub(super) fn cuts(plan: &Plan, now: Ts) -> impl Iterator<Item = (SeriesIx, Ts)> {
    plan.slos.iter().filter(|planned| matches!(planned.slo.period, Period::Calendar { .. })).flat_map(
        move |planned| {
            let (start, _) = planned.slo.period.bounds(now);
            planned.bad.iter().chain(&planned.total).map(move |(_, ix)| (*ix, start))
        },
    )
}

fn kind(kind: SourceKind) -> plan::SourceKind {
    match kind {
        SourceKind::Prometheus => plan::SourceKind::Prometheus,
        SourceKind::Thanos => plan::SourceKind::Thanos,
        SourceKind::VictoriaMetrics => plan::SourceKind::VictoriaMetrics,
        SourceKind::Mimir => plan::SourceKind::Mimir,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::{document, plan};

    #[test]
    fn a_composite_begins_its_calendar_in_the_series_of_its_parts_and_changes_no_group() {
        let part = document(
            "a",
            "  objective: 99\n  sli:\n    events: {bad: b_total, total: r_total}\n  \
             groupBy: {labels: [route], limit: 7, onOverflow: drop}\n",
        );
        let whole = document(
            "whole",
            "  objective: 99\n  window: {calendar: month}\n  sli:\n    composite: {of: [shop/a], as: worst}\n",
        );
        let plan = plan(&(part + "---\n" + &whole));
        let keeps = keeps(&plan, Ts(1_790_000_100));
        assert_eq!(keeps.len(), 2);
        for keep in keeps {
            assert_eq!((keep.limit, keep.overflow), (7, Overflow::Drop));
            assert_eq!((keep.cuts.len(), keep.span), (1, Span::from_days(32)));
        }
    }

    #[test]
    fn the_groups_of_bad_and_good_are_decided_by_their_total() {
        let slo = |name: &str, part: &str| {
            let sli = format!("  sli:\n    events: {{{part}, total: r_total}}\n");
            document(name, &format!("  objective: 99\n{sli}  groupBy: [route]\n"))
        };
        let text = [slo("a", "bad: 'r_total{code=\"500\"}'"), slo("b", "good: 'r_total{code=\"200\"}'")];
        let plan = plan(&text.join("---\n"));
        let keeps = keeps(&plan, Ts(1_790_000_100));
        let [a, b] = &plan.slos[..] else { panic!("{:?}", plan.slos) };
        let total = a.total[0].1;
        assert_eq!(b.total[0].1, total, "one series");
        let totals = BTreeSet::from([total]);
        for (_, ix) in a.bad.iter().chain(&b.bad) {
            let follows: &[SeriesIx] = if *ix == total { &[] } else { &[total] };
            assert_eq!(keeps[usize::try_from(ix.0).unwrap()].follows, follows);
            assert_eq!(expiries(&plan)[ix], Expiry { after: Span::from_hours(24), totals: totals.clone() });
        }
        assert_eq!(keeps.len(), 3);
    }
}
