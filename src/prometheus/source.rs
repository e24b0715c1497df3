//! A Prometheus as the engine's source: the client behind a breaker, with places for ticks and
//! fewer of their own for backfill, a watch on its clock, and counters.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::breaker::{BreakerState, Outcome};
use super::client::{Client, Reply, left};
use super::config::SourceConfig;
use super::gate::{Admitted, Gate, PROBE};
use super::http::ClientError;
use super::notes::Notes;
use super::places::{Place, Places};
use super::settings::SourceKind;
use super::skew::{Clock, Skew, is_early};
use super::stats::{Counters, SourceStats};
use super::{Priority, Source};
use crate::engine::sample::{Answer, Failure, FailureKind, Query};
use crate::slo::time::{Span, Ts};

/// Longest rest after a backfill query; after a whole piece of history the shell rests as well.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// With less time than this a query is not begun: its timeout would be blamed on the source.
const LEAST_TIME: Duration = Duration::from_millis(50);

/// One Prometheus, or what speaks its language.
pub struct Prometheus {
    client: Client,
    gate: Gate,
    tick_places: Places,
    follow_up_places: Places,
    background_places: Semaphore,
    /// Backfill asks nothing before this.
    rest_until: Mutex<Instant>,
    clock: Mutex<Clock>,
    notes: Mutex<Notes>,
    counters: Counters,
    wall: fn() -> Ts,
}

impl Prometheus {
    /// Reads the source's certificates; needs no network. `wall` is the local wall clock, to compare
    /// the source's with.
    pub fn new(config: SourceConfig, wall: fn() -> Ts) -> Result<Self, ClientError> {
        let places = config.max_concurrent.max(1);
        Ok(Self {
            client: Client::new(config)?,
            gate: Gate::new(),
            tick_places: Places::new(places),
            follow_up_places: Places::new(places / 4),
            background_places: Semaphore::new((places / 4).max(1)),
            rest_until: Mutex::new(Instant::now()),
            clock: Mutex::default(),
            notes: Mutex::default(),
            counters: Counters::default(),
            wall,
        })
    }

    /// What definitions and messages call it.
    pub fn name(&self) -> &str {
        &self.client.config().name
    }

    /// What answers there, as configured.
    pub fn kind(&self) -> SourceKind {
        self.client.config().kind
    }

    /// How long after a moment its samples are there.
    pub fn delay(&self) -> Span {
        self.client.config().delay
    }

    /// How far its clock was from ours at the last answer; `None` before the first.
    pub fn skew(&self) -> Option<Skew> {
        lock(&self.clock).newest()
    }

    /// Seconds by which its questions are to be about a later time than ours, or an earlier one if
    /// negative; within two minutes, and zero while those who answer do not agree.
    pub fn ahead(&self) -> i64 {
        lock(&self.clock).ahead()
    }

    /// Warnings of the last minutes about expressions, which say nothing about data: `PromQL warning: …`.
    pub fn notes(&self) -> Vec<String> {
        lock(&self.notes).since((self.wall)())
    }

    /// Whether it is being asked.
    pub fn breaker(&self) -> BreakerState {
        self.gate.state()
    }

    /// What asking it cost and came to.
    pub fn stats(&self) -> SourceStats {
        self.counters.read()
    }

    /// What the server says it is, such as `2.42.0`; `None` where it does not say.
    pub async fn version(&self, deadline: Duration) -> Option<String> {
        self.client.version(deadline).await
    }

    /// A tick's query. Waiting for a place counts towards the deadline, but not against the source.
    async fn ask_for_tick(&self, query: &Query, priority: Priority, deadline: Duration) -> Answer {
        let end = Instant::now() + deadline;
        let place = tokio::time::timeout_at(end, self.place(query, priority)).await;
        let Some(place) = place.ok().flatten().filter(|_| left(end) >= LEAST_TIME) else {
            let places = self.client.config().max_concurrent;
            return self.failed(
                FailureKind::Busy,
                format!("was not asked: slower queries held its {places} places; narrow them, or raise `maxConcurrent`"),
            );
        };
        let limit = deadline.min(self.client.config().timeout);
        let late = left(end) < limit / 4;
        let began = Instant::now();
        let answer = self.ask_through_gate(query, &place, limit / 2, end).await;
        match kind(&answer) {
            // Nobody was asked, or nobody had the time: it says nothing about the query.
            Some(FailureKind::BreakerOpen) => return answer,
            Some(FailureKind::Timeout) if late => {
                return self.failed(FailureKind::Busy, "was asked late, after slower queries".to_owned());
            }
            Some(FailureKind::Timeout) => place.was(false, self.gate.answers()),
            _ => place.was(began.elapsed() < limit / 2, self.gate.answers()),
        }
        answer
    }

    /// A place among those of a tick. Follow-ups have some of their own besides: what they are about
    /// is half known, and would be left out for want of the other half.
    async fn place<'a>(&'a self, query: &'a Query, priority: Priority) -> Option<Place<'a>> {
        if priority != Priority::FollowUp {
            return self.tick_places.take(&query.promql).await;
        }
        tokio::select! {
            biased;
            place = self.follow_up_places.take(&query.promql) => place,
            place = self.tick_places.take(&query.promql) => place,
        }
    }

    /// Asks if the breaker allows it.
    async fn ask_through_gate(
        &self,
        query: &Query,
        place: &Place<'_>,
        patience: Duration,
        end: Instant,
    ) -> Answer {
        loop {
            let Ok(admitted) = tokio::time::timeout_at(end, self.gate.enter(&query.promql)).await else {
                return self.refused("it is being found out whether it answers again");
            };
            match admitted {
                Admitted::Refused(rest) => {
                    return self
                        .refused(&format!("the next try is in {}s", rest.as_secs().saturating_add(1)));
                }
                Admitted::Probe(leave) => {
                    let late = left(end) < patience / 2;
                    let answer = self.exchange(&probe(query), left(end)).await;
                    leave.settle(match outcome(&answer) {
                        Outcome::Slow if late => Outcome::Neutral,
                        // Whatever it answers, even a refusal, it answers.
                        Outcome::Neutral => Outcome::Good,
                        other => other,
                    });
                }
                Admitted::Ask(leave) => {
                    let late = left(end) < patience / 2;
                    let leave = leave.since(place.slow_since());
                    let asking = self.exchange(query, left(end));
                    let answer = match place.hold(patience, asking).await {
                        Some(answer) => answer,
                        None => self.failed(
                            FailureKind::Timeout,
                            format!("gave no answer within {patience:?}, and others waited for its place; it is slow, or the query is heavy"),
                        ),
                    };
                    leave.settle(match outcome(&answer) {
                        Outcome::Slow if late => Outcome::Neutral,
                        other => other,
                    });
                    return answer;
                }
            }
        }
    }

    /// Backfill has places of its own, rests as long as it asked, and never moves the breaker: its
    /// queries are heavy, and their failing says little about a tick's. Waiting is not counted.
    async fn ask_in_background(&self, query: &Query, deadline: Duration) -> Answer {
        let _place: Option<SemaphorePermit<'_>> = self.background_places.acquire().await.ok();
        let rest_until = *lock(&self.rest_until);
        tokio::time::sleep_until(rest_until).await;
        if self.gate.state() != BreakerState::Closed {
            return self.refused("it does not answer; backfill goes on when it does");
        }
        let began = Instant::now();
        let answer = self.exchange(query, deadline).await;
        *lock(&self.rest_until) = Instant::now() + began.elapsed().min(LONGEST_REST);
        answer
    }

    /// Where several servers answer at its address and some have a clock that is far off, half of all
    /// questions of a tick would be lost, and with them every tick in which one of an SLO's was: such a
    /// question is asked again, twice at most, within the same time.
    async fn exchange(&self, query: &Query, deadline: Duration) -> Answer {
        let end = Instant::now() + deadline;
        let mut answer = self.exchange_once(query, deadline).await;
        for _ in 0..2 {
            let is_of_clock = kind(&answer) == Some(FailureKind::Clock);
            if !is_of_clock || !lock(&self.clock).is_torn() || left(end).is_zero() {
                break;
            }
            match self.exchange_once(query, left(end)).await {
                // The clock says more than that there was no time left.
                again if kind(&again) == Some(FailureKind::Timeout) => break,
                again => answer = again,
            }
        }
        answer
    }

    async fn exchange_once(&self, query: &Query, deadline: Duration) -> Answer {
        let began = Instant::now();
        let Reply { answer, bytes, date } = self.client.exchange(query, deadline).await;
        self.counters.spent(began.elapsed(), bytes);
        let Answer::Frames { notes, .. } = &answer else { return answer };
        lock(&self.notes).note(self.name(), &query.promql, notes, (self.wall)());
        let Some((source_time, seen)) = date else { return answer };
        let local =
            (self.wall)().minus(Span::from_secs_saturating(seen.elapsed().as_secs().try_into().unwrap_or(0)));
        let skew = Skew::between(source_time, local);
        lock(&self.clock).note(skew);
        if skew.is_too_far() || is_early(query.end, source_time) {
            return self.failed(FailureKind::Clock, format!("has a clock that is {skew}; set both by NTP"));
        }
        answer
    }

    fn refused(&self, why: &str) -> Answer {
        self.failed(FailureKind::BreakerOpen, format!("was not asked, because it failed repeatedly: {why}"))
    }

    fn failed(&self, kind: FailureKind, what: String) -> Answer {
        Answer::Failed(Failure { kind, message: format!("source `{}` {what}", self.name()) })
    }
}

impl Source for Prometheus {
    fn ask<'a>(&'a self, query: &'a Query, priority: Priority, deadline: Duration) -> BoxFuture<'a, Answer> {
        async move {
            let answer = match priority {
                Priority::Tick | Priority::FollowUp => self.ask_for_tick(query, priority, deadline).await,
                Priority::Background => self.ask_in_background(query, deadline).await,
            };
            self.counters.count(&answer);
            answer
        }
        .boxed()
    }
}

fn probe(query: &Query) -> Query {
    Query { promql: PROBE.to_owned(), start: query.end, ..query.clone() }
}

fn outcome(answer: &Answer) -> Outcome {
    match kind(answer) {
        None => Outcome::Good,
        Some(FailureKind::Timeout) => Outcome::Slow,
        Some(kind) if kind.blames_source() => Outcome::Bad,
        Some(_) => Outcome::Neutral,
    }
}

fn kind(answer: &Answer) -> Option<FailureKind> {
    match answer {
        Answer::Frames { .. } => None,
        Answer::Failed(failure) => Some(failure.kind),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
