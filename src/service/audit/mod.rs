//! Self-audit: each minute some settled slices are asked again with the expression that counted them,
//! and must be what is booked. What is compared and what may differ is in [`crate::engine::audit`].
//!
//! It tells and heals nothing. A ledger that followed whatever its source says today would forget
//! what a source that lost a part of its data had said; and alerts were decided on what is booked.
//!
//! Each source has its own loop, as backfill has, so that a dead one stops no other; it asks one
//! question at a time, in the place of backfill, which no tick needs.

mod tell;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::backfill;
use super::linked;
use super::shared::Shared;
use crate::engine::audit::{compare, same};
use crate::engine::collect::Collect;
use crate::engine::fact::{Facts, Tier};
use crate::engine::plan::QueryGroup;
use crate::engine::sample::{Answer, Failure, Frame, Reading};
use crate::prometheus::Priority;
use crate::slo::time::{Span, Step, Ts};
use tell::Told;
use turns::{Job, Turns};

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest pause between two rounds.
const EVERY: Span = Span::from_mins(1);
/// A source without an answer is asked half as often each time, sixteen times less in the end.
const MOST_DOUBLINGS: u32 = 4;
/// How long after its last tick a slice counts as settled, besides two steps.
const SETTLED: Span = Span::from_secs(15);

/// Runs until shutdown.
pub(super) async fn run(shared: Arc<Shared>) {
    let told = Told::default();
    join_all(shared.sources.keys().map(|source| of_source(&shared, source, &told))).await;
}

async fn of_source(shared: &Shared, source: &str, told: &Told) {
    let mut turns = Turns::of(source);
    let every = every(shared.settings.step);
    let mut rest = every.to_duration();
    let mut failures = 0;
    loop {
        tokio::select! {
            () = shared.shutdown.cancelled() => return,
            () = tokio::time::sleep(rest) => {}
        }
        let began = Instant::now();
        let answers = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            answers = round(shared, source, &mut turns) => answers,
        };
        failures = if answers { 0 } else { failures + 1 };
        rest = pause(every, failures, began.elapsed());
        told.tell(shared, source, &turns);
    }
}

/// A source that is slow is left alone for at least as long as it was asked, and one that has no answer
/// for ever longer: whoever has trouble with ticks is not to be asked for comparison.
fn pause(every: Span, failures: u32, took: Duration) -> Duration {
    every.to_duration().saturating_mul(1 << failures.min(MOST_DOUBLINGS)).max(took)
}

/// Every second slice, and each minute at least: what it costs beside ticks is the same at any step.
fn every(step: Step) -> Span {
    Span::from_secs_saturating(2 * step.secs()).min(EVERY)
}

/// Asks what has its turn, until a question has no answer for a reason that is the source's; whether
/// there was none such.
async fn round(shared: &Shared, source: &str, turns: &mut Turns) -> bool {
    let plan = Arc::clone(&shared.world.read().plan);
    let jobs = {
        let world = shared.world.read();
        let newest = settled(shared, backfill::newest(shared, source, &world));
        turns.adopt(&plan, &world.ledger, newest);
        turns.next(&world.ledger, newest, every(shared.settings.step))
    };
    for job in jobs {
        let answer = ask(shared, &job).await;
        let world = shared.world.read();
        if !Arc::ptr_eq(&world.plan, &plan) {
            return true;
        }
        match answer {
            Ok((facts, largest)) => {
                for facts in &facts {
                    let compared = compare(&world.ledger, facts, largest);
                    tell::count(shared, source, &compared);
                    turns.note(compared);
                }
            }
            Err(failure) => {
                tell::unanswered(shared, source);
                turns.failed(&job, &failure);
                if failure.kind.is_of_source() {
                    return false;
                }
            }
        }
    }
    true
}

/// The end of the newest slice that no tick asks again.
fn settled(shared: &Shared, newest: Ts) -> Ts {
    let step = shared.settings.step;
    newest.minus(SETTLED).minus(step.span()).minus(step.span())
}

/// Asks what counted these slots, and nothing that would follow from what is new in them; and tells the
/// largest number that was answered.
async fn ask(shared: &Shared, job: &Job) -> Result<(Vec<Facts>, f64), Failure> {
    let group: &Arc<QueryGroup> = &job.group;
    let (from, to) = job.stretch;
    let (mut collect, mut asks) = Collect::begin(group, Tier::Fine, from, to);
    let mut largest: f64 = 0.0;
    while !asks.is_empty() {
        let mut next = Vec::new();
        for ask in asks {
            let answer = linked::ask(shared, ask.query.clone(), Priority::Background, LIMIT).await;
            match &answer {
                Answer::Failed(failure) => return Err(failure.clone()),
                Answer::Frames { frames, .. } => largest = largest.max(largest_of(frames)),
            }
            next.extend(collect.answer(ask.id, answer, &same));
        }
        asks = next;
    }
    Ok((collect.finish(), largest))
}

fn largest_of(frames: &[Frame]) -> f64 {
    let readings = frames.iter().flat_map(|frame| &frame.points).map(|(_, reading)| match reading {
        Reading::Value(value) => value.get().abs(),
        Reading::NotANumber => 0.0,
    });
    readings.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests;
