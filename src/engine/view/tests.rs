//! What is shown of a service that is well, fails, and falls silent.

use proptest::prelude::*;

use super::testing::{Example, S, START, group};
use super::*;
use crate::engine::fact::{Facts, GroupFact, SeriesIx, SlotFact, SlotState, Tier, Trust};
use crate::engine::status::Standing;
use crate::engine::step::Unanswered;
use crate::slo::model::Severity;
use crate::slo::time::Span;
use crate::slo::unit::Events;

fn near(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-9)
}

#[test]
fn a_new_slo_shows_null_where_nothing_is_known() {
    let example = Example::new(&["availability"], &[]);
    let view = slo_view(&example.slos[0], &example.look());
    assert_eq!((view.state, view.groups_folded), (Standing::Unknown, 0));
    let group = &view.groups[0];
    assert_eq!((group.budget_remaining, group.budget_interval, group.exhausts_in), (None, None, None));
    assert!(group.burn.values().all(Option::is_none), "{:?}", group.burn);
    assert!(group.counts.values().all(|c| c.bad.is_none() && c.total.is_none()), "{:?}", group.counts);
    assert!(serde_json::to_string(&view).unwrap().contains(r#""5m":null"#));
}

#[test]
fn the_windows_shown_are_those_of_the_rules_and_the_usual_ones() {
    let example = Example::well(20);
    let view = slo_view(&example.slos[0], &example.look());
    let windows: Vec<&str> = view.groups[0].burn.keys().map(String::as_str).collect();
    assert_eq!(windows, ["1d", "1h", "30m", "5m", "6h"]);
    assert_eq!(view.groups[0].counts.len(), 5);
}

#[test]
fn a_burning_slo_shows_what_the_step_decided_on() {
    let mut example = Example::well(1440);
    for _ in 0..10 {
        example.tick(100, 50);
    }
    let view = slo_view(&example.slos[0], &example.look());
    let group = &view.groups[0];
    assert!(near(group.burn["5m"], 500.0), "{:?}", group.burn);
    assert_eq!((group.counts["5m"].bad, group.counts["5m"].total), (Some(500.0), Some(1000.0)));
    // 500 bad of 145,000, of which 145 may be bad.
    assert!(near(group.budget_remaining, 1.0 - 500.0 / 145.0), "{:?}", group.budget_remaining);
    let states: Vec<_> = group.alerts.iter().map(|a| (a.severity, a.state)).collect();
    assert_eq!(
        states,
        [(Severity::Page, AlertPhase::Firing), (Severity::Ticket, AlertPhase::Pending)],
        "{:?}",
        group.alerts
    );
    assert!(group.alerts[0].fired_at.is_some() && group.alerts[1].fired_at.is_none());
    assert_eq!(group.alerts[0].rules, ["page 13.44 over 1h and 5m"]);
}

#[test]
fn an_alert_shows_its_evidence_and_while_pending_the_labels_it_would_have() {
    let mut example = Example::well(1440);
    for _ in 0..10 {
        example.tick(100, 50);
    }
    let alerts: Vec<AlertView> = example
        .control
        .iter()
        .filter_map(|(key, state)| alert_view(key, state, Some(&example.slos[0]), &example.look()))
        .collect();
    let [page, ticket] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!((page.kind, page.state), (AlertKind::Burn, AlertPhase::Firing));
    assert!(page.incident.is_some() && page.annotations.contains_key("summary"));
    let evidence = page.evidence.as_ref().unwrap();
    assert!(near(evidence.rules[0].short.as_ref().unwrap().burn, 500.0));
    assert_eq!((ticket.state, &ticket.incident), (AlertPhase::Pending, &None));
    assert_eq!(ticket.labels["alertname"], "ErrorBudgetBurn");
    assert_eq!((&*ticket.labels["cluster"], &*ticket.labels["severity"]), ("eu1", "ticket"));
}

#[test]
fn beyond_the_limit_the_groups_with_the_most_budget_are_folded() {
    let mut example = Example::new(&["latency"], &["latency"]);
    let routes: Vec<String> = (0..60).map(|i| format!("/{i:02}")).collect();
    let told: Vec<(&str, i64, i64)> = (0i64..).zip(&routes).map(|(i, r)| (r.as_str(), 1000, i)).collect();
    for _ in 0..20 {
        example.now += S;
        example.tell(0, &told);
    }
    let view = slo_view(&example.slos[0], &example.look());
    assert_eq!((view.groups.len(), view.groups_folded), (MOST_GROUPS, 10));
    assert_eq!(view.groups[0].labels, group("/59"), "the worst comes first");
    let lefts: Vec<f64> = view.groups.iter().map(|g| g.budget_remaining.unwrap()).collect();
    assert!(lefts.windows(2).all(|w| w[0] <= w[1]), "{lefts:?}");
}

#[test]
fn the_pooled_view_is_that_of_the_summed_counts() {
    let mut example = Example::new(&["latency"], &["latency"]);
    for _ in 0..20 {
        example.now += S;
        example.tell(0, &[("/a", 900, 9), ("/b", 100, 1)]);
    }
    let pooled = pooled(&example.slos[0], &example.look());
    let five = pooled.burn.iter().find(|(w, _)| *w == Span::from_mins(5)).unwrap();
    assert!(near(five.1, 10.0), "{pooled:?}");
    assert!(near(pooled.budget_remaining, -9.0), "{pooled:?}");
    let nothing = Example::new(&["latency"], &["latency"]);
    let pooled = super::pooled(&nothing.slos[0], &nothing.look());
    assert!(pooled.burn.iter().all(|(_, burn)| burn.is_none()) && pooled.budget_remaining.is_none());
}

#[test]
fn an_idle_service_burns_nothing_and_a_silent_one_is_unknown() {
    let mut example = Example::well(20);
    for _ in 0..20 {
        example.tick(0, 0);
    }
    let view = slo_view(&example.slos[0], &example.look());
    assert_eq!((view.state, view.groups[0].burn["5m"]), (Standing::Idle, Some(0.0)));
    example.now += 20 * S;
    let view = slo_view(&example.slos[0], &example.look());
    assert_eq!((view.state, view.groups[0].burn["5m"]), (Standing::Unknown, None));
}

#[test]
fn an_slo_whose_query_fails_says_since_when_and_why_beside_its_last_numbers() {
    let mut example = Example::well(20);
    let why = "http 422: many-to-many matching not allowed".to_owned();
    let unanswered = Unanswered { since: Ts(example.now), why: why.clone() };
    example.observed.unanswered.insert(example.slos[0].id.clone(), unanswered);
    let view = slo_view(&example.slos[0], &example.look());
    assert_eq!((view.state, view.groups[0].state), (Standing::Unknown, Standing::Unknown));
    assert_eq!(view.unknown, Some(UnknownView { since: example.now, why }));
    assert_eq!(view.groups[0].burn["5m"], Some(0.0), "as of `at`");
    example.observed.unanswered.clear();
    let view = slo_view(&example.slos[0], &example.look());
    assert!(view.unknown.is_none() && view.state != Standing::Unknown);
}

/// Forty days, told in five minutes and, for the last twelve hours, in slices.
fn history() -> Example {
    let mut example = Example::new(&["availability"], &[]);
    let day = 86_400;
    let end = START + 40 * day;
    let fact = |events| GroupFact {
        group: group(""),
        raw: Events::whole(events),
        withheld: Events::ZERO,
        trust: Trust::Counted,
    };
    let mut tell = |tier, unit: i64, from: i64, to: i64| {
        for (ix, per_slice) in [(0, 100), (1, 1)] {
            let slots = (from / unit + 1..=to / unit)
                .map(|slot| SlotFact {
                    end: Ts(slot * unit),
                    state: SlotState::Known(vec![fact(per_slice * unit / S)]),
                })
                .collect();
            example.ledger.apply(&Facts { series: SeriesIx(ix), tier, slots });
        }
    };
    tell(Tier::FiveMinutes, 300, START, end - day / 2);
    tell(Tier::Fine, S, end - day / 2, end);
    example.now = end;
    example
}

#[test]
fn over_time_every_tier_shows_the_events_that_were_there() {
    let example = history();
    for (length, step, wanted) in [
        (Span::from_hours(6), Span::from_secs(30), 30),
        (Span::from_hours(6), Span::from_secs(1), 30),
        (Span::from_hours(12), Span::from_mins(7), 600),
        (Span::from_days(3), Span::from_secs(30), 300),
        (Span::from_days(7), Span::from_mins(5), 900),
        (Span::from_days(27), Span::from_mins(1), 3600),
    ] {
        let at = Ts(example.now);
        let range = (at.minus(length), at);
        let view = series(&example.slos[0], &example.ledger, &group(""), range, step, at).unwrap();
        assert_eq!(view.step, wanted, "{length}");
        for point in &view.points {
            let slices = Events::whole(view.step / S).as_f64();
            assert!(near(point.total, 100.0 * slices), "{length} {point:?}");
            assert!(near(point.bad, slices) && near(point.burn, 10.0), "{length} {point:?}");
            assert!(near(Some(point.coverage), 1.0), "{length} {point:?}");
        }
        let newest = view.points.last().unwrap();
        assert!(near(newest.budget_remaining, -9.0), "{length} {newest:?}");
        // A period that began before what is kept is not shown as if it had begun there.
        assert!(view.points.iter().all(|p| p.budget_remaining.is_none_or(|left| near(Some(left), -9.0))));
    }
}

fn grids() -> impl Strategy<Value = (i64, i64, u32)> {
    let edge =
        || prop_oneof![8 => START - 1_000_000..START + 5_000_000, 1 => any::<i64>(), 1 => Just(i64::MIN)];
    (edge(), edge(), prop_oneof![0u32..4000, any::<u32>()])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_series_has_at_most_a_thousand_points_and_only_numbers(
        grids in prop::collection::vec(grids(), 8),
        told in prop::collection::vec((0i64..3_000, -3i64..200, -3i64..200), 0..80),
    ) {
        let mut example = Example::new(&["availability"], &[]);
        for (slice, total, bad) in told {
            example.now = START + slice * S;
            example.tell(0, &[("", total, bad)]);
        }
        example.now = START + 3_000 * S;
        for (from, to, step) in grids {
            let range = (Ts(from), Ts(to));
            let at = Ts(example.now);
            let view = series(&example.slos[0], &example.ledger, &group(""), range, Span::from_secs(step), at).unwrap();
            prop_assert!(view.points.len() <= 1000, "{}", view.points.len());
            prop_assert!(view.step > 0 && view.step % S == 0);
            for point in &view.points {
                for number in [point.bad, point.total, point.error_ratio, point.burn, point.budget_remaining] {
                    prop_assert!(number.is_none_or(f64::is_finite), "{point:?}");
                }
                prop_assert!((0.0..=1.0).contains(&point.coverage), "{point:?}");
                prop_assert!(point.t > view.from && point.t <= view.to.min(example.now));
            }
        }
    }
}
