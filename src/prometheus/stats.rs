//! What asking a source cost and came to, counted since the start. The shell turns it into metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::sample::{Answer, FailureKind};

/// Outcomes in the order they are counted: `None` is an answer in whole.
const OUTCOMES: [Option<FailureKind>; 11] = [
    None,
    Some(FailureKind::Unreachable),
    Some(FailureKind::Timeout),
    Some(FailureKind::ServerError),
    Some(FailureKind::QueryError),
    Some(FailureKind::TooLarge),
    Some(FailureKind::Garbage),
    Some(FailureKind::Partial),
    Some(FailureKind::BreakerOpen),
    Some(FailureKind::Busy),
    Some(FailureKind::Clock),
];

/// Live counters.
#[derive(Debug, Default)]
pub(super) struct Counters {
    outcomes: [AtomicU64; OUTCOMES.len()],
    micros: AtomicU64,
    bytes: AtomicU64,
}

/// The counters at one moment; each only grows.
#[derive(Clone, PartialEq, Debug)]
pub struct SourceStats {
    /// Queries by outcome: `ok`, or a [`FailureKind`] as text. Every outcome is listed.
    pub queries: Vec<(&'static str, u64)>,
    /// Time spent asking, retries included, waiting for a place not.
    pub asking: Duration,
    /// Bytes of answers after decompression.
    pub bytes: u64,
}

impl Counters {
    pub(super) fn count(&self, answer: &Answer) {
        let outcome = match answer {
            Answer::Frames { .. } => None,
            Answer::Failed(failure) => Some(failure.kind),
        };
        let counters = OUTCOMES.iter().zip(&self.outcomes);
        for (_, counter) in counters.filter(|(known, _)| **known == outcome) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn spent(&self, asking: Duration, bytes: u64) {
        let micros = u64::try_from(asking.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> SourceStats {
        let name = |outcome: &Option<FailureKind>| outcome.map_or("ok", FailureKind::as_str);
        let counters = OUTCOMES.iter().zip(&self.outcomes);
        SourceStats {
            queries: counters.map(|(outcome, n)| (name(outcome), n.load(Ordering::Relaxed))).collect(),
            asking: Duration::from_micros(self.micros.load(Ordering::Relaxed)),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::Failure;

    #[test]
    fn every_outcome_is_counted_once() {
        let counters = Counters::default();
        for kind in OUTCOMES {
            counters.count(&match kind {
                None => Answer::Frames { frames: vec![], notes: vec![] },
                Some(kind) => Answer::Failed(Failure { kind, message: String::new() }),
            });
        }
        let stats = counters.read();
        assert!(stats.queries.iter().all(|(_, n)| *n == 1), "{stats:?}");
        assert_eq!(stats.queries[0], ("ok", 1));
    }
}
