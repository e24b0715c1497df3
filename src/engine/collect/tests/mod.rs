//! Streams of samples, asked the way Prometheus would answer, against an ideal observer of every series.

mod again;
mod births;
mod booked;
mod exact;
mod held;
mod model;
mod other;

use std::sync::Arc;

use super::{Ask, Collect, LookUp, Past, Ruling};
use crate::engine::fact::{Facts, GroupFact, SeriesIx, SlotState, Tier, Trust};
use crate::engine::plan::{Form, Member, QueryGroup, Role, Take, Wanted};
use crate::engine::sample::{Answer, Failure, FailureKind};
use crate::slo::model::Labels;
use crate::slo::query::Selector;
use crate::slo::time::{Span, Step, Ts};
use crate::slo::unit::Events;
use model::Model;

/// A total, ungrouped, scraped every 15 s, slices of 30 s.
fn group() -> QueryGroup {
    let role = Role { total: true, ..Role::default() };
    QueryGroup {
        source: "local".into(),
        form: Form::Counter,
        step: Step::DEFAULT,
        base: Selector { metric: "x".into(), matchers: vec![] },
        merge: None,
        by: vec![],
        members: vec![Member {
            value: None,
            wanted: vec![Wanted { series: SeriesIx(0), take: Take::Whole, role }],
        }],
        left_open: true,
        lookback: Span::from_mins(10),
        interval: Some(Span::from_secs(15)),
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
}

/// A ledger to which everything is usual.
fn calm(_: SeriesIx, _: &Labels, _: Ts) -> Past {
    Past { largest: Events::whole(1_000_000_000), begun: true, ..Past::default() }
}

/// A ledger whose largest slice was 100 events, or any other number.
fn usual(largest: i64) -> impl Fn(SeriesIx, &Labels, Ts) -> Past {
    move |_, _, _| Past { largest: Events::whole(largest), begun: true, ..Past::default() }
}

/// Asks the model until nothing is left to ask; gives the facts and the questions.
fn run(
    group: &QueryGroup,
    model: &Model,
    (from, to): (i64, i64),
    past: LookUp<'_>,
) -> (Vec<Facts>, Vec<String>) {
    run_with(group, (from, to), past, |ask| model.answer(group, ask))
}

fn run_with(
    group: &QueryGroup,
    (from, to): (i64, i64),
    past: LookUp<'_>,
    answer: impl Fn(&super::Ask) -> Answer,
) -> (Vec<Facts>, Vec<String>) {
    let (mut collect, mut asks) = Collect::begin(&Arc::new(group.clone()), Tier::Fine, Ts(from), Ts(to));
    let mut asked = Vec::new();
    while let Some(ask) = asks.pop() {
        promql_parser::parser::parse(&ask.query.promql).unwrap();
        asked.push(ask.query.promql.clone());
        assert!(asked.len() < 200, "no end of questions");
        asks.extend(collect.answer(ask.id, answer(&ask), past));
    }
    assert!(collect.is_done());
    (collect.finish(), asked)
}

fn failed() -> Answer {
    Answer::Failed(Failure { kind: FailureKind::Timeout, message: "no answer".into() })
}

/// The groups of every slot of a series, by slot end.
fn slots(facts: &[Facts], series: u32) -> Vec<(i64, SlotState)> {
    let own = facts.iter().find(|f| f.series == SeriesIx(series)).unwrap();
    own.slots.iter().map(|slot| (slot.end.0, slot.state.clone())).collect()
}

/// The only group of a slot.
fn only(facts: &[Facts], series: u32, end: i64) -> GroupFact {
    let (_, state) = slots(facts, series).into_iter().find(|(at, _)| *at == end).unwrap();
    let SlotState::Known(groups) = state else { panic!("{end} is {state:?}") };
    assert_eq!(groups.len(), 1, "{groups:?}");
    groups[0].clone()
}

fn booked(fact: &GroupFact) -> f64 {
    fact.raw.minus(fact.withheld).as_f64()
}

/// Everything booked over all slots and groups.
fn sum(facts: &[Facts], series: u32) -> f64 {
    let groups = slots(facts, series).into_iter().filter_map(|(_, state)| match state {
        SlotState::Known(groups) => Some(groups),
        _ => None,
    });
    let booked = groups.flatten().map(|fact| fact.raw.minus(fact.withheld));
    booked.fold(Events::ZERO, Events::plus).as_f64()
}
