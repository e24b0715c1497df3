//! Follow-up questions without an answer: whether many errors at once are newly born, and how much
//! was counted in a slice in which a series fell.

use crate::service::clock;
use crate::service::testing::{Rig, Source, slo};
use crate::slo::model::Labels;
use crate::slo::time::{Span, Step, Ts};
use crate::slo::unit::Events;

/// 300 requests a slice; 500 errors in the slice that ends then, and no answer whether they are new.
async fn burst() -> (Rig, Source, Ts) {
    let at = in_a_minute();
    let source = Source::start(move |query, part, t| match part {
        "a" | "m" if query.contains("500") => Some(if t >= at.0 { 505 } else { 5 }),
        "a" | "m" => Some(t * 10),
        // Nothing is newborn; targets are up.
        "d" => Some(0),
        _ => Some(1),
    })
    .await;
    let mut rig = Rig::of(&slo("cart"), &source.url).await;
    rig.tick().await;
    source.refuse(is_about_births);
    (rig, source, at)
}

/// The end of a slice.
fn in_a_minute() -> Ts {
    Step::DEFAULT.floor(clock::now()).plus(Span::from_secs(60))
}

/// Errors in the slice that ends then.
fn bad(rig: &Rig, end: Ts) -> Events {
    let world = rig.shared.world.read();
    let series = world.ledger.series(world.plan.slos[0].bad[0].1).unwrap();
    series
        .group(&Labels::new())
        .map(|group| group.sum(end.minus(Span::from_secs(30)), end))
        .unwrap_or_default()
}

fn is_about_births(query: &str) -> bool {
    query.contains("unless") && query.contains("500")
}

#[tokio::test]
async fn a_slice_left_open_is_asked_again_until_it_is_known() {
    let (mut rig, source, burst_at) = burst().await;
    while rig.at < burst_at.plus(Span::from_mins(4)) {
        rig.tick().await;
    }
    assert_eq!(bad(&rig, burst_at), Events::ZERO, "not without proof");
    let trouble = rig.shared.troubles.read().get("queries").cloned().unwrap();
    assert!(trouble.contains("left out") && trouble.contains("too much"), "{trouble}");
    source.refuse(|_| false);
    rig.tick().await;
    assert_eq!(bad(&rig, burst_at), Events::whole(500));
    assert_eq!(rig.shared.troubles.read().get("queries"), None);

    // Known, it is not asked for any more.
    source.asked();
    rig.tick().await;
    let oldest = source.asked().iter().flat_map(|question| question.moments()).min().unwrap();
    assert!(oldest >= rig.at.0 - 150, "{}", rig.at.0 - oldest);
}

#[tokio::test]
async fn a_slice_that_stays_open_is_given_up_after_ten_minutes() {
    let (mut rig, source, burst_at) = burst().await;
    while rig.at < burst_at.plus(Span::from_mins(10)) {
        source.asked();
        rig.tick().await;
        let asked = source.asked();
        let again = asked.iter().filter(|question| is_about_births(&question.query)).count();
        let due = rig.at >= burst_at && rig.at < burst_at.plus(Span::from_mins(10));
        assert_eq!(again > 0, due, "{:?} {:?}", rig.at, burst_at);
    }
    source.asked();
    rig.tick().await;
    assert!(!source.asked().iter().any(|question| is_about_births(&question.query)));
    assert_eq!(bad(&rig, burst_at), Events::ZERO);
}

#[tokio::test]
async fn a_slice_that_is_not_known_at_all_is_left_to_history_and_widens_no_tick() {
    let fell_at = in_a_minute();
    let source = Source::start(move |query, part, t| match part {
        "a" | "m" if query.contains("500") => Some(0),
        "m" if t == fell_at.0 => Some(t * 10 + 1),
        "a" | "m" => Some(t * 10),
        "d" if query.contains("(0 * ") => Some(300),
        "d" => Some(0),
        _ => Some(1),
    })
    .await;
    let mut rig = Rig::of(&slo("cart"), &source.url).await;
    rig.tick().await;
    source.refuse(|query| query.contains("(0 * "));
    while rig.at < fell_at.plus(Span::from_mins(4)) {
        source.asked();
        rig.tick().await;
    }
    let oldest = source.asked().iter().flat_map(|question| question.moments()).min().unwrap();
    assert!(oldest >= rig.at.0 - 150, "{}", rig.at.0 - oldest);
    let is_known = |rig: &Rig| {
        let world = rig.shared.world.read();
        let series = world.ledger.series(world.plan.slos[0].total[0].1).unwrap();
        (series.answered().contains(fell_at), series.answered().contains(rig.at))
    };
    assert_eq!(is_known(&rig), (false, true));

    let mut units = rig.units();
    let mut filled = Ok(());
    for _ in 0..5 {
        filled = filled.and(rig.fill(&mut units).await);
        if filled.is_err() {
            break;
        }
    }
    let error = filled.unwrap_err();
    assert!(error.contains("has no answer") && error.contains("too much"), "{error}");
    assert_eq!(is_known(&rig), (false, true));
    source.refuse(|_| false);
    for _ in 0..5 {
        rig.fill(&mut units).await.unwrap();
    }
    assert_eq!(is_known(&rig), (true, true));
}
