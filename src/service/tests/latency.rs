//! Slow requests of several services that are asked about in one query.

use std::time::Duration;

use crate::service::clock;
use crate::service::testing::{Rig, Source, latency, wait_until};
use crate::slo::time::{Span, Step, Ts};

/// 300 requests a slice, and as many series with the bucket as with a count; all of `pay` are slow
/// after that moment.
async fn shop(slow_after: Ts) -> Source {
    Source::start(move |query, part, t| match part {
        "a" | "m" if query.contains("bucket") && query.contains("\"pay\"") => Some(t.min(slow_after.0) * 10),
        "a" | "m" => Some(t * 10),
        "d" => Some(0),
        _ => Some(1),
    })
    .await
}

/// What settles a doubt.
fn is_about_buckets(query: &str) -> bool {
    query.contains("max without (le)")
}

fn minutes_from_now(minutes: u32) -> Ts {
    Step::DEFAULT.floor(clock::now()).plus(Span::from_mins(minutes))
}

/// Both are watched, up to that moment.
async fn watched(source: &Source, until: Ts) -> Rig {
    let mut rig = Rig::of(&(latency("cart") + "---\n" + &latency("pay")), &source.url).await;
    let merged = |rig: &Rig| rig.shared.world.read().plan.groups.iter().all(|g| g.members.len() == 2);
    assert!(merged(&rig), "the two are asked in one query");
    while rig.at < until {
        rig.tick().await;
    }
    rig
}

#[tokio::test]
async fn a_service_that_hangs_keeps_no_page_of_another_on_the_same_histogram() {
    let slow_after = minutes_from_now(5);
    let source = shop(slow_after).await;
    let mut rig = watched(&source, slow_after.minus(Span::from_secs(30))).await;
    // Each is asked for itself from here on.
    source.refuse(|query| query.contains("cart") && query.contains("pay"));
    rig.tick().await;
    assert_eq!(rig.owed().await, []);
    source.refuse(|_| false);
    source.hang(|query| query.contains("cart"));

    let (shared, at) = (rig.shared.clone(), rig.at.plus(Span::from_secs(30)));
    let judged = |slo: &str| shared.world.read().judged.get(slo).copied() == Some(at);
    // What hangs has ten seconds.
    let soon = wait_until(Duration::from_secs(6), "pay to be judged", async || judged("shop/pay"));
    tokio::join!(rig.tick(), soon);
    assert!(source.asked().iter().any(|question| is_about_buckets(&question.query)));
    assert!(!judged("shop/cart"));
    let told = rig.owed().await;
    assert!(told.iter().any(|(event, _)| event == "firing"), "{told:?}");
}

#[tokio::test]
async fn what_is_not_settled_in_a_tick_counts_as_not_judged_and_is_told() {
    let slow_after = minutes_from_now(5);
    let source = shop(slow_after).await;
    let mut rig = watched(&source, slow_after).await;
    source.refuse(is_about_buckets);
    rig.tick().await;
    let world = rig.shared.world.read();
    assert_eq!(world.judged.get("shop/pay"), Some(&slow_after));
    assert_eq!(world.judged.get("shop/cart"), Some(&rig.at));
    let why = &world.observed.unanswered["shop/pay"].why;
    assert!(why.contains("is not known") && why.contains("too much"), "{why}");
    let trouble = rig.shared.troubles.read().get("queries").cloned().unwrap();
    assert!(trouble.contains("lacks d_seconds_bucket") && trouble.contains("too much"), "{trouble}");
}

#[tokio::test]
async fn history_whose_doubts_are_not_settled_is_asked_again() {
    // What is urgent begins at five whole minutes: the slice in doubt is in the first piece.
    let slow_after = minutes_from_now(10).floor_to(Span::from_mins(5));
    let source = shop(slow_after).await;
    let mut rig = watched(&source, slow_after).await;
    source.refuse(is_about_buckets);
    for _ in 0..5 {
        rig.tick().await;
    }
    // The newest of what is lacking is in the first piece; the oldest may lie before what pages look
    // at, which is rounded to five minutes of the clock.
    let lacks = rig.at;
    let is_known = |rig: &Rig| {
        let world = rig.shared.world.read();
        let pair = world.plan.buckets.iter().find(|pair| pair.selectors.1.to_string().contains("pay"));
        world.ledger.series(pair.unwrap().bucket).unwrap().answered().contains(lacks)
    };
    let mut units = rig.units();
    let error = rig.fill(&mut units).await.unwrap_err();
    assert!(error.contains("has no answer") && error.contains("too much"), "{error}");
    assert!(!is_known(&rig));
    source.refuse(|_| false);
    rig.fill(&mut units).await.unwrap();
    assert!(is_known(&rig));
}
