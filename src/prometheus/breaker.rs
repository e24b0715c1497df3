//! When to stop asking a source that does not answer, and how to find out that it does again.
//!
//! ```text
//! closed ──5 failures in a row, of two queries──▶ open ──30 s──▶ probing ──`vector(1)` answered──▶ trial
//!                     (if it was timeouts: at once)
//!   ▲                                             ▲  ▲              │                             │ │
//!   │                                             │  └────fails─────┘                             │ │
//!   │                                             └───────────────────────────────────────fails───┘ │
//!   └──one of at most 10 queries in flight answers──────────────────────────────────────────────────┘
//! ```
//!
//! Pure: `now` is any monotonic time. Only failures that blame the source count. One that blames a
//! query changes nothing, neither way: an overloaded server still refuses bad PromQL at once. Nor
//! does one of a query while which another was answered: then that query is slow, not the source.
//! Where all that is asked takes too long, it may still be the queries: the probe finds out at once,
//! and while it is answered they are asked.

use std::time::Duration;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;
/// How long it stays open.
const OPEN_FOR: Duration = Duration::from_secs(30);
/// Queries in flight after a good probe, before one of them has answered.
const TRIAL: u32 = 10;

/// One per source.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: State,
    /// Counts changes of state, so that answers to questions of a former state change nothing.
    generation: u64,
    answers: Answers,
}

/// Answers counted since the start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Answers(u64);

#[derive(Debug)]
enum State {
    Closed(Run),
    Open { until: Duration },
    Probing,
    Trial { left: u32, timeouts: u32 },
}

/// Failures in a row.
#[derive(Debug, Default)]
struct Run {
    failures: u32,
    first: Option<String>,
    /// More than one query failed: it is not one query's fault.
    several: bool,
}

impl Default for State {
    fn default() -> Self {
        Self::Closed(Run::default())
    }
}

/// What an asker may do. Each ticket must be given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    /// Ask.
    Ask(Ticket),
    /// Ask `vector(1)` first, then come again.
    Probe(Ticket),
    /// Somebody is finding out; come again when a ticket was given back.
    Wait,
    /// Do not ask for this long.
    Refused(Duration),
}

/// The permission to ask once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ticket {
    generation: u64,
    /// Had been counted when it was asked.
    answers: Answers,
}

impl Ticket {
    /// The ticket of a query that failed before: what was answered since then speaks for the source too.
    pub(super) fn since(self, failed: Option<Answers>) -> Self {
        Self { answers: failed.unwrap_or(self.answers), ..self }
    }
}

/// What an asked query says about its source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It answered.
    Good,
    /// It is to blame.
    Bad,
    /// It is to blame, or the query is too heavy for it: there was no answer in time.
    Slow,
    /// Nothing: the query is to blame, or was given up.
    Neutral,
}

/// For health and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BreakerState {
    /// Queries are asked.
    Closed,
    /// Queries are refused.
    Open,
    /// It is being found out whether the source answers again.
    HalfOpen,
}

impl Breaker {
    /// Whether a query may be asked now.
    pub(super) fn admit(&mut self, now: Duration) -> Admission {
        let ticket = Ticket { generation: self.generation, answers: self.answers };
        match &mut self.state {
            State::Closed(_) => Admission::Ask(ticket),
            State::Open { until } if now < *until => Admission::Refused(until.saturating_sub(now)),
            State::Open { .. } => {
                self.enter(State::Probing);
                Admission::Probe(Ticket { generation: self.generation, ..ticket })
            }
            State::Probing | State::Trial { left: 0, .. } => Admission::Wait,
            State::Trial { left, .. } => {
                *left -= 1;
                Admission::Ask(ticket)
            }
        }
    }

    /// Gives a ticket back with what became of `query`.
    pub(super) fn record(&mut self, ticket: Ticket, query: &str, outcome: Outcome, now: Duration) {
        if outcome == Outcome::Good {
            self.answers.0 += 1;
        }
        if ticket.generation != self.generation {
            return;
        }
        match (&mut self.state, outcome) {
            (State::Closed(run), Outcome::Good) => *run = Run::default(),
            (State::Closed(_), Outcome::Bad | Outcome::Slow) if ticket.answers != self.answers => {}
            (State::Closed(run), Outcome::Bad | Outcome::Slow) => {
                run.add(query);
                if run.failures >= FAILURES && run.several {
                    self.open(now, outcome);
                }
            }
            (State::Probing, Outcome::Good) => self.enter(State::Trial { left: TRIAL, timeouts: 0 }),
            (State::Trial { .. }, Outcome::Good) => self.enter(State::default()),
            (State::Probing, Outcome::Bad | Outcome::Slow) | (State::Trial { .. }, Outcome::Bad) => {
                self.open(now, Outcome::Bad);
            }
            (State::Trial { left, timeouts }, Outcome::Slow) => {
                *left = left.saturating_add(1).min(TRIAL);
                *timeouts += 1;
                if *timeouts >= FAILURES {
                    self.open(now, outcome);
                }
            }
            (State::Trial { left, .. }, Outcome::Neutral) => *left = left.saturating_add(1).min(TRIAL),
            // Nothing was found out: the next asker probes at once.
            (State::Probing, Outcome::Neutral) => self.enter(State::Open { until: now }),
            (State::Closed(_), Outcome::Neutral) | (State::Open { .. }, _) => {}
        }
    }

    /// Answers so far.
    pub(super) fn answers(&self) -> Answers {
        self.answers
    }

    /// The state, without changing it.
    pub(super) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed(_) => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probing | State::Trial { .. } => BreakerState::HalfOpen,
        }
    }

    /// After timeouts the probe is asked at once.
    fn open(&mut self, now: Duration, outcome: Outcome) {
        let rest = if outcome == Outcome::Slow { Duration::ZERO } else { OPEN_FOR };
        self.enter(State::Open { until: now.saturating_add(rest) });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation = self.generation.wrapping_add(1);
    }
}

impl Run {
    fn add(&mut self, query: &str) {
        self.failures = self.failures.saturating_add(1);
        match &self.first {
            None => self.first = Some(query.to_owned()),
            Some(first) => self.several |= first != query,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Bad, Good, Neutral, Slow};

    const START: Duration = Duration::from_secs(100);

    fn ticket(breaker: &mut Breaker, now: Duration) -> Ticket {
        match breaker.admit(now) {
            Admission::Ask(ticket) | Admission::Probe(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn after(outcomes: &[(&str, Outcome)]) -> Breaker {
        let mut breaker = Breaker::default();
        for (query, outcome) in outcomes {
            let ticket = ticket(&mut breaker, START);
            breaker.record(ticket, query, *outcome, START);
        }
        breaker
    }

    fn opened() -> Breaker {
        after(&[("a", Bad), ("b", Bad), ("a", Bad), ("a", Bad), ("a", Bad)])
    }

    #[test]
    fn it_opens_on_five_failures_in_a_row_of_two_queries() {
        let table: [(&[(&str, Outcome)], BreakerState); 6] = [
            (&[("a", Bad), ("b", Bad), ("a", Bad), ("a", Bad), ("a", Bad)], BreakerState::Open),
            (&[("a", Bad), ("b", Bad), ("a", Bad), ("a", Bad)], BreakerState::Closed),
            (&[("a", Bad); 50], BreakerState::Closed),
            (&[("a", Bad), ("a", Bad), ("a", Bad), ("a", Bad), ("a", Bad), ("b", Bad)], BreakerState::Open),
            (
                &[("a", Bad), ("b", Bad), ("a", Bad), ("c", Good), ("a", Bad), ("b", Bad)],
                BreakerState::Closed,
            ),
            (
                &[("a", Bad), ("b", Bad), ("q", Neutral), ("a", Bad), ("q", Neutral), ("a", Bad), ("a", Bad)],
                BreakerState::Open,
            ),
        ];
        for (outcomes, state) in table {
            assert_eq!(after(outcomes).state(), state, "{outcomes:?}");
        }
    }

    #[test]
    fn queries_that_hang_while_others_are_answered_do_not_open_it() {
        let mut breaker = Breaker::default();
        let mut failed = [None; 9];
        for _ in 0..10 {
            let hang = failed.map(|failed| ticket(&mut breaker, START).since(failed));
            let quick = ticket(&mut breaker, START);
            breaker.record(quick, "quick", Good, START);
            for (name, ticket) in ["a", "b", "c", "d", "e", "f", "g", "h", "i"].iter().zip(hang) {
                breaker.record(ticket, name, Bad, START);
            }
            failed = failed.map(|_| Some(breaker.answers()));
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        // Asked again, and nothing was answered since: now it is the source.
        for name in ["a", "b", "c", "d", "e"] {
            let ticket = ticket(&mut breaker, START).since(failed[0]);
            breaker.record(ticket, name, Bad, START);
        }
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn where_all_takes_too_long_the_probe_tells_whether_it_is_the_source() {
        let mut breaker = after(&[("a", Slow), ("b", Slow), ("a", Slow), ("b", Slow), ("a", Slow)]);
        let probe = ticket(&mut breaker, START);
        assert_eq!((breaker.state(), breaker.admit(START)), (BreakerState::HalfOpen, Admission::Wait));
        breaker.record(probe, "vector(1)", Good, START);
        for query in ["a", "b", "c", "d"] {
            let ticket = ticket(&mut breaker, START);
            breaker.record(ticket, query, Slow, START);
        }
        let heavy = ticket(&mut breaker, START);
        let quick = ticket(&mut breaker, START);
        breaker.record(heavy, "e", Slow, START);
        assert_eq!(breaker.state(), BreakerState::Open, "five more: it is found out again");
        breaker.record(quick, "f", Good, START);
        let probe = ticket(&mut breaker, START);
        breaker.record(probe, "vector(1)", Slow, START);
        assert_eq!(breaker.admit(START), Admission::Refused(OPEN_FOR), "it is the source");
    }

    #[test]
    fn it_refuses_for_thirty_seconds_and_then_lets_one_probe() {
        let mut breaker = opened();
        let early = START + Duration::from_secs(20);
        assert_eq!(breaker.admit(early), Admission::Refused(Duration::from_secs(10)));
        let late = START + OPEN_FOR;
        assert!(matches!(breaker.admit(late), Admission::Probe(_)));
        assert_eq!(breaker.admit(late), Admission::Wait);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
    }

    #[test]
    fn a_failed_probe_opens_it_again_and_an_abandoned_one_is_repeated() {
        let late = START + OPEN_FOR;
        let mut failed = opened();
        let probe = ticket(&mut failed, late);
        failed.record(probe, "vector(1)", Bad, late);
        assert_eq!(failed.admit(late), Admission::Refused(OPEN_FOR));
        let mut abandoned = opened();
        let probe = ticket(&mut abandoned, late);
        abandoned.record(probe, "vector(1)", Neutral, late);
        assert!(matches!(abandoned.admit(late), Admission::Probe(_)));
    }

    fn on_trial(now: Duration) -> Breaker {
        let mut breaker = opened();
        let probe = ticket(&mut breaker, now);
        breaker.record(probe, "vector(1)", Good, now);
        breaker
    }

    #[test]
    fn a_good_probe_lets_ten_ask_and_the_first_success_closes_it() {
        let late = START + OPEN_FOR;
        let mut breaker = on_trial(late);
        let tickets: Vec<Ticket> = (0..TRIAL).map(|_| ticket(&mut breaker, late)).collect();
        assert_eq!(breaker.admit(late), Admission::Wait);
        breaker.record(tickets[0], "bad promql", Neutral, late);
        assert!(matches!(breaker.admit(late), Admission::Ask(_)), "a neutral outcome gives its place back");
        breaker.record(tickets[1], "a", Good, late);
        assert_eq!(breaker.state(), BreakerState::Closed);
        // The others were asked on trial: what becomes of them no longer counts.
        for ticket in &tickets[2..] {
            breaker.record(*ticket, "b", Bad, late);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn a_failure_on_trial_opens_it_again() {
        let late = START + OPEN_FOR;
        let mut breaker = on_trial(late);
        let first = ticket(&mut breaker, late);
        let second = ticket(&mut breaker, late);
        breaker.record(first, "a", Bad, late);
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker.record(second, "b", Good, late);
        assert_eq!(breaker.state(), BreakerState::Open, "an answer to a former state changes nothing");
    }
}
