//! The time by somebody else's clock. An Alertmanager ends an alert by its own one: told the end of a
//! page by ours, it would take a page to be over because our clock has gone back.

use tokio::time::Instant;

use super::clock;
use crate::slo::time::{Span, Ts};

/// Clocks that are no further apart are the same: `Date` has whole seconds, and answers take time.
const ALIKE: Span = Span::from_mins(1);

/// What is known of the other clock: what it said, and when that was by a clock that nobody sets.
pub(super) struct Theirs(Option<(Ts, Instant)>);

impl Theirs {
    pub(super) fn of(said: Option<Ts>) -> Self {
        Self(said.map(|said| (said, Instant::now())))
    }

    /// An answer that says nothing of the time changes nothing.
    pub(super) fn learn(&mut self, said: Option<Ts>) {
        self.0 = said.map(|said| (said, Instant::now())).or(self.0);
    }

    /// Ours, unless theirs is another one.
    pub(super) fn now(&self) -> Ts {
        self.beside(clock::now())
    }

    fn beside(&self, ours: Ts) -> Ts {
        let Some((said, at)) = self.0 else { return ours };
        let since = Span::from_secs_saturating(i64::try_from(at.elapsed().as_secs()).unwrap_or(i64::MAX));
        let theirs = said.plus(since);
        if theirs.0.abs_diff(ours.0) <= ALIKE.secs().unsigned_abs() { ours } else { theirs }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const OURS: Ts = Ts(1_800_000_000);

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_goes_back_or_ahead_changes_nothing_of_theirs() {
        let hour = Span::from_hours(1);
        let mut theirs = Theirs::of(Some(OURS.plus(Span::from_secs(2))));
        assert_eq!(theirs.beside(OURS), OURS);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(theirs.beside(OURS.minus(hour)), OURS.plus(Span::from_secs(12)));
        assert_eq!(theirs.beside(OURS.plus(hour)), OURS.plus(Span::from_secs(12)));
        theirs.learn(None);
        assert_eq!(theirs.beside(OURS.minus(hour)), OURS.plus(Span::from_secs(12)));
        theirs.learn(Some(OURS.plus(hour)));
        assert_eq!(theirs.beside(OURS.plus(hour)), OURS.plus(hour), "it was set, too");
        assert_eq!(Theirs::of(None).beside(OURS), OURS);
    }
}
