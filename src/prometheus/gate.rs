//! The breaker between concurrent askers: who may ask, who waits for the one that finds out.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::breaker::{Admission, Answers, Breaker, BreakerState, Outcome, Ticket};

/// A breaker that several tasks share.
pub(super) struct Gate {
    breaker: Mutex<Breaker>,
    changed: Notify,
    started: Instant,
}

/// Leave to ask. Dropped without an outcome, as a cancelled query does, it counts as none.
pub(super) struct Leave<'a> {
    gate: &'a Gate,
    ticket: Ticket,
    query: &'a str,
    settled: bool,
}

/// What an asker may do.
pub(super) enum Admitted<'a> {
    Ask(Leave<'a>),
    /// Ask this first, settle it, and come again.
    Probe(Leave<'a>),
    Refused(Duration),
}

/// What a probe asks: it touches no series.
pub(super) const PROBE: &str = "vector(1)";

impl Gate {
    pub(super) fn new() -> Self {
        Self { breaker: Mutex::default(), changed: Notify::new(), started: Instant::now() }
    }

    /// Waits while another asker finds out whether the source answers again.
    pub(super) async fn enter<'a>(&'a self, query: &'a str) -> Admitted<'a> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that a change in between is not missed.
            changed.as_mut().enable();
            let admission = self.breaker().admit(self.started.elapsed());
            match admission {
                Admission::Ask(ticket) => return Admitted::Ask(self.leave(ticket, query)),
                Admission::Probe(ticket) => return Admitted::Probe(self.leave(ticket, PROBE)),
                Admission::Refused(rest) => return Admitted::Refused(rest),
                Admission::Wait => changed.await,
            }
        }
    }

    /// Answers so far.
    pub(super) fn answers(&self) -> Answers {
        self.breaker().answers()
    }

    pub(super) fn state(&self) -> BreakerState {
        self.breaker().state()
    }

    fn leave<'a>(&'a self, ticket: Ticket, query: &'a str) -> Leave<'a> {
        Leave { gate: self, ticket, query, settled: false }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave<'_> {
    /// For a query that failed before: what was answered since then speaks for the source too.
    pub(super) fn since(mut self, failed: Option<Answers>) -> Self {
        self.ticket = self.ticket.since(failed);
        self
    }

    pub(super) fn settle(mut self, outcome: Outcome) {
        self.record(outcome);
    }

    fn record(&mut self, outcome: Outcome) {
        self.settled = true;
        self.gate.breaker().record(self.ticket, self.query, outcome, self.gate.started.elapsed());
        self.gate.changed.notify_waiters();
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.record(Outcome::Neutral);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    /// A gate that was opened by failures a moment ago.
    async fn shut() -> Gate {
        let gate = Gate::new();
        for query in ["a", "b", "a", "b", "a"] {
            let Admitted::Ask(leave) = gate.enter(query).await else { panic!("closed") };
            leave.settle(Outcome::Bad);
        }
        assert_eq!(gate.state(), BreakerState::Open);
        gate
    }

    /// Enters as a source does, finding out first where it must; whether it may ask.
    async fn asks(gate: &Gate, healthy: bool, probes: &Mutex<u32>) -> bool {
        loop {
            match gate.enter("q").await {
                Admitted::Refused(_) => return false,
                Admitted::Ask(leave) => {
                    tokio::task::yield_now().await;
                    leave.settle(Outcome::Good);
                    return true;
                }
                Admitted::Probe(leave) => {
                    *probes.lock().unwrap() += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    leave.settle(if healthy { Outcome::Good } else { Outcome::Bad });
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_while_one_asker_finds_out_for_all_who_wait() {
        for healthy in [true, false] {
            let gate = shut().await;
            let probes = Mutex::new(0);
            assert!(!asks(&gate, healthy, &probes).await, "too early");
            tokio::time::advance(Duration::from_secs(30)).await;
            let asked = join_all((0..100).map(|_| asks(&gate, healthy, &probes))).await;
            assert_eq!(asked, vec![healthy; 100]);
            assert_eq!(*probes.lock().unwrap(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_given_up_is_taken_over_by_the_next() {
        let gate = shut().await;
        tokio::time::advance(Duration::from_secs(30)).await;
        let probe = gate.enter("a").await;
        let probes = Mutex::new(0);
        let (asked, ()) = tokio::join!(asks(&gate, true, &probes), async { drop(probe) });
        assert!(asked);
        assert_eq!((gate.state(), *probes.lock().unwrap()), (BreakerState::Closed, 1));
    }
}
