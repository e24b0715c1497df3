//! Rounds over a ledger that ticks filled, with a source that changes its mind.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::tell::Told;
use super::turns::Turns;
use super::{every, pause, round};
use crate::engine::ledger::{Keep, Wanted, exclusion};
use crate::service::clock;
use crate::service::planner::keeps;
use crate::service::testing::{Rig, Source, slo};
use crate::slo::time::{Span, Step, Ts};
use crate::telemetry::LogFormat;
use crate::telemetry::labels::QueryLabels;
use crate::telemetry::logs::testing::logged;

/// Ten requests a second of each job and no errors; what comes on top of the counts since when.
async fn rig(jobs: &[&str]) -> (Rig, Source, Arc<(AtomicI64, AtomicI64)>) {
    let late = Arc::new((AtomicI64::new(0), AtomicI64::new(i64::MAX)));
    let says = Arc::clone(&late);
    let source = Source::start(move |query, part, t| match part {
        _ if query.contains("500") => None,
        "a" | "m" => {
            let since = says.1.load(Ordering::Relaxed);
            let on_top = if t >= since { says.0.load(Ordering::Relaxed) } else { 0 };
            Some(t * 10 + on_top)
        }
        "d" => Some(0),
        _ => Some(1),
    })
    .await;
    let slos: Vec<String> = jobs.iter().map(|job| slo(job)).collect();
    let mut rig = Rig::of(&slos.join("---\n"), &source.url).await;
    rig.at = rig.at.minus(Span::from_mins(15));
    while rig.at < Step::DEFAULT.floor(clock::now()) {
        rig.tick().await;
    }
    source.asked();
    (rig, source, late)
}

fn checks(rig: &Rig, outcome: &str) -> u64 {
    rig.shared.metrics.drift_checks.get_or_create(&QueryLabels::new("local", outcome)).get()
}

async fn rounds(rig: &Rig, turns: &mut Turns, told: &Told, times: usize) {
    for _ in 0..times {
        round(&rig.shared, "local", turns).await;
        told.tell(&rig.shared, "local", turns);
    }
}

/// What one more round says in the log.
async fn after_a_round(rig: &Rig, turns: &mut Turns, told: &Told) -> String {
    round(&rig.shared, "local", turns).await;
    logged(LogFormat::Text, "info", || told.tell(&rig.shared, "local", turns))
}

#[tokio::test]
async fn what_is_booked_stays_equal_and_a_round_asks_little() {
    let (rig, source, _) = rig(&["cart", "pay"]).await;
    let (mut turns, told) = (Turns::of("local"), Told::default());
    rounds(&rig, &mut turns, &told, 6).await;
    assert!(checks(&rig, "equal") >= 24, "{}", checks(&rig, "equal"));
    assert_eq!((checks(&rig, "different"), checks(&rig, "unanswered")), (0, 0));
    assert_eq!(rig.shared.troubles.read().get("audit"), None);
    let asked = source.asked();
    assert!(asked.len() <= 6 * 2, "{asked:?}");
    let most = asked.iter().map(|question| question.moments().len()).max();
    assert!(most <= Some(6), "{asked:?}");
}

#[tokio::test]
async fn samples_that_come_after_settling_are_told_until_they_are_gone() {
    let (rig, source, late) = rig(&["cart"]).await;
    let (mut turns, told) = (Turns::of("local"), Told::default());
    // 70 requests more in a slice of five minutes ago.
    let at = Step::DEFAULT.floor(clock::now()).minus(Span::from_mins(5));
    late.1.store(at.0, Ordering::Relaxed);
    late.0.store(70, Ordering::Relaxed);
    for _ in 0..40 {
        if checks(&rig, "different") > 0 {
            break;
        }
        assert_eq!(after_a_round(&rig, &mut turns, &told).await, "");
    }
    assert_eq!(checks(&rig, "different"), 1);
    assert_eq!(rig.shared.metrics.drift_slices.get(), 0, "one answer may have lacked a part");
    assert_eq!(rig.shared.troubles.read().get("audit"), None);
    let said = after_a_round(&rig, &mut turns, &told).await;
    assert_eq!(said.lines().count(), 1, "{said}");
    for part in ["WARN", "shop/cart", "r_total", &at.to_string(), "300 booked, 370 asked again"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(after_a_round(&rig, &mut turns, &told).await, "", "it is said once");
    let trouble = rig.shared.troubles.read().get("audit").cloned().unwrap();
    for part in
        ["1 settled slice is not", "shop/cart", "r_total", &at.to_string(), "300 booked, 370 asked again"]
    {
        assert!(trouble.contains(part), "{part}: {trouble}");
    }
    assert_eq!(rig.shared.metrics.drift_slices.get(), 1);
    assert!((rig.shared.metrics.drift_events.get() - 70.0).abs() < 1e-9);
    late.0.store(0, Ordering::Relaxed);
    rounds(&rig, &mut turns, &told, 1).await;
    assert_eq!(rig.shared.troubles.read().get("audit"), None, "it is looked at in each round");
    assert_eq!(rig.shared.metrics.drift_slices.get(), 0);
    drop(source);
}

#[tokio::test]
async fn what_nobody_counts_any_more_is_not_told() {
    let (rig, _source, late) = rig(&["cart"]).await;
    let (mut turns, told) = (Turns::of("local"), Told::default());
    late.1.store(Step::DEFAULT.floor(clock::now()).minus(Span::from_mins(5)).0, Ordering::Relaxed);
    late.0.store(70, Ordering::Relaxed);
    rounds(&rig, &mut turns, &told, 40).await;
    assert_eq!(rig.shared.metrics.drift_slices.get(), 1);
    {
        let mut world = rig.shared.world.write();
        let planned = world.plan.slos[0].clone();
        let wanted = Wanted {
            from: clock::now().minus(Span::from_mins(10)),
            to: clock::now(),
            reason: "samples came late".into(),
            by: "ann".into(),
        };
        let made =
            exclusion(1, &wanted, &[], (Span::from_days(28), Step::DEFAULT.span()), clock::now()).unwrap();
        let series: Vec<_> = planned.bad.iter().chain(&planned.total).map(|(_, ix)| *ix).collect();
        world.ledger.exclude(&planned.id, vec![made], &series);
    }
    rounds(&rig, &mut turns, &told, 6).await;
    assert_eq!(rig.shared.metrics.drift_slices.get(), 0);
    assert_eq!(rig.shared.troubles.read().get("audit"), None);
}

#[tokio::test]
async fn a_source_that_refuses_or_has_nothing_is_no_drift() {
    let (rig, source, _) = rig(&["cart", "pay"]).await;
    let (mut turns, told) = (Turns::of("local"), Told::default());
    source.refuse(|_| true);
    rounds(&rig, &mut turns, &told, 3).await;
    assert!(checks(&rig, "unanswered") >= 3);
    assert_eq!((checks(&rig, "different"), rig.shared.metrics.drift_slices.get()), (0, 0));
}

#[tokio::test]
async fn a_source_that_does_not_answer_is_asked_one_question_and_then_left_alone() {
    let (rig, source, late) = rig(&["cart"]).await;
    let (mut turns, told) = (Turns::of("local"), Told::default());
    late.1.store(Step::DEFAULT.floor(clock::now()).minus(Span::from_mins(5)).0, Ordering::Relaxed);
    late.0.store(70, Ordering::Relaxed);
    rounds(&rig, &mut turns, &told, 40).await;
    assert_eq!((rig.shared.metrics.drift_slices.get(), checks(&rig, "unanswered")), (1, 0));
    drop(source);
    assert!(!round(&rig.shared, "local", &mut turns).await);
    told.tell(&rig.shared, "local", &turns);
    assert_eq!(checks(&rig, "unanswered"), 1, "the turn comes after what differs, and is not asked");
    assert_eq!(rig.shared.metrics.drift_slices.get(), 1, "no answer heals nothing");
    let minute = Span::from_mins(1);
    let secs = |failures, took| pause(minute, failures, Duration::from_secs(took)).as_secs();
    assert_eq!((secs(0, 1), secs(1, 10), secs(3, 10), secs(60, 10)), (60, 120, 480, 960));
    assert_eq!(secs(0, 90), 90, "as long as it took");
}

#[tokio::test]
async fn slots_that_were_booked_under_another_lookback_are_left_alone() {
    let (rig, _source, late) = rig(&["cart"]).await;
    late.1.store(Step::DEFAULT.floor(clock::now()).minus(Span::from_mins(5)).0, Ordering::Relaxed);
    late.0.store(70, Ordering::Relaxed);
    {
        // As after a restart, with a scrape interval that was not known before.
        let mut world = rig.shared.world.write();
        let keeps = keeps(&world.plan, rig.at);
        let longer = |keep: Keep| Keep { reach: Span::from_mins(13), ..keep };
        world.ledger.adopt(keeps.into_iter().map(longer).collect());
    }
    let (mut turns, told) = (Turns::of("local"), Told::default());
    rounds(&rig, &mut turns, &told, 40).await;
    assert_eq!((checks(&rig, "different"), rig.shared.metrics.drift_slices.get()), (0, 0));
}

#[test]
fn a_round_comes_every_second_slice_and_each_minute_at_least() {
    for (step, secs) in [(5, 10), (30, 60), (60, 60)] {
        assert_eq!(every(Step::new(Span::from_secs(step)).unwrap()).secs(), secs);
    }
    assert!(Ts(0) < clock::now());
}
