//! A composite of one SLO is that SLO.

use proptest::prelude::*;

use super::*;
use crate::engine::condition::Judged;
use crate::engine::step::{JudgedRule, judge_group};
use crate::engine::view::slo_view;
use crate::engine::window::Book;
use crate::slo::model::{AbsentMeans, Labels};
use crate::slo::period::{CalendarUnit, Period, Zone};

fn slice() -> impl Strategy<Value = Slice> {
    prop_oneof![
        6 => (0i64..40, 0i64..40).prop_map(|(total, bad)| Counts(total, bad.min(total))),
        2 => (0i64..200, 0i64..3).prop_map(|(total, bad)| Counts(total, bad.min(total))),
        1 => Just(Unknown),
        1 => Just(Absent),
        1 => Just(Counts(0, 0)),
    ]
}

/// Runs of alike slices, so that windows fill and empty.
fn history() -> impl Strategy<Value = Vec<Slice>> {
    let run = (slice(), 1usize..12).prop_map(|(slice, count)| vec![slice; count]);
    prop::collection::vec(run, 1..12).prop_map(|runs| runs.concat())
}

fn means() -> impl Strategy<Value = AbsentMeans> {
    use AbsentMeans::{Bad, Good, Idle};
    prop_oneof![Just(AbsentMeans::Unknown), Just(Good), Just(Bad), Just(Idle)]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let rule = (1u32..2000, 0i64..30, any::<bool>()).prop_map(|(rate, least, short)| {
        let rule = rule(&format!("{}.{}", rate / 2, rate % 2 * 5 + 1), least);
        Rule { short: rule.short.filter(|_| short), ..rule }
    });
    prop::collection::vec(rule, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn one_part_alone_is_judged_and_shown_as_the_slo_itself(
        history in history(),
        means in means(),
        rules in rules(),
        weight in 1u32..1000,
        (worst, calendar) in (any::<bool>(), any::<bool>()),
    ) {
        let how = if worst { Combine::Worst } else { Combine::Weighted };
        let mut world =
            World::new(&["a"], &[], how, vec![part("a", &weight.to_string())], rules.clone());
        let zone = Zone::named("UTC").unwrap();
        let period = if calendar {
            Period::Calendar { unit: CalendarUnit::Week, zone }
        } else {
            Period::Rolling(Span::from_days(1))
        };
        for place in [0, 1] {
            world.edit(place, |slo| {
                slo.period = period.clone();
                slo.alerting.rules.clone_from(&rules);
            });
        }
        world.edit(0, |slo| slo.absent.means = means);
        for slice in history {
            world.slice(&[slice]);
        }
        let Example { ledger, observed, now, .. } = &world.example;
        let member = &world.example.slos[0];
        let book = Book::open(ledger, &member.bad, &member.total, &Labels::new()).unwrap();
        let alone = judge_group(member, &Labels::new(), &book, observed, Ts(*now));
        let whole = world.whole();
        for (rule, own) in rules.iter().zip(&alone.rules) {
            let JudgedRule::Counted(own) = own else { panic!("{own:?}") };
            let Judged { begins, goes_on } = whole.judge(rule, member.slo.objective);
            prop_assert_eq!((begins, goes_on), (own.begins, own.goes_on), "{:?}", rule);
        }
        prop_assert_eq!(whole.standing() == Standing::Unknown, !alone.standing.is_known(means));

        let look = world.example.look();
        let (own, shown) = (slo_view(member, &look), slo_view(world.journey(), &look));
        let (own, shown) = (&own.groups[0], &shown.groups[0]);
        prop_assert!((own.coverage - shown.coverage).abs() < 1e-12);
        prop_assert_eq!(own.budget_coverage, shown.budget_coverage);
        let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
            (a, b) => a == b,
        };
        prop_assert!(near(own.budget_remaining, shown.budget_remaining), "{own:?} {shown:?}");
        let ends = |of: &crate::engine::view::GroupView| of.budget_interval.map(|i| (i.low, i.high));
        prop_assert!(near(ends(own).map(|e| e.0), ends(shown).map(|e| e.0)));
        prop_assert!(near(ends(own).map(|e| e.1), ends(shown).map(|e| e.1)));
        // What absence means counts for what is shown of a composite as for its rules.
        if means == AbsentMeans::Unknown {
            for (window, burn) in &own.burn {
                prop_assert!(near(*burn, shown.burn[window]), "{window} {own:?} {shown:?}");
            }
            let secs = |of: Option<i64>| of.map(|secs| secs / 10);
            prop_assert_eq!(secs(own.exhausts_in), secs(shown.exhausts_in));
        }
    }
}
