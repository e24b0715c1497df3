//! Alerts of a composite: what they tell, and what they wait for.

use super::*;
use crate::engine::alert::AlertState;
use crate::engine::plan::{AliveIx, AliveReading};
use crate::engine::reason::Evidence;
use crate::engine::step::{composite_evidence, judge_composite};
use crate::engine::words;
use crate::slo::model::{CompareOp, Comparison, Reduce, Timeslice};

fn evidence(world: &World) -> Evidence {
    let whole = world.whole();
    let judged = judge_composite(world.journey(), &whole);
    composite_evidence(world.journey(), &whole, &judged, Severity::Page).unwrap()
}

#[test]
fn a_page_says_which_part_burns_and_how_much_of_it_all_is_its() {
    let mut world = World::two(Combine::Weighted, ["3", "1"], vec![rule("14.4", 3)]);
    world.slices(40, &[Counts(1000, 4), Counts(10, 2)]);
    let evidence = evidence(&world);
    // (3 · 0.4 % + 20 %) / 4 of a budget of 0.1 %.
    assert!((evidence.rules[0].long.burn.unwrap() - 53.0).abs() < 1e-9);
    let composite = evidence.composite.as_ref().unwrap();
    let part = |i: usize| {
        let part = &composite.of[i];
        (part.slo.as_str(), part.weight, part.burn.unwrap().round(), part.share.unwrap())
    };
    let (first, second) = (part(0), part(1));
    assert_eq!((first.0, first.2, second.0, second.2), ("shop/b", 200.0, "shop/a", 4.0));
    assert!((first.3 - 50.0 / 53.0).abs() < 1e-9 && (second.3 - 3.0 / 53.0).abs() < 1e-9);
    assert_eq!(
        words::summary(&evidence, Severity::Page),
        "shop/journey burns its error budget 53 times as fast as it may, over 10m, most by shop/b; \
         the budget is spent: 5,300% of it used"
    );
    let text = words::description(&evidence);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "- 5.3% bad over 10m: burn rate 53");
    assert_eq!(
        lines[4..],
        [
            "It is the weighted mean of:",
            "- shop/b: 20% bad over 10m, burn rate 200 (94.3% of all; weight 25%)",
            "- shop/a: 0.4% bad over 10m, burn rate 4 (5.66% of all; weight 75%)",
        ]
    );
    // As it was kept by a version that knew no composites.
    let mut kept = serde_json::to_value(&evidence).unwrap();
    kept.as_object_mut().unwrap().remove("composite");
    let read: Evidence = serde_json::from_value(kept).unwrap();
    assert_eq!(read, Evidence { composite: None, ..evidence });
}

#[test]
fn too_few_bad_events_of_a_part_page_nobody_however_many_another_has() {
    let mut world = World::two(Combine::Worst, ["1", "1"], vec![rule("14.4", 3)]);
    world.slices(40, &[Counts(100_000, 50), Counts(0, 0)]);
    world.slice(&[Counts(100_000, 50), Counts(1, 1)]);
    world.example.decide();
    assert!(world.fires().is_empty(), "one of one, and thousands that are within the budget");
    world.slices(2, &[Counts(100_000, 50), Counts(1, 1)]);
    assert_eq!(world.fires(), ["page ErrorBudgetBurn"]);
}

#[test]
fn a_page_is_about_the_part_that_made_it_and_not_about_one_failure_of_one() {
    for (how, burn, share) in [(Combine::Worst, 50.0, None), (Combine::Weighted, 25.0, Some(1.0))] {
        let mut world = World::two(how, ["1", "1"], vec![rule("14.4", 3)]);
        world.slices(40, &[Counts(1000, 50), Counts(0, 0)]);
        world.slice(&[Counts(1000, 50), Counts(1, 1)]);
        let evidence = evidence(&world);
        assert!((evidence.rules[0].long.burn.unwrap() - burn).abs() < 1e-9, "{evidence:?}");
        let first = &evidence.composite.as_ref().unwrap().of[0];
        assert_eq!((first.slo.as_str(), first.share), ("shop/a", share));
        assert!(words::summary(&evidence, Severity::Page).contains("most by shop/a"));
    }
}

#[test]
fn one_bad_time_slice_is_not_too_few() {
    let mut world = World::two(Combine::Worst, ["1", "1"], vec![rule("14.4", 3)]);
    world.edit(1, |slo| {
        slo.sli = Sli::Timeslice(Timeslice {
            query: "up".into(),
            good: Comparison { op: CompareOp::Greater, value: 0.0 },
            slice: Span::from_secs(30),
            reduce: Reduce::Last,
        });
    });
    world.slices(40, &[Counts(100, 0), Counts(1, 0)]);
    world.slices(1, &[Counts(100, 0), Counts(1, 1)]);
    assert_eq!(world.fires(), ["page ErrorBudgetBurn"]);
}

#[test]
fn nothing_resolves_with_fewer_than_half_of_the_targets_of_a_part() {
    let mut world = World::two(Combine::Worst, ["1", "1"], vec![rule("14.4", 3)]);
    world.example.slos[1].alive = Some(AliveIx(0));
    find_parts(&mut world.example.slos);
    let slices = |world: &mut World, count, up, b| {
        for _ in 0..count {
            let next = Ts(world.example.now).plus(Span::from_secs(30));
            world.example.observed.saw(AliveIx(0), next, Some(AliveReading { up, known: 10 }));
            world.slices(1, &[Counts(100, 0), Slice::clone(b)]);
        }
    };
    slices(&mut world, 40, 10, &Counts(100, 0));
    slices(&mut world, 10, 10, &Counts(100, 50));
    assert_eq!(world.fires(), ["page ErrorBudgetBurn"]);
    // What is sick is silent, over a restart too.
    let (key, state) = world.example.control.iter().find(|(_, s)| s.firing.is_some()).unwrap();
    let (key, kept) = (key.clone(), serde_json::to_string(state).unwrap());
    let state: AlertState = serde_json::from_str(&kept).unwrap();
    assert_eq!(state.targets.get("shop/b"), Some(&10));
    world.example.control.put(key, state);
    slices(&mut world, 30, 4, &Counts(100, 0));
    assert_eq!(world.fires(), ["page ErrorBudgetBurn"]);
    slices(&mut world, 10, 6, &Counts(100, 0));
    assert!(world.fires().is_empty());
}

#[test]
fn targets_at_a_source_that_is_ahead_of_a_late_one_are_known() {
    let mut world = World::two(Combine::Worst, ["1", "1"], vec![rule("14.4", 3)]);
    world.example.slos[0].source = "late".into();
    world.example.slos[1].alive = Some(AliveIx(0));
    find_parts(&mut world.example.slos);
    // The late source is a minute behind, and so is what is judged.
    for slices in [(40, 0), (10, 50), (30, 0)] {
        for _ in 0..slices.0 {
            let ahead = Ts(world.example.now).plus(Span::from_secs(90));
            world.example.observed.saw(AliveIx(0), ahead, Some(AliveReading { up: 10, known: 10 }));
            world.slices(1, &[Counts(100, 0), Counts(100, slices.1)]);
        }
        assert_eq!(world.fires().is_empty(), slices.1 == 0, "{slices:?}");
    }
}

#[test]
fn the_budget_is_gone_when_the_first_part_of_the_worst_has_spent_it() {
    let mut worst = World::two(Combine::Worst, ["1", "1"], vec![rule("14.4", 3)]);
    let mut mean = World::two(Combine::Weighted, ["1", "1"], vec![rule("14.4", 3)]);
    for world in [&mut worst, &mut mean] {
        world.edit(2, |slo| slo.objective = "90".parse().unwrap());
        world.slices(120, &[Counts(100, 5), Counts(100, 0)]);
        world.slices(120, &[Counts(100, 0), Counts(100, 2)]);
    }
    let objective = worst.journey().slo.objective;
    // E of the period is 2.5 % and 1 %, of the last hour 0 % and 2 %, of a budget of 10 %.
    let left = worst.whole().left(objective).unwrap();
    assert!((left.remaining - 0.75).abs() < 1e-9, "{left:?}");
    assert_eq!(left.exhausts_in, Some(Span::from_hours(28 * 24 * 9 / 2)), "0.9 at a burn of 0.2");
    let left = mean.whole().left(objective).unwrap();
    assert!((left.remaining - 0.825).abs() < 1e-9, "{left:?}");
    let days = left.exhausts_in.unwrap().secs() / 86_400;
    assert_eq!(days, 231, "0.825 at a burn of 0.1");
}

/// A part that is up and was never asked for anything, as a new service: it is idle. Only series that went
/// since the alert began, by an edit, say nothing of its end.
#[test]
fn a_part_that_never_had_a_series_keeps_no_alert_from_its_end() {
    let slices = |world: &mut World, count, a: &Slice, b: &Slice| {
        for _ in 0..count {
            let next = Ts(world.example.now).plus(Span::from_secs(30));
            world.example.observed.saw(AliveIx(0), next, Some(AliveReading { up: 10, known: 10 }));
            world.slices(1, &[a.clone(), b.clone(), Absent]);
        }
    };
    let (well, burns) = (Counts(100, 0), Counts(100, 50));
    for edited in [false, true] {
        let of = vec![part("a", "1"), part("b", "1")];
        let mut world = World::new(&["a", "b", "c"], &[], Combine::Worst, of, vec![rule("14.4", 3)]);
        world.example.slos[1].alive = Some(AliveIx(0));
        find_parts(&mut world.example.slos);
        let b = if edited { &well } else { &Absent };
        slices(&mut world, 40, &well, b);
        assert_eq!(world.whole().standing(), Standing::Ok);
        slices(&mut world, 5, &burns, b);
        assert_eq!(world.fires(), ["page ErrorBudgetBurn"]);
        if edited {
            world.example.slos[1].total = world.example.slos[2].total.clone();
            find_parts(&mut world.example.slos);
        }
        let (key, state) = world.example.control.iter().find(|(_, s)| s.firing.is_some()).unwrap();
        let (key, kept) = (key.clone(), serde_json::to_string(state).unwrap());
        world.example.control.put(key, serde_json::from_str(&kept).unwrap());
        slices(&mut world, 30, &well, b);
        assert_eq!(world.fires().is_empty(), !edited);
    }
}
