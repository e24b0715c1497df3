//! What is told of gaps, and when.

mod again;
mod composite;

use std::sync::Arc;

use super::*;
use crate::engine::notice::Event;
use crate::engine::step::{Observed, Transition};
use crate::engine::view::testing::{Example, S};
use crate::service::replay::replay;
use crate::slo::model::Rule;
use crate::slo::model::{Labels, Severity};

/// A tick of one SLO: judges it, then sums up; gives what people are told.
fn tick<'a>(
    plan: &Plan,
    planned: &Planned,
    at: Ts,
    (world, owed): (&mut World, &mut Arrears),
    inputs: impl Fn(Moment) -> Inputs<'a> + Copy,
) -> Vec<Transition> {
    let found = gap(owed, world, planned, at, Step::DEFAULT);
    let gaps = Arrears::from_iter(found.map(|found| (planned.id.clone(), found)));
    let since = world.judged.get(&planned.id).copied();
    let moments = moments(&world.ledger, planned, since, at, Step::DEFAULT, MOST_MISSED);
    let delta = replay(&[planned], &world.ledger, &world.control, &moments, inputs);
    world.control.apply(&delta);
    Debts::of(gaps).told(&delta, owed).apply(owed);
    world.judged.insert(planned.id.clone(), at);
    let summed = sum_up(owed, world, plan, Step::DEFAULT, inputs);
    world.control.apply(&summed.delta);
    Debts::paid(summed.slos).told(&summed.delta, owed).apply(owed);
    [delta.transitions, summed.delta.transitions].concat()
}

/// A service of which nothing was known for a while: what happened then is told later.
struct Shop {
    example: Example,
    world: World,
    owed: Arrears,
    told: Vec<(Event, Severity)>,
}

impl Shop {
    /// Well for an hour and more, and judged.
    fn well() -> Self {
        let mut shop =
            Self { example: Example::well(130), world: World::default(), owed: Arrears::new(), told: vec![] };
        shop.judge();
        shop
    }

    fn inputs<'a>(
        moment: Moment,
        observed: &'a Observed,
        none: &'a Labels,
        told: &'a [String],
    ) -> Inputs<'a> {
        let shadow = crate::engine::recipient::Shadow::default();
        Inputs { at: moment.at, step: moment.step, observed, external: none, receivers: told, shadow }
    }

    /// Slices as they are known now, each with this many bad events of a hundred.
    fn slices(&mut self, bad: &[i64]) {
        for bad in bad {
            self.example.now += S;
            self.example.tell(0, &[("", 100, *bad)]);
        }
    }

    /// As a tick does: judges, then sums up.
    fn judge(&mut self) {
        let (at, planned) = (Ts(self.example.now), &self.example.slos[0]);
        let (none, told) = (Labels::new(), ["oncall".to_owned()]);
        let world = &mut self.world;
        world.ledger = self.example.ledger.clone();
        let inputs = |moment| Self::inputs(moment, &self.example.observed, &none, &told);
        let plan = Plan { slos: vec![planned.clone()], ..Plan::default() };
        let all = tick(&plan, planned, at, (world, &mut self.owed), inputs);
        self.told.extend(all.into_iter().map(|t| (t.event, t.key.severity)));
    }

    /// Nothing is known for `bad.len()` slices; `bad` is what happened, to be known by `fill`.
    fn outage(&mut self, bad: &[i64]) -> Vec<(i64, i64)> {
        bad.iter()
            .map(|bad| {
                self.example.now += S;
                (self.example.now, *bad)
            })
            .collect()
    }

    fn fill(&mut self, gap: &[(i64, i64)]) {
        let now = self.example.now;
        for (at, bad) in gap {
            self.example.now = *at;
            self.example.tell(0, &[("", 100, *bad)]);
        }
        self.example.now = now;
    }

    fn pages(&self) -> Vec<Event> {
        self.told.iter().filter(|(_, severity)| *severity == Severity::Page).map(|(e, _)| *e).collect()
    }
}

/// 14 minutes of half of all requests failing, and enough good ones for the short window to clear.
fn burned_and_over() -> Vec<i64> {
    [vec![50; 28], vec![0; 20]].concat()
}

#[test]
fn what_opened_and_closed_in_a_gap_is_told_once_when_the_gap_is_filled() {
    let mut shop = Shop::well();
    let gap = shop.outage(&burned_and_over());
    shop.slices(&[0, 0, 0]);
    shop.judge();
    assert_eq!(shop.pages(), [], "nobody knows yet");
    let (first, rest) = gap.split_at(20);
    shop.fill(rest);
    shop.slices(&[0]);
    shop.judge();
    assert_eq!(shop.pages(), [], "not all is known");
    shop.fill(first);
    for _ in 0..5 {
        shop.slices(&[0]);
        shop.judge();
    }
    assert_eq!(shop.pages(), [Event::Missed]);
    assert!(shop.owed.is_empty());
}

#[test]
fn what_fires_now_is_told_at_once_and_not_again_when_the_gap_is_filled() {
    let mut shop = Shop::well();
    let gap = shop.outage(&[50; 40]);
    // Ten minutes of the present are enough to page, whatever the gap held.
    shop.slices(&[50; 20]);
    shop.judge();
    assert_eq!(shop.pages(), [Event::Firing]);
    // It is over before the gap is filled, and was told from beginning to end.
    shop.slices(&[0; 20]);
    shop.judge();
    assert_eq!(shop.pages(), [Event::Firing, Event::Resolved]);
    shop.fill(&gap);
    shop.slices(&[0]);
    shop.judge();
    assert_eq!(shop.pages(), [Event::Firing, Event::Resolved]);
    assert!(shop.owed.is_empty());
}

#[test]
fn what_was_known_to_fire_before_the_gap_is_not_told_again() {
    let mut shop = Shop::well();
    shop.slices(&[50; 20]);
    shop.judge();
    assert_eq!(shop.pages(), [Event::Firing]);
    let gap = shop.outage(&[vec![50; 5], vec![0; 30], vec![50; 20]].concat());
    shop.slices(&[50; 3]);
    shop.judge();
    shop.fill(&gap);
    shop.slices(&[50]);
    shop.judge();
    assert_eq!(shop.pages(), [Event::Firing]);
}

#[test]
fn a_gap_that_is_never_filled_is_summed_up_without() {
    let mut shop = Shop::well();
    let gap = shop.outage(&burned_and_over());
    shop.slices(&[0]);
    shop.judge();
    shop.fill(&gap[1..]);
    for _ in 0..=PATIENCE.secs() / S {
        shop.slices(&[0]);
        shop.judge();
    }
    assert_eq!(shop.pages(), [Event::Missed], "one slot that is lost hides nothing");
    assert!(shop.owed.is_empty());
}

/// The present is known from here on, and the gap soon after.
fn after(shop: &mut Shop, gap: &[(i64, i64)]) {
    shop.slices(&[0, 0, 0]);
    shop.judge();
    shop.fill(gap);
    shop.slices(&[0]);
    shop.judge();
    assert!(shop.owed.is_empty());
}

impl Shop {
    /// With another page.
    fn paging(change: impl Fn(&mut Rule)) -> Self {
        let mut shop = Self::well();
        let slo = Arc::make_mut(&mut shop.example.slos[0].slo);
        let pages = slo.alerting.rules.iter_mut().filter(|rule| rule.severity == Severity::Page);
        pages.for_each(change);
        shop
    }
}

#[test]
fn what_was_long_over_in_a_gap_of_hours_does_not_page() {
    let mut shop = Shop::paging(|rule| rule.keep_firing_for = Span::from_mins(10));
    // Six hours, which are not judged slice by slice; all is well for the last 20 minutes.
    let gap = shop.outage(&[vec![0; 540], vec![50; 140], vec![0; 40]].concat());
    after(&mut shop, &gap);
    assert_eq!(shop.pages(), [Event::Missed]);
}

#[test]
fn time_that_a_rule_held_in_a_gap_of_hours_counts() {
    let mut shop = Shop::paging(|rule| rule.hold_for = Span::from_mins(10));
    let gap = shop.outage(&[vec![0; 600], vec![50; 40], vec![0; 80]].concat());
    after(&mut shop, &gap);
    assert_eq!(shop.pages(), [Event::Missed]);
}

#[test]
fn what_only_waits_is_left_as_the_present_knows_it() {
    let mut shop = Shop::paging(|rule| rule.hold_for = Span::from_mins(10));
    let gap = shop.outage(&[0; 200]);
    // It burns for five minutes when the gap is filled.
    for _ in 0..14 {
        shop.slices(&[60]);
        shop.judge();
    }
    let pending = |shop: &Shop| shop.world.control.of_slo(&shop.example.slos[0].id).cloned();
    let before = pending(&shop);
    assert!(before.is_some() && !shop.owed.is_empty());
    shop.fill(&gap);
    let at = Ts(shop.example.now);
    shop.world.ledger = shop.example.ledger.clone();
    let plan = Plan { slos: shop.example.slos.clone(), ..Plan::default() };
    let (none, told) = (Labels::new(), []);
    let inputs = |moment| Shop::inputs(moment, &shop.example.observed, &none, &told);
    let summed = sum_up(&shop.owed, &shop.world, &plan, Step::DEFAULT, inputs);
    assert_eq!(summed.slos.len(), 1, "all is known at {at:?}");
    assert_eq!(summed.delta, Delta::default());
}

#[test]
fn what_was_told_as_missed_meanwhile_is_not_told_again() {
    let mut shop = Shop::well();
    let long = shop.outage(&[0; 200]);
    shop.slices(&[0, 0, 0]);
    shop.judge();
    // A short absence whose slices are known at once, in which something came and went.
    shop.slices(&burned_and_over());
    shop.judge();
    assert_eq!(shop.pages(), [Event::Missed]);
    shop.fill(&long);
    shop.slices(&[0]);
    shop.judge();
    assert!(shop.owed.is_empty());
    assert_eq!(shop.pages(), [Event::Missed]);
}

#[test]
fn the_more_groups_the_fewer_moments_are_judged_at_once() {
    let mut example = Example::new(&["grouped"], &["grouped"]);
    let routes: Vec<String> = (0..400).map(|i| format!("/{i}")).collect();
    let all: Vec<(&str, i64, i64)> = routes.iter().map(|route| (route.as_str(), 1, 0)).collect();
    assert_eq!(most(&example.ledger, &example.slos), MOST_MISSED);
    example.tell(0, &all);
    assert_eq!(most(&example.ledger, &example.slos), MOST_JUDGED / 400);
    assert_eq!(most(&example.ledger, vec![&example.slos[0]; 100]), FEWEST);
}
