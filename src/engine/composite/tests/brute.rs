//! Formulas against sums and fractions of the slices as they were told.

use proptest::prelude::*;

use super::*;
use crate::engine::condition::Verdict;
use crate::slo::unit::Objective;

/// Slices of three SLOs: all and bad events.
fn slices() -> impl Strategy<Value = Vec<[(i64, i64); 3]>> {
    let counts = || (1i64..30, 0i64..6).prop_map(|(total, bad)| (total, bad.min(total)));
    prop::collection::vec([counts(), counts(), counts()], 40..60)
}

fn weights() -> impl Strategy<Value = [u32; 3]> {
    [1u32..20, 1u32..20, 1u32..20]
}

fn world(how: Combine, weights: [u32; 3], times: u32, slices: &[[(i64, i64); 3]], rate: &str) -> World {
    let of = ["a", "b", "c"].into_iter().zip(weights);
    let of = of.map(|(name, weight)| part(name, &(weight * times).to_string())).collect();
    let mut world = World::new(&["a", "b", "c"], &[], how, of, vec![rule(rate, 0)]);
    for slice in slices {
        world.slice(&slice.map(|(total, bad)| Counts(total, bad)));
    }
    world
}

/// Sums over the last slices.
fn sums(slices: &[[(i64, i64); 3]], last: usize) -> [(i128, i128); 3] {
    let newest = || slices.iter().rev().take(last);
    let sum = |i: usize| {
        let (total, bad): (Vec<i64>, Vec<i64>) = newest().map(|slice| slice[i]).unzip();
        (i128::from(total.iter().sum::<i64>()), i128::from(bad.iter().sum::<i64>()))
    };
    [sum(0), sum(1), sum(2)]
}

/// Whether the combined ratio reaches `thresholds` parts of 10¹⁵, by fractions.
fn reaches(how: Combine, sums: [(i128, i128); 3], weights: [u32; 3], threshold: i128) -> bool {
    const UNIT: i128 = 1_000_000_000_000_000;
    let [(ta, ba), (tb, bb), (tc, bc)] = sums;
    match how {
        Combine::Worst => sums.iter().any(|(total, bad)| bad * UNIT >= threshold * total && *bad > 0),
        Combine::Weighted => {
            let [wa, wb, wc] = weights.map(i128::from);
            let above = wa * ba * tb * tc + wb * bb * ta * tc + wc * bc * ta * tb;
            above * UNIT >= threshold * (wa + wb + wc) * ta * tb * tc
        }
    }
}

fn threshold(rate: &str, objective: Objective) -> i128 {
    let rate: crate::slo::unit::BurnRate = rate.parse().unwrap();
    i128::from(rate.millionths()) * i128::from(objective.budget_ppb())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn rules_and_ratios_are_those_of_the_formulas(
        slices in slices(),
        weights in weights(),
        (rate, worst) in (1u32..600, any::<bool>()),
    ) {
        let how = if worst { Combine::Worst } else { Combine::Weighted };
        let rate = rate.to_string();
        let world = world(how, weights, 1, &slices, &rate);
        let objective = world.journey().slo.objective;
        let judged = world.whole().judge(&rule(&rate, 0), objective);
        let threshold = threshold(&rate, objective);
        let (long, short) = (sums(&slices, 20), sums(&slices, 4));
        let holds = reaches(how, long, weights, threshold) && reaches(how, short, weights, threshold);
        let expected = if holds { Verdict::Holds } else { Verdict::Clear };
        prop_assert_eq!((judged.begins, judged.goes_on), (expected, expected));

        #[expect(clippy::cast_precision_loss, reason = "small")]
        let ratios = long.map(|(total, bad)| bad as f64 / total as f64);
        let all: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let expected = match how {
            Combine::Worst => ratios.into_iter().fold(0.0, f64::max),
            Combine::Weighted => {
                ratios.iter().zip(weights).map(|(ratio, weight)| ratio * f64::from(weight)).sum::<f64>() / all
            }
        };
        let seen = world.whole().seen(Span::from_mins(10));
        prop_assert!((ratio(seen.ratio) - expected).abs() < 1e-12, "{seen:?} {expected}");
        prop_assert!((seen.coverage - 1.0).abs() < 1e-12);
    }

    #[test]
    fn only_proportions_of_weights_count(
        slices in slices(),
        weights in weights(),
        (times, rate) in (2u32..1000, 1u32..600),
    ) {
        let rate = rate.to_string();
        let once = world(Combine::Weighted, weights, 1, &slices, &rate);
        let often = world(Combine::Weighted, weights, times, &slices, &rate);
        let objective = once.journey().slo.objective;
        prop_assert_eq!(
            once.whole().judge(&rule(&rate, 0), objective),
            often.whole().judge(&rule(&rate, 0), objective)
        );
        let window = Span::from_mins(10);
        let (a, b) = (once.whole().seen(window).ratio, often.whole().seen(window).ratio);
        prop_assert!((ratio(a) - ratio(b)).abs() < 1e-12);
    }

    #[test]
    fn the_worst_is_never_better_than_the_mean(
        slices in slices(),
        weights in weights(),
        rate in 1u32..600,
    ) {
        let rate = rate.to_string();
        let worst = world(Combine::Worst, [1, 1, 1], 1, &slices, &rate);
        let mean = world(Combine::Weighted, weights, 1, &slices, &rate);
        let objective = worst.journey().slo.objective;
        let judge = |world: &World| world.whole().judge(&rule(&rate, 0), objective).begins;
        prop_assert!(judge(&mean) != Verdict::Holds || judge(&worst) == Verdict::Holds);
        for minutes in [2, 5, 10] {
            let seen = |world: &World| ratio(world.whole().seen(Span::from_mins(minutes)).ratio);
            prop_assert!(seen(&worst) >= seen(&mean) - 1e-12);
        }
        let left = |world: &World| world.whole().left(objective).unwrap().remaining;
        prop_assert!(left(&worst) <= left(&mean) + 1e-9);
    }
}

#[test]
fn a_mean_of_ratios_is_no_ratio_of_sums() {
    let mut world = World::two(Combine::Weighted, ["1", "1"], vec![rule("14.4", 3)]);
    world.slices(30, &[Counts(1000, 0), Counts(10, 1)]);
    // Of all 1,010 events one in a thousand is bad; of the parts none and a tenth.
    let seen = world.whole().seen(Span::from_mins(10));
    assert!((ratio(seen.ratio) - 0.05).abs() < 1e-12, "{seen:?}");
}
