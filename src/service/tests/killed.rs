//! Processes that are killed after an outage: what burned in the gap is told, and told once, wherever
//! they die between the slices of the gap and the message about them.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use crate::service::clock;
use crate::service::testing::{Rig, Source, document};
use crate::slo::time::{Span, Step, Ts};

const SLO: &str = "  objective: 99\n  window: 1d\n  sli:\n    events: {bad: 'r_total{job=\"cart\",code=\"500\"}', total: \
    'r_total{job=\"cart\"}'}\n  alerting: {rules: [{severity: page, burnRate: 2, long: 2m, short: 1m}]}\n";

/// Half of all requests fail in this time.
async fn failing(from: Ts, to: Ts) -> Source {
    Source::start(move |query, part, t| match part {
        "a" | "m" if query.contains("500") => Some(5 + (t.clamp(from.0, to.0) - from.0) * 5),
        "a" | "m" => Some(t * 10),
        // Nothing is newborn; targets are up.
        "d" => Some(0),
        _ => Some(1),
    })
    .await
}

/// When a shop is watched for the last time.
fn an_hour_ago() -> Ts {
    Step::DEFAULT.floor(clock::now()).minus(Span::from_hours(1))
}

/// Watched by Damper until nobody does for a quarter of an hour, in which it fails for five minutes.
async fn watched(last: Ts) -> (Rig, Source) {
    let source = failing(last.plus(Span::from_mins(3)), last.plus(Span::from_mins(8))).await;
    let mut rig = Rig::of(&document("cart", SLO), &source.url).await;
    rig.at = last.minus(Span::from_mins(4));
    while rig.at < last {
        rig.tick().await;
    }
    rig.fill_all().await;
    rig.tick().await;
    assert_eq!(rig.owed().await, []);
    (rig, source)
}

const GAP: Span = Span::from_mins(15);

/// What comes next until all is told, whatever came before.
async fn told(mut rig: Rig) -> Vec<(String, String)> {
    for _ in 0..2 {
        rig.tick().await;
        rig.fill_all().await;
    }
    for _ in 0..3 {
        rig.tick().await;
    }
    assert!(rig.shared.owed.read().is_empty(), "all is summed up");
    rig.owed().await
}

#[derive(Clone, Copy, Debug)]
enum Do {
    Tick,
    Fill,
    Die,
}

#[tokio::test]
async fn what_burned_while_nobody_watched_is_told_once_wherever_the_next_process_dies() {
    use Do::{Die, Fill, Tick};
    let (mut incidents, last) = (BTreeSet::new(), an_hour_ago());
    for nights in [
        &[Die][..],
        &[Die, Tick, Die],
        &[Die, Tick, Fill, Die],
        &[Die, Tick, Fill, Die, Tick, Die],
        &[Die, Fill, Die],
        &[Die, Fill, Die, Fill, Die],
        &[Die, Fill, Tick, Die],
        &[Die, Tick, Tick, Die, Fill, Tick, Die, Tick],
        // A process that was suspended.
        &[Tick, Die],
        &[Tick, Fill, Die],
        &[Fill, Die],
    ] {
        let (mut rig, _source) = watched(last).await;
        rig.at = rig.at.plus(GAP);
        for one in nights {
            match one {
                Tick => {
                    rig.tick().await;
                }
                Fill => rig.fill_all().await,
                Die => rig = rig.die().await,
            }
        }
        let told = told(rig).await;
        let events: Vec<&str> = told.iter().map(|(event, _)| event.as_str()).collect();
        assert_eq!(events, ["missed"], "{nights:?}");
        incidents.extend(told.into_iter().map(|(_, incident)| incident));
    }
    assert_eq!(incidents.len(), 1, "one key however often it died");
}

/// Runs so many steps of a future; whether it came to its end.
async fn cut<T>(work: impl Future<Output = T>, mut steps: usize) -> bool {
    let mut work = pin!(work);
    poll_fn(|context| {
        if steps == 0 {
            return Poll::Ready(false);
        }
        steps -= 1;
        work.as_mut().poll(context).map(|_| true)
    })
    .await
}

#[tokio::test]
async fn what_burned_is_told_once_wherever_in_a_tick_the_process_dies() {
    let last = an_hour_ago();
    for filled in [false, true] {
        for steps in (1..).step_by(5) {
            let (mut rig, _source) = watched(last).await;
            rig.at = rig.at.plus(GAP);
            rig = rig.die().await;
            if filled {
                rig.tick().await;
                rig.fill_all().await;
            }
            let ended = cut(Box::pin(rig.tick()), steps).await;
            let told = told(rig.die().await).await;
            let events: Vec<&str> = told.iter().map(|(event, _)| event.as_str()).collect();
            assert_eq!(events, ["missed"], "after {steps} steps, filled: {filled}");
            if ended {
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_ticks_could_not_ask_and_history_learned_is_told_once_although_it_was_never_judged() {
    let last = an_hour_ago();
    for last_is_a_tick in [false, true] {
        let (mut rig, source) = watched(last).await;
        let end = rig.at.plus(GAP);
        source.refuse(|query| query.contains("r_total"));
        while rig.at < end {
            rig.tick().await;
        }
        source.refuse(|_| false);
        rig.fill_all().await;
        if last_is_a_tick {
            // It is refused anew, and writes what history learned.
            source.refuse(|query| query.contains("r_total"));
            rig.tick().await;
            source.refuse(|_| false);
        }
        let told = told(rig.die().await).await;
        let burn: Vec<&str> =
            told.iter().map(|(event, _)| event.as_str()).filter(|e| *e == "missed").collect();
        assert_eq!(burn, ["missed"], "{told:?}");
    }
}
