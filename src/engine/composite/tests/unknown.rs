//! Parts of which nothing is known, nothing exists, or nothing happens.

use super::*;
use crate::engine::condition::Verdict;
use crate::engine::step::judge_composite;
use crate::engine::view::{series, slo_view};
use crate::slo::model::AbsentMeans;

fn verdicts(world: &World) -> (Verdict, Verdict) {
    let whole = world.whole();
    let judged = judge_composite(world.journey(), &whole);
    (judged.rules[0].begins(), judged.rules[0].goes_on())
}

const WELL: Slice = Counts(100, 0);
const BURNS: Slice = Counts(100, 50);

#[test]
fn what_is_known_fires_and_only_all_of_it_resolves() {
    for (how, weights) in [(Combine::Worst, ["1", "1"]), (Combine::Weighted, ["9", "1"])] {
        let mut world = World::two(how, weights, vec![rule("14.4", 3)]);
        world.slices(30, &[WELL, WELL]);
        assert_eq!(verdicts(&world), (Verdict::Clear, Verdict::Clear));
        world.slices(10, &[WELL, Unknown]);
        assert_eq!(verdicts(&world), (Verdict::Unknown, Verdict::Unknown), "{how:?}: not a false zero");
        world.slices(10, &[BURNS, Unknown]);
        assert_eq!(verdicts(&world), (Verdict::Holds, Verdict::Holds));
        assert_eq!(world.fires(), ["page ErrorBudgetBurn", "ticket SLOUnknown"]);
        world.slices(30, &[WELL, Unknown]);
        assert!(world.fires().contains(&"page ErrorBudgetBurn".to_owned()), "{how:?}: held");
        world.slices(30, &[WELL, WELL]);
        assert!(world.fires().is_empty(), "{:?}", world.fires());
    }
}

#[test]
fn a_light_part_that_burns_does_not_fire_what_a_heavy_one_may_not_do() {
    let mut world = World::two(Combine::Weighted, ["1", "99"], vec![rule("14.4", 3)]);
    world.slices(30, &[WELL, WELL]);
    // Half of a hundredth is below 1.44 %, and the other part is read as without errors.
    world.slices(10, &[BURNS, Unknown]);
    assert_eq!(verdicts(&world), (Verdict::Unknown, Verdict::Unknown));
    assert!(!world.fires().contains(&"page ErrorBudgetBurn".to_owned()));
}

#[test]
fn what_is_not_known_of_a_part_is_shown_as_not_known() {
    let mut world = World::two(Combine::Worst, ["1", "1"], vec![rule("14.4", 3)]);
    world.slices(60, &[Counts(100, 1), WELL]);
    world.slices(20, &[Counts(100, 1), Unknown]);
    let look = world.example.look();
    let view = slo_view(world.journey(), &look);
    assert_eq!(view.state, Standing::Unknown);
    assert_eq!(view.groups[0].burn["5m"], None, "the newest five minutes of a part are not known");
    assert!((view.groups[0].burn["1h"].unwrap() - 10.0).abs() < 1e-9);
    assert!(view.groups[0].counts.values().all(|counts| counts.bad.is_none() && counts.total.is_none()));
    let unknown = view.unknown.unwrap();
    assert_eq!(unknown.why, "shop/b: its query fails or its samples have stopped");
    assert_eq!(unknown.since, look.at.0 - 20 * 30);
    let parts = view.composite.unwrap().of;
    assert_eq!(parts[0].burn["5m"].map(f64::round), Some(10.0));
    assert_eq!((parts[1].burn["5m"], parts[1].state), (None, Standing::Unknown));
    let hour = (Ts(look.at.0 - 1800), look.at);
    let points = series(world.journey(), look.ledger, &Default::default(), hour, Span::from_mins(5), look.at);
    let burns: Vec<Option<f64>> = points.unwrap().points.iter().map(|point| point.burn).collect();
    assert!(burns[0].is_some_and(|burn| (burn - 10.0).abs() < 1e-9), "{burns:?}");
    assert_eq!(burns.last().copied().flatten(), None, "{burns:?}");
}

#[test]
fn a_part_without_events_has_no_errors_and_keeps_its_weight() {
    let mut world = World::two(Combine::Weighted, ["1", "9"], vec![rule("14.4", 3)]);
    world.slices(40, &[Counts(100, 10), Counts(0, 0)]);
    let seen = world.whole().seen(Span::from_mins(10));
    assert!((ratio(seen.ratio) - 0.01).abs() < 1e-12, "{seen:?}");
    assert_eq!(seen.parts[1], Value::Idle);
    assert_eq!(world.whole().standing(), Standing::Ok);
    assert_eq!(verdicts(&world), (Verdict::Clear, Verdict::Clear));
    let mut all = World::two(Combine::Worst, ["1", "1"], vec![rule("14.4", 3)]);
    all.slices(40, &[Counts(0, 0), Counts(0, 0)]);
    assert_eq!(
        (all.whole().standing(), all.whole().seen(Span::from_mins(5)).ratio),
        (Standing::Idle, Value::Idle)
    );
}

#[test]
fn absence_of_a_part_means_what_its_own_definition_says() {
    for (means, expected) in [
        (AbsentMeans::Unknown, (Verdict::Unknown, Verdict::Unknown)),
        (AbsentMeans::Good, (Verdict::Clear, Verdict::Clear)),
        (AbsentMeans::Idle, (Verdict::Clear, Verdict::Clear)),
        (AbsentMeans::Bad, (Verdict::Holds, Verdict::Holds)),
    ] {
        let mut world = World::two(Combine::Worst, ["1", "1"], vec![rule("14.4", 3)]);
        world.edit(1, |slo| slo.absent.means = means);
        world.slices(30, &[WELL, WELL]);
        world.slices(10, &[WELL, Absent]);
        assert_eq!(verdicts(&world), expected, "{means:?}");
    }
}

#[test]
fn groups_are_pooled_unless_one_is_named() {
    let both =
        |of: &str| World::new(&["a"], &["a"], Combine::Worst, vec![part(of, "1")], vec![rule("14.4", 3)]);
    let routes = || Routes(vec![("/pay", 100, 20), ("/list", 900, 0)]);
    let seen = |mut world: World| {
        world.slices(40, &[routes()]);
        (world.whole().standing(), world.whole().seen(Span::from_mins(10)).ratio)
    };
    let (pool, named) = (seen(both("a")), seen(both("a//pay")));
    assert!((ratio(pool.1) - 0.02).abs() < 1e-12 && (ratio(named.1) - 0.2).abs() < 1e-12);
    // One that was mistyped is no group without events.
    assert_eq!(seen(both("a//pya")), (Standing::Unknown, Value::Unknown));
}

#[test]
fn a_pool_of_which_one_group_is_unsure_ends_nothing() {
    let mut world = World::new(&["a"], &["a"], Combine::Worst, vec![part("a", "1")], vec![rule("14.4", 3)]);
    world.slices(40, &[Routes(vec![("/pay", 100, 0), ("/list", 100, 0)])]);
    assert_eq!(verdicts(&world), (Verdict::Clear, Verdict::Clear));
    // More bad events than events: its own alert says nothing of it, and the pool does not begin by it.
    world.slices(20, &[Routes(vec![("/pay", 100, 0), ("/list", 1, 5)])]);
    assert_eq!(verdicts(&world), (Verdict::Unknown, Verdict::Unknown));
    assert!(world.fires().is_empty(), "{:?}", world.fires());
    // What others do is told all the same, and does not end while one is unsure.
    world.slices(20, &[Routes(vec![("/pay", 100, 50), ("/list", 1, 5)])]);
    assert_eq!(verdicts(&world), (Verdict::Holds, Verdict::Holds));
    world.slices(30, &[Routes(vec![("/pay", 100, 0), ("/list", 1, 5)])]);
    assert_eq!(verdicts(&world), (Verdict::Unknown, Verdict::Unknown));
    assert_eq!(world.fires(), ["page ErrorBudgetBurn"]);
    // The two minutes alone have more bad events than events: the same by the newest window of the rule.
    let pair = || vec![part("a", "1")];
    let mut newest = World::new(&["a"], &["a"], Combine::Worst, pair(), vec![rule("14.4", 3)]);
    newest.slices(40, &[Routes(vec![("/pay", 100, 0), ("/list", 100, 0)])]);
    newest.slices(2, &[Routes(vec![("/pay", 100, 0), ("/list", 0, 60)])]);
    newest.slices(2, &[Routes(vec![("/pay", 100, 0), ("/list", 0, 60)])]);
    assert_eq!(verdicts(&newest), (Verdict::Unknown, Verdict::Unknown));
    let mut few = World::new(&["a"], &["a"], Combine::Worst, vec![part("a", "1")], vec![rule("100", 3)]);
    few.slices(40, &[Routes(vec![("/pay", 1000, 0), ("/list", 100, 0)])]);
    few.slices(20, &[Routes(vec![("/pay", 1000, 0), ("/list", 1, 5)])]);
    assert_eq!(verdicts(&few), (Verdict::Unknown, Verdict::Unknown));
}

#[test]
fn a_part_that_is_gone_or_cannot_be_one_any_more_holds_all_and_says_so() {
    let of = || vec![part("a", "1"), part("gone", "1")];
    let mut world = World::new(&["a"], &[], Combine::Worst, of(), vec![rule("14.4", 3)]);
    world.slices(30, &[WELL]);
    assert_eq!(verdicts(&world), (Verdict::Unknown, Verdict::Unknown));
    assert_eq!(world.whole().why().unwrap(), "shop/gone: no definition of shop/gone is in force");
    assert_eq!(world.fires(), ["ticket SLOUnknown"]);
    assert!(world.whole().left(world.journey().slo.objective).is_none());
    world.slices(10, &[BURNS]);
    assert_eq!(world.fires(), ["page ErrorBudgetBurn", "ticket SLOUnknown"]);

    let mut edited = World::two(Combine::Worst, ["1", "1"], vec![rule("14.4", 3)]);
    edited.edit(1, |slo| slo.sli = Sli::Direct { error_ratio: "x[{{.window}}]".into() });
    edited.slices(30, &[WELL, WELL]);
    let why = edited.whole().why().unwrap();
    assert_eq!(why, "shop/b: shop/b is a ratio asked per window, of which no window can be summed");
}
