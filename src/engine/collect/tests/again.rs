//! Slots that are asked again: what was ruled holds while it fits, and what could not be investigated is
//! looked at once more.

use super::births::{NEW, NOON, growing, target};
use super::model::Model;
use super::*;

#[test]
fn what_was_ruled_before_is_not_investigated_again() {
    let pod = growing(&[], (NEW, NOON + 600), 1_000_000.0, 10.0);
    let ruling = Ruling { withheld: Events::whole(1_000_000), trust: Trust::Partial };
    let known =
        |_: SeriesIx, _: &Labels, _: Ts| Past { ruling: Some(ruling), begun: true, ..Past::default() };
    let (facts, asked) =
        run(&group(), &Model { streams: vec![pod], ..Model::default() }, (NOON, NOON + 30), &known);
    let fact = only(&facts, 0, NOON + 30);
    assert_eq!((booked(&fact), fact.trust, asked.len()), (10.0, Trust::Partial, 1));
}

#[test]
fn a_ruling_that_does_not_fit_what_is_there_now_holds_what_is_booked() {
    // Of two replicas behind one address one was down for a while: the other one answers now.
    let whole = growing(&[], (0, NOON + 600), 0.0, 10.0);
    let returning = growing(&[], (NEW, NOON + 600), 1_002_380.0, 10.0);
    let ruling = Ruling { withheld: Events::whole(1_002_340), trust: Trust::Estimated };
    let before = |_: SeriesIx, _: &Labels, _: Ts| Past {
        largest: Events::whole(100),
        ruling: Some(ruling),
        begun: true,
        booked: Events::whole(50),
        told: true,
        ..Past::default()
    };
    for (answers, want) in [(returning, (50.0, Trust::Estimated)), (whole, (50.0, Trust::Partial))] {
        let model = Model { streams: vec![answers], ..Model::default() };
        let (facts, _) = run(&group(), &model, (NOON, NOON + 30), &before);
        let fact = only(&facts, 0, NOON + 30);
        assert_eq!((booked(&fact), fact.trust), want);
    }
}

#[test]
fn what_evidence_does_not_know_of_is_withheld() {
    // It comes from another server than the answer.
    let pod = growing(&[], (NEW, NOON + 600), 1_000_000.0, 10.0);
    let (group, model) = (group(), Model { streams: vec![pod], ..Model::default() });
    let (facts, _) = run_with(&group, (NOON, NOON + 30), &usual(100), |ask| {
        if ask.query.promql.contains("known") {
            Answer::Frames { frames: Vec::new(), notes: Vec::new() }
        } else {
            model.answer(&group, ask)
        }
    });
    let fact = only(&facts, 0, NOON + 30);
    assert_eq!((booked(&fact), fact.trust), (0.0, Trust::Partial));
}

#[test]
fn an_investigation_that_fails_withholds_what_is_newborn() {
    let old = growing(&[("route", "a")], (0, NOON + 600), 1000.0, 10.0);
    let new = growing(&[("route", "b")], (NEW, NOON + 600), 1_000_000.0, 10.0);
    let model = Model { streams: vec![old, new], ..Model::default() };
    let group = group();
    let (facts, _) = run_with(&group, (NOON, NOON + 30), &usual(100), |ask| {
        if ask.query.promql.contains("known") { failed() } else { model.answer(&group, ask) }
    });
    let fact = only(&facts, 0, NOON + 30);
    assert_eq!((booked(&fact), fact.trust), (20.0, Trust::Open));
}

/// A ledger that keeps what it was told.
#[derive(Default)]
struct Kept(std::collections::BTreeMap<i64, GroupFact>);

impl Kept {
    fn fill(&mut self, model: &Model, range: (i64, i64)) -> usize {
        let past = |_: SeriesIx, _: &Labels, at: Ts| Past {
            largest: self.0.values().map(|f| f.raw.minus(f.withheld)).max().unwrap_or_default(),
            ruling: self.0.get(&at.0).map(|f| Ruling { withheld: f.withheld, trust: f.trust }),
            begun: self.0.keys().any(|end| *end < at.0),
            booked: self.0.get(&at.0).map(|f| f.raw.minus(f.withheld)).unwrap_or_default(),
            told: self.0.contains_key(&at.0),
            ..Past::default()
        };
        let (facts, asked) = run(&group(), model, range, &past);
        for (end, state) in slots(&facts, 0) {
            if let SlotState::Known(groups) = state {
                self.0.insert(end, groups[0].clone());
            }
        }
        asked.len()
    }

    fn sum(&self) -> Events {
        self.0.values().fold(Events::ZERO, |sum, f| sum.plus(f.raw.minus(f.withheld)))
    }
}

#[test]
fn slots_asked_again_stay_as_they_were_ruled() {
    // Comes back after an hour, and is asked for slot by slot with two slots before it.
    let mut pod = growing(&[], (0, NOON - 3600), 1_000_000.0, 1.0);
    let last = pod.samples.last().unwrap().1;
    pod.samples.extend(growing(&[], (NEW, NOON + 600), last + 5000.0, 1.0).samples);
    let other = growing(&[("pod", "2")], (0, NOON + 600), 0.0, 1.0);
    let model = Model { streams: vec![pod, other], ..Model::default() };
    let mut ledger = Kept::default();
    ledger.fill(&model, (NOON - 7200, NOON));
    let before = ledger.sum();
    ledger.fill(&model, (NOON - 60, NOON + 30));
    let after = ledger.sum();
    // What it grew by while away, a step more, and the two of the other.
    assert_eq!(after.minus(before), Events::whole(5001 + 2));
    for end in [60, 90, 120] {
        ledger.fill(&model, (NOON + end - 90, NOON + end));
    }
    assert_eq!(ledger.sum(), after.plus(Events::whole(3 * 4)));
}

#[test]
fn an_investigation_that_failed_is_tried_again() {
    let group = group();
    let old = growing(&[("route", "a")], (0, NOON + 600), 1000.0, 10.0);
    let new = growing(&[("route", "b")], (NEW, NOON + 600), 1_000_000.0, 10.0);
    let up = target("up", (0, NOON + 600), 1.0);
    let model = Model { streams: vec![old, new], targets: [up].into(), ..Model::default() };
    let (facts, _) = run_with(&group, (NOON, NOON + 30), &usual(100), |ask| {
        if ask.query.promql.contains("known") { failed() } else { model.answer(&group, ask) }
    });
    let fact = only(&facts, 0, NOON + 30);
    let again = move |_: SeriesIx, _: &Labels, _: Ts| Past {
        largest: Events::whole(100),
        ruling: Some(Ruling { withheld: fact.withheld, trust: fact.trust }),
        begun: true,
        ..Past::default()
    };
    let (facts, _) = run(&group, &model, (NOON, NOON + 30), &again);
    assert_eq!(booked(&only(&facts, 0, NOON + 30)), 1_000_030.0);
}
