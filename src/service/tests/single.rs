//! Direct windows and targets that have no answer, and plans that change meanwhile.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::alert::{AlertKey, AlertState, Firing, Subject};
use crate::service::clock;
use crate::service::testing::{NOWHERE, Rig, Source, ratio, slo};
use crate::slo::model::{Labels, Severity};
use crate::slo::time::{Span, Step};
use crate::store::OutboxFilter;

/// Everything is well.
async fn well() -> Source {
    Source::start(|_, part, t| match part {
        "a" | "m" => Some(t * 10),
        "" | "d" => Some(0),
        _ => Some(1),
    })
    .await
}

fn count(source: &Source, of: &str) -> usize {
    source.asked().iter().filter(|question| question.query.contains(of)).count()
}

async fn minutes(rig: &mut Rig, minutes: u32) {
    let until = rig.at.plus(Span::from_mins(minutes));
    while rig.at < until {
        rig.tick().await;
    }
}

fn trouble(rig: &Rig) -> Option<String> {
    rig.shared.troubles.read().get("queries").cloned()
}

#[tokio::test]
async fn a_window_that_is_refused_is_told_and_rests() {
    let source = well().await;
    source.refuse(|query| query.contains("[3d]"));
    let mut rig = Rig::of(&ratio("raw"), &source.url).await;
    minutes(&mut rig, 7).await;
    assert_eq!(count(&source, "[3d]"), 3, "after one minute, and after two more");
    let told = trouble(&rig).unwrap();
    assert!(told.contains("3d") && told.contains("shop/raw") && told.contains("too much"), "{told}");
    let why = rig.shared.world.read().observed.unanswered["shop/raw"].why.clone();
    assert!(why.contains("3d") && why.contains("too much"), "{why}");
    let owed = rig.owed().await;
    assert_eq!(owed.len(), 1, "SLOUnknown: {owed:?}");

    source.refuse(|_| false);
    minutes(&mut rig, 4).await;
    assert!(rig.shared.world.read().observed.unanswered.is_empty());
    assert_eq!((trouble(&rig), rig.owed().await.len()), (None, 2));
}

#[tokio::test]
async fn targets_that_are_refused_are_told_and_rest() {
    let source = well().await;
    source.refuse(|query| query.starts_with("count_values"));
    let mut rig = Rig::of(&slo("cart"), &source.url).await;
    minutes(&mut rig, 7).await;
    let told = trouble(&rig).unwrap();
    assert!(told.contains("targets") && told.contains("shop/cart") && told.contains("too much"), "{told}");
    assert_eq!(count(&source, "count_values"), 3);
}

#[tokio::test]
async fn an_edit_elsewhere_makes_nothing_forgotten() {
    let source = well().await;
    source.refuse(|query| query.contains("[3d]"));
    let both = |slo: String| ratio("raw") + "---\n" + &slo;
    let mut rig = Rig::of(&both(slo("cart")), &source.url).await;
    rig.tick().await;
    assert_eq!(count(&source, "[3d]"), 1);
    let of_cart = rig.shared.world.read().plan.slos[1].alive.unwrap();
    let targets = rig.shared.world.read().observed.alive[&of_cart];

    // The ratio is the second now, and so are its windows and targets.
    rig.define(&(slo("beta") + "---\n" + &both(slo("cart"))));
    let (of_beta, of_cart) = {
        let plan = &rig.shared.world.read().plan;
        (plan.slos[0].alive.unwrap(), plan.slos[2].alive.unwrap())
    };
    let alive = rig.shared.world.read().observed.alive.clone();
    assert_eq!((alive.get(&of_beta), alive.get(&of_cart)), (None, Some(&targets)));
    rig.tick().await;
    let asked = source.asked();
    let asks = |of: &str| asked.iter().filter(|question| question.query.contains(of)).count();
    assert_eq!((asks("[3d]"), asks("[6h]"), asks("beta") > 0), (0, 0, true), "still at rest, and not due");
}

#[tokio::test]
async fn a_source_that_nothing_is_asked_of_any_more_is_not_blind() {
    let mut rig = Rig::of(&slo("cart"), NOWHERE).await;
    minutes(&mut rig, 2).await;
    assert_eq!(rig.owed().await.len(), 1);
    rig.define(&slo("cart").replace("  service: shop\n", "  service: shop\n  source: other\n"));
    rig.tick().await;
    let owed = rig.owed().await;
    assert_eq!(owed.iter().map(|(event, _)| event.as_str()).collect::<Vec<_>>(), ["firing", "resolved"]);
}

#[tokio::test]
async fn a_page_does_not_wait_for_targets_because_a_ticket_fires() {
    let begin = Step::DEFAULT.floor(clock::now());
    let burst = begin.plus(Span::from_mins(62));
    let surge = move |t: i64| if t >= burst.0 { 100_000 } else { 0 };
    let source = Source::start(move |query, part, t| match part {
        "a" | "m" if query.contains("500") => Some(5 + surge(t)),
        "a" | "m" => Some(t * 10 + surge(t)),
        "d" => Some(0),
        _ => Some(1),
    })
    .await;
    let mut rig = Rig::of(&slo("cart"), &source.url).await;
    // A slice may have ended since.
    rig.at = begin.minus(Span::from_secs(30));
    minutes(&mut rig, 62).await;
    assert_eq!((rig.at.plus(Span::from_secs(30)), rig.owed().await), (burst, vec![]));
    let subject = Subject::Burn { slo: "shop/cart".into(), group: Labels::new() };
    let firing = Firing {
        incident: "i".into(),
        at: rig.at,
        labels: Labels::new(),
        annotations: Labels::new(),
        told: vec![],
        targets: Some(1),
        rules: vec![],
    };
    let state = AlertState { firing: Some(firing), ..AlertState::default() };
    rig.shared.world.write().control.put(AlertKey { subject, severity: Severity::Ticket }, state);

    source.hang(|query| query.starts_with("count_values"));
    let shared = Arc::clone(&rig.shared);
    let told = async {
        while shared.store.outbox(&OutboxFilter::default(), None, 9).await.unwrap().items.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        biased;
        () = told => {}
        _ = rig.tick() => panic!("it waited for the targets"),
    }
}
