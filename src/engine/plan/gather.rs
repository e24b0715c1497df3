//! Series that can be asked together, as query groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Series;
use super::context::{PlanContext, SourceKind};
use super::group::{Form, Member, QueryGroup, Take, Wanted};
use super::merge::merge;
use crate::engine::fact::{SeriesIx, What};
use crate::slo::query::{Atom, Counting, Selector};
use crate::slo::time::Span;

/// Everything but the selector that members of one query share.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    source: String,
    metric: String,
    by: Vec<String>,
    counting: Way,
    interval: Option<Span>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Plain(Counting),
    /// Bounds asked for, sorted.
    Native(Vec<String>),
}

/// One selector and the series that come out of its answer.
type Entry = (Selector, Vec<(SeriesIx, Counting)>);

/// Source, group labels, selector, and how it is counted; `None` for all ways to count a native histogram.
type SelectorKey = (String, Vec<String>, Selector, Option<Counting>);

/// Query groups for all series, ordered by their first series.
pub(super) fn gather(series: &[Series], context: &PlanContext) -> Vec<Arc<QueryGroup>> {
    let mut groups = own_queries(series, context);
    for (class, entries) in classes(series, context) {
        let selectors: Vec<&Selector> = entries.iter().map(|(selector, _)| selector).collect();
        for merged in merge(&selectors, &class.by) {
            let member = |(i, value): (usize, Option<String>)| {
                let (_, wanted) = entries.get(i)?;
                Some(Member {
                    value,
                    wanted: wanted.iter().filter_map(|w| wanted_of(w, &class, series)).collect(),
                })
            };
            let members = merged.members.into_iter().filter_map(member).collect();
            let traits = context.traits(&class.source);
            groups.push(QueryGroup {
                source: class.source.clone(),
                form: form(&class.counting, traits.kind),
                step: context.step,
                base: merged.base,
                merge: merged.label,
                by: class.by.clone(),
                members,
                left_open: traits.left_open,
                lookback: traits.lookback,
                interval: class.interval,
            });
        }
    }
    groups.sort_by_key(|g| g.members.first().and_then(|m| m.wanted.first()).map(|w| w.series));
    groups.into_iter().map(Arc::new).collect()
}

fn classes(series: &[Series], context: &PlanContext) -> BTreeMap<Class, Vec<Entry>> {
    // A native histogram's count and its shares above bounds are one selector, asked once.
    let mut selectors: BTreeMap<SelectorKey, Vec<(SeriesIx, Counting)>> = BTreeMap::new();
    for (i, series) in (0..).zip(series) {
        let What::Atom(Atom { selector, counting }) = &series.key.what else { continue };
        let native = matches!(counting, Counting::NativeCount | Counting::NativeAbove(_));
        let counting_key = (!native).then(|| counting.clone());
        let key = (series.key.source.clone(), series.key.by.clone(), selector.clone(), counting_key);
        selectors.entry(key).or_default().push((SeriesIx(i), counting.clone()));
    }
    let mut classes: BTreeMap<Class, Vec<Entry>> = BTreeMap::new();
    for ((source, by, selector, counting), wanted) in selectors {
        let interval = context.intervals.get(&(source.clone(), selector.clone())).copied();
        let counting = counting.map_or_else(|| Way::Native(bounds(&wanted)), Way::Plain);
        let class = Class { source, metric: selector.metric.clone(), by, counting, interval };
        classes.entry(class).or_default().push((selector, wanted));
    }
    for entries in classes.values_mut() {
        entries.sort_by_key(|(_, wanted)| wanted.first().map(|(ix, _)| *ix));
    }
    classes
}

fn bounds(wanted: &[(SeriesIx, Counting)]) -> Vec<String> {
    let bound = |(_, counting): &(SeriesIx, Counting)| match counting {
        Counting::NativeAbove(bound) => Some(bound.clone()),
        _ => None,
    };
    let mut bounds: Vec<String> = wanted.iter().filter_map(bound).collect();
    bounds.sort();
    bounds.dedup();
    bounds
}

fn wanted_of((ix, counting): &(SeriesIx, Counting), class: &Class, series: &[Series]) -> Option<Wanted> {
    let take = match (counting, &class.counting) {
        (Counting::NativeAbove(bound), Way::Native(bounds)) => {
            Take::Above(bounds.iter().position(|b| b == bound)?)
        }
        _ => Take::Whole,
    };
    Some(Wanted { series: *ix, take, role: series.get(ix.0 as usize)?.role })
}

fn form(way: &Way, kind: SourceKind) -> Form {
    match way {
        Way::Native(above) => Form::Native { above: above.clone() },
        Way::Plain(Counting::Counter) if kind == SourceKind::Thanos => Form::Increase,
        Way::Plain(Counting::Aggregated) => Form::Aggregated,
        Way::Plain(Counting::GaugeSum) => Form::GaugeSum,
        Way::Plain(Counting::GaugeCount) => Form::GaugeCount,
        Way::Plain(_) => Form::Counter,
    }
}

/// Time slices and direct ratios have a query of their own, which gives both series of a pair.
fn own_queries(series: &[Series], context: &PlanContext) -> Vec<QueryGroup> {
    let mut groups: BTreeMap<String, QueryGroup> = BTreeMap::new();
    for (i, series) in (0..).zip(series) {
        let Some((form, bad)) = own_form(&series.key.what) else { continue };
        let traits = context.traits(&series.key.source);
        let group = QueryGroup {
            source: series.key.source.clone(),
            form,
            step: context.step,
            base: Selector { metric: String::new(), matchers: Vec::new() },
            merge: None,
            by: series.key.by.clone(),
            members: vec![Member { value: None, wanted: Vec::new() }],
            left_open: traits.left_open,
            lookback: traits.lookback,
            interval: None,
        };
        let group = groups.entry(format!("{group:?}")).or_insert(group);
        if let Some(member) = group.members.first_mut() {
            let take = if bad { Take::Bad } else { Take::Whole };
            member.wanted.push(Wanted { series: SeriesIx(i), take, role: series.role });
        }
    }
    groups.into_values().collect()
}

fn own_form(what: &What) -> Option<(Form, bool)> {
    match what {
        What::Atom(_) => None,
        What::Timeslice { query, good, slice, reduce, bad } => {
            let form = Form::Timeslice { query: query.clone(), good: *good, slice: *slice, reduce: *reduce };
            Some((form, *bad))
        }
        What::Direct { error_ratio, bad } => Some((Form::Direct { template: error_ratio.clone() }, *bad)),
    }
}
