//! Places, breaker, clock and counters of a source that several askers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::test_peer::{Peer, failed, install_provider, instant, nothing, request, response};
use super::{BreakerState, Priority, Prometheus, Source, SourceConfig};
use crate::engine::sample::{Answer, FailureKind};
use crate::slo::time::Ts;

/// Long enough that a quarter of it is nothing to a busy machine: some places are given up after
/// parts of it.
const DEADLINE: Duration = Duration::from_millis(2400);

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

fn is_answered(answer: &Answer) -> bool {
    matches!(answer, Answer::Frames { .. })
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
    let began = Instant::now();
    let all = ["a", "b", "c", "d", "e", "f"];
    let answers = join_all(all.map(|promql| tick(&source, promql))).await;
    assert!(began.elapsed() < DEADLINE * 2);
    assert_eq!(peer.requests(), 4, "two, and two more in the places they gave up");
    let kinds: Vec<FailureKind> = answers.into_iter().map(|answer| failed(answer).0).collect();
    let (timeout, busy) = (FailureKind::Timeout, FailureKind::Busy);
    assert_eq!(kinds, [timeout, timeout, timeout, timeout, busy, busy]);
    gate.add_permits(100);
    let answers = join_all(all.map(|promql| tick(&source, promql))).await;
    assert!(answers.iter().all(is_answered), "{answers:?}");
}

/// Hangs on queries that contain "hang", and answers all others at once.
async fn partly_hanging() -> Peer {
    Peer::start(|mut stream, request, _| async move {
        if request.contains("query=hang") {
            std::future::pending::<()>().await;
        }
        let _ = stream.write_all(nothing().as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn queries_that_hang_take_no_place_from_others_nor_open_the_breaker() {
    let peer = partly_hanging().await;
    let source = source(&peer, 4);
    let hanging = ["hang1", "hang2", "hang3", "hang4", "hang5", "hang6"];
    // At first nobody knows that they hang: they hold every place for half of the time.
    let (hung, answer) = tokio::join!(join_all(hanging.map(|q| tick(&source, q))), tick(&source, "a"));
    assert!(hung.iter().all(|answer| !is_answered(answer)));
    assert!(is_answered(&answer), "{answer:?}");
    for _ in 0..2 {
        let quick = async {
            let began = Instant::now();
            for promql in ["b", "c", "d"] {
                let answer = tick(&source, promql).await;
                assert!(is_answered(&answer), "{answer:?}");
            }
            began.elapsed()
        };
        let (hung, took) = tokio::join!(join_all(hanging.map(|q| tick(&source, q))), quick);
        assert!(hung.iter().all(|answer| !is_answered(answer)));
        assert!(took < DEADLINE / 2, "half of the places are free: {took:?}");
        assert_eq!(source.breaker(), BreakerState::Closed);
    }
}

#[tokio::test]
async fn tick_after_tick_is_asked_over_one_connection() {
    let peer = Peer::start(|mut stream, _, _| async move {
        let answer = nothing().replace("Connection: close\r\n", "");
        while stream.write_all(answer.as_bytes()).await.is_ok() && !request(&mut stream).await.is_empty() {}
    })
    .await;
    let source = source(&peer, 4);
    for promql in ["a", "b", "c"] {
        let answer = tick(&source, promql).await;
        assert!(is_answered(&answer), "{answer:?}");
    }
    assert_eq!(peer.requests(), 1, "first requests of connections");
}

#[tokio::test]
async fn a_query_that_is_slow_but_answered_has_its_whole_time() {
    let peer = Peer::start(|mut stream, request, _| async move {
        if request.contains("query=slow") {
            tokio::time::sleep(DEADLINE * 2 / 3).await;
        }
        let _ = stream.write_all(nothing().as_bytes()).await;
    })
    .await;
    let source = source(&peer, 2);
    let slow = ["slow1", "slow2"];
    let (first, answer) = tokio::join!(join_all(slow.map(|q| tick(&source, q))), tick(&source, "a"));
    assert!(is_answered(&answer), "{answer:?}");
    assert_eq!(first.iter().filter(|a| is_answered(a)).count(), 1, "one gave its place up: {first:?}");
    let all = async { (tick(&source, "a").await, tick(&source, "b").await) };
    let (slow, (a, b)) = tokio::join!(tick(&source, "slow1"), all);
    assert!([slow, a, b].iter().all(is_answered));
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
async fn warnings_about_expressions_are_known_and_answers_all_the_same() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["PromQL warning: odd"],"infos":["PromQL info: no"]}"#;
    let peer = Peer::says(response("200 OK", "", body)).await;
    let source = source(&peer, 1);
    for _ in 0..2 {
        assert!(is_answered(&tick(&source, "a").await));
        assert_eq!(source.notes(), ["PromQL warning: odd"]);
    }
}

#[tokio::test]
async fn clocks_far_apart_make_answers_useless() {
    for (date, ahead, leads, apart) in [
        ("Sun, 22 Nov 2026 08:45:55 GMT", 0, 0, None),
        ("Sun, 22 Nov 2026 08:47:50 GMT", 115, 115, None),
        ("Sun, 22 Nov 2026 08:45:25 GMT", -30, -30, None),
        // What was asked is in its future; the next question is about its own present.
        ("Sun, 22 Nov 2026 08:45:15 GMT", -40, -40, Some("40s behind")),
        ("Sun, 22 Nov 2026 09:45:55 GMT", 3600, 0, Some("1h ahead")),
        ("Sun, 22 Nov 2026 07:45:55 GMT", -3600, 0, Some("1h behind")),
    ] {
        let body = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        let peer = Peer::says(response("200 OK", &format!("Date: {date}\r\n"), body)).await;
        let source = source(&peer, 1);
        assert_eq!(source.skew(), None);
        match (tick(&source, "a").await, apart) {
            (Answer::Frames { .. }, None) => {}
            (answer, Some(words)) => {
                let (seen, message) = failed(answer);
                assert_eq!(seen, FailureKind::Clock, "{message}");
                assert!(message.contains(words), "{message}");
            }
            (answer, None) => panic!("{answer:?}"),
        }
        assert_eq!((source.skew().unwrap().ahead, source.ahead()), (ahead, leads));
    }
}

#[tokio::test]
async fn of_two_servers_at_one_address_the_one_whose_clock_is_right_is_heard() {
    let says = |date: &str| {
        let body = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        response("200 OK", &format!("Date: {date}\r\n"), body)
    };
    let (right, ahead) = (says("Sun, 22 Nov 2026 08:45:55 GMT"), says("Sun, 22 Nov 2026 09:45:55 GMT"));
    let only_ahead = Peer::says(ahead.clone()).await;
    let peer = Peer::start(move |mut stream, _, before| {
        let bytes = if before % 2 == 0 { right.clone() } else { ahead.clone() };
        async move {
            let _ = stream.write_all(bytes.as_ref()).await;
        }
    });
    let (peer, questions) = (peer.await, 6);
    let source_of_two = source(&peer, 1);
    for _ in 0..questions {
        assert!(is_answered(&tick(&source_of_two, "a").await));
    }
    assert_eq!(peer.requests(), 2 * questions - 1, "each but the first was asked twice");
    // Of one server nothing is gained by it.
    let source_of_one = source(&only_ahead, 1);
    for _ in 0..questions {
        assert_eq!(failed(tick(&source_of_one, "a").await).0, FailureKind::Clock);
    }
    assert_eq!(only_ahead.requests(), questions);
}
