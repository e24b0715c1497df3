//! Places, breaker, clock and counters of a source that several askers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use super::test_peer::{DEADLINE, Peer, failed, install_provider, instant, nothing, response};
use super::{BreakerState, Priority, Prometheus, Source, SourceConfig};
use crate::engine::sample::{Answer, FailureKind};
use crate::slo::time::Ts;

/// When every test here takes place: Sunday, 22 November 2026, 08:45:55.
fn now() -> Ts {
    Ts(1_795_337_155)
}

fn source(peer: &Peer, places: usize) -> Prometheus {
    install_provider();
    let mut settings = peer.settings();
    settings.max_concurrent = places;
    Prometheus::new(SourceConfig::check(settings).unwrap(), now).unwrap()
}

async fn tick(source: &Prometheus, promql: &str) -> Answer {
    source.ask(&instant(promql), Priority::Tick, DEADLINE).await
}

fn count(source: &Prometheus, outcome: &str) -> u64 {
    source.stats().queries.iter().find(|(name, _)| *name == outcome).unwrap().1
}

/// Answers 500 until it is healed; keeps count of the probes it saw.
async fn ailing() -> (Peer, Arc<AtomicBool>) {
    let healthy = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&healthy);
    let peer = Peer::start(move |mut stream, _, _| {
        let answer = match seen.load(Ordering::SeqCst) {
            true => nothing(),
            false => response("500 Internal Server Error", "", "disk"),
        };
        async move {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    (peer, healthy)
}

#[tokio::test]
async fn a_source_that_keeps_failing_is_left_alone_and_backfill_too() {
    let (peer, _) = ailing().await;
    let source = source(&peer, 4);
    for promql in ["a", "b", "a", "b", "a"] {
        assert_eq!(failed(tick(&source, promql).await).0, FailureKind::ServerError);
    }
    assert_eq!(source.breaker(), BreakerState::Open);
    let (kind, message) = failed(tick(&source, "c").await);
    assert_eq!(kind, FailureKind::BreakerOpen);
    assert!(message.contains("next try is in 30s"), "{message}");
    let backfill = source.ask(&instant("d"), Priority::Background, DEADLINE).await;
    assert_eq!(failed(backfill).0, FailureKind::BreakerOpen);
    assert_eq!(peer.requests(), 5);
    assert_eq!((count(&source, "server_error"), count(&source, "breaker_open")), (5, 2));
}

#[tokio::test]
async fn failing_backfill_does_not_stop_ticks() {
    let (peer, healthy) = ailing().await;
    let source = source(&peer, 4);
    for promql in ["a", "b", "a", "b", "a", "b"] {
        let answer = source.ask(&instant(promql), Priority::Background, DEADLINE).await;
        assert_eq!(failed(answer).0, FailureKind::ServerError);
    }
    assert_eq!(source.breaker(), BreakerState::Closed);
    healthy.store(true, Ordering::SeqCst);
    assert!(matches!(tick(&source, "a").await, Answer::Frames { .. }));
    assert!(source.stats().bytes > 0);
}

/// Answers each request only when a permit is added, and counts those that wait.
async fn gated() -> (Peer, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let seen = Arc::clone(&gate);
    let peer = Peer::start(move |mut stream, _, _| {
        let gate = Arc::clone(&seen);
        async move {
            gate.acquire().await.unwrap().forget();
            let _ = stream.write_all(nothing().as_bytes()).await;
        }
    })
    .await;
    (peer, gate)
}

#[tokio::test]
async fn no_more_queries_are_in_flight_than_allowed_and_waiting_is_bounded() {
    let (peer, gate) = gated().await;
    let source = source(&peer, 2);
    let answers = join_all(["a", "b", "c", "d"].map(|promql| tick(&source, promql))).await;
    assert_eq!(peer.requests(), 2);
    for answer in answers {
        assert_eq!(failed(answer).0, FailureKind::Timeout);
    }
    gate.add_permits(100);
    let answers = join_all(["a", "b", "c", "d"].map(|promql| tick(&source, promql))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Frames { .. })), "{answers:?}");
}

#[tokio::test]
async fn a_follow_up_does_not_queue_behind_first_questions() {
    let peer = Peer::start(|mut stream, request, _| async move {
        if request.contains("query=slow") {
            std::future::pending::<()>().await;
        }
        let _ = stream.write_all(nothing().as_bytes()).await;
    })
    .await;
    let source = source(&peer, 2);
    let slow = join_all(["slow1", "slow2", "slow3", "slow4"].map(|promql| tick(&source, promql)));
    let follow_up = async {
        tokio::time::sleep(DEADLINE / 4).await;
        source.ask(&instant("follow"), Priority::FollowUp, DEADLINE / 2).await
    };
    let (_, follow_up) = tokio::join!(slow, follow_up);
    assert!(matches!(follow_up, Answer::Frames { .. }), "{follow_up:?}");
}

#[tokio::test]
async fn a_stuck_backfill_takes_no_place_from_a_tick() {
    let peer = Peer::start(|mut stream, request, _| async move {
        if request.contains("query=heavy") {
            std::future::pending::<()>().await;
        }
        let _ = stream.write_all(nothing().as_bytes()).await;
    })
    .await;
    let source = source(&peer, 1);
    let heavy = instant("heavy");
    let backfill = source.ask(&heavy, Priority::Background, Duration::from_secs(60));
    tokio::select! {
        answer = backfill => panic!("{answer:?}"),
        answer = tick(&source, "light") => assert!(matches!(answer, Answer::Frames { .. }), "{answer:?}"),
    }
}

#[tokio::test]
async fn a_query_that_is_given_up_gives_its_place_back() {
    let (peer, gate) = gated().await;
    let source = source(&peer, 1);
    let given_up = tokio::time::timeout(Duration::from_millis(50), tick(&source, "a")).await;
    assert!(given_up.is_err());
    gate.add_permits(100);
    assert!(matches!(tick(&source, "b").await, Answer::Frames { .. }));
}

#[tokio::test]
async fn clocks_far_apart_make_answers_useless() {
    for (date, ahead, kind) in [
        ("Sun, 22 Nov 2026 08:45:55 GMT", 0, None),
        ("Sun, 22 Nov 2026 08:47:50 GMT", 115, None),
        ("Sun, 22 Nov 2026 09:45:55 GMT", 3600, Some(FailureKind::Clock)),
        ("Sun, 22 Nov 2026 07:45:55 GMT", -3600, Some(FailureKind::Clock)),
    ] {
        let body = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        let peer = Peer::says(response("200 OK", &format!("Date: {date}\r\n"), body)).await;
        let source = source(&peer, 1);
        assert_eq!(source.skew(), None);
        match (tick(&source, "a").await, kind) {
            (Answer::Frames { .. }, None) => {}
            (answer, Some(kind)) => {
                let (seen, message) = failed(answer);
                assert_eq!(seen, kind, "{message}");
                assert!(message.contains("1h"), "{message}");
            }
            (answer, None) => panic!("{answer:?}"),
        }
        assert_eq!(source.skew().unwrap().ahead, ahead);
    }
}
