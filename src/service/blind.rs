//! Whether a source can be seen through: judged by the questions that count events, because alerts
//! rest on them; that it answers what is easy proves nothing.

use crate::engine::sample::{Answer, Failure};

/// What a source was asked in one tick, and what became of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Tally {
    /// Series, and direct windows, that were asked for and whose question was answered, if only by
    /// saying what is wrong with it.
    answered: usize,
    /// Those that were not answered.
    failed: usize,
    /// Anything was answered, what is easy included.
    reached: bool,
    /// Why something was not, the first of all reasons.
    why: Option<String>,
}

impl Tally {
    /// A question that counts events, for so many series.
    pub(super) fn count(&mut self, series: usize, failure: Option<&Failure>) {
        match failure.filter(|failure| failure.kind.is_of_source()) {
            None => self.answered += series,
            Some(_) => self.failed += series,
        }
        self.hear(failure);
    }

    /// Any other question.
    pub(super) fn hear(&mut self, failure: Option<&Failure>) {
        match failure.filter(|failure| failure.kind.is_of_source()) {
            None => self.reached = true,
            Some(failure) => {
                self.why.get_or_insert_with(|| failure.message.clone());
            }
        }
    }

    /// Adds what became of other questions.
    pub(super) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.reached |= other.reached;
        if self.why.is_none() {
            self.why.clone_from(&other.why);
        }
    }

    /// Whether anything was answered.
    pub(super) fn reached(&self) -> bool {
        self.reached
    }

    /// How much of what counts was answered.
    pub(super) fn answered(&self) -> usize {
        self.answered
    }

    /// Whether at least half of what counts was answered.
    pub(super) fn mostly_answered(&self) -> bool {
        self.answered > 0 && self.answered >= self.failed
    }

    /// Why something was not answered, if so.
    pub(super) fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Blind is a source that answers less than a third, until it answers half: one at the edge must
    /// not be told and resolved in turns, and one that answers most is not blind. Where nothing that
    /// counts was asked, the rest has to do.
    pub(super) fn is_blind(&self, was: bool) -> bool {
        match (self.answered, self.failed) {
            (0, 0) if self.reached => false,
            (0, 0) => was || self.why.is_some(),
            (answered, failed) if was => answered < failed,
            (answered, failed) => 2 * answered < failed,
        }
    }
}

/// Why there is no answer.
pub(super) fn failure(answer: &Answer) -> Option<&Failure> {
    match answer {
        Answer::Frames { .. } => None,
        Answer::Failed(failure) => Some(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::FailureKind;

    fn failed(kind: FailureKind) -> Failure {
        Failure { kind, message: kind.as_str().to_owned() }
    }

    fn tally(answered: usize, failing: usize, kind: FailureKind) -> Tally {
        let mut tally = Tally::default();
        tally.hear(None);
        if answered > 0 {
            tally.count(answered, None);
        }
        if failing > 0 {
            tally.count(failing, Some(&failed(kind)));
        }
        tally
    }

    #[test]
    fn a_source_that_answers_only_what_is_easy_is_blind() {
        use FailureKind::{Garbage, Partial, QueryError, ServerError, Timeout};
        for kind in [Timeout, ServerError, Partial, Garbage] {
            assert!(tally(0, 5, kind).is_blind(false), "{kind:?}");
            assert!(tally(2, 5, kind).is_blind(false), "{kind:?}");
            assert!(tally(3, 5, kind).is_blind(true), "{kind:?}");
            assert!(!tally(5, 2, kind).is_blind(false), "{kind:?}");
        }
        assert!(!tally(0, 5, QueryError).is_blind(true), "it answers that the query is wrong");
    }

    #[test]
    fn one_at_the_edge_is_not_told_and_resolved_in_turns() {
        let mut blind = false;
        let mut changes = 0;
        for answered in [4, 3, 4, 3, 2, 4, 3, 4] {
            let now = tally(answered, 10 - answered, FailureKind::Timeout).is_blind(blind);
            changes += u32::from(now != blind);
            blind = now;
        }
        assert_eq!((blind, changes), (true, 1));
        assert!(!tally(5, 5, FailureKind::Timeout).is_blind(true));
    }

    #[test]
    fn with_nothing_that_counts_asked_the_rest_decides() {
        assert!(!tally(0, 0, FailureKind::Timeout).is_blind(true));
        assert!(Tally::default().is_blind(true) && !Tally::default().is_blind(false));
        let mut silent = Tally::default();
        silent.hear(Some(&failed(FailureKind::Unreachable)));
        assert!(silent.is_blind(false));
    }
}
