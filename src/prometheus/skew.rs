//! How far a source's clock is from ours, by the `Date` of its answers.

use std::collections::VecDeque;
use std::fmt;

use crate::slo::time::{Span, Ts};

/// Beyond this nothing can be concluded from an answer.
const TOO_FAR: Span = Span::from_mins(2);
/// So many answers must agree that a clock is apart before questions follow it: several servers may
/// answer at one address, each with a clock of its own, and one answer may have been on its way for long.
const AGREE: usize = 8;
/// A question about what is so far in the source's future has no answer yet. Clocks may be half a
/// step of a minute apart, and an answer's way takes a moment.
const EARLY: Span = Span::from_secs(35);

/// A source's clock against ours, to about a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Skew {
    /// Seconds the source's clock is ahead of ours; negative when it is behind.
    pub ahead: i64,
    /// Our time when it was measured.
    pub at: Ts,
}

impl Skew {
    /// From both clocks at one moment.
    pub fn between(source: Ts, local: Ts) -> Self {
        Self { ahead: source.0.saturating_sub(local.0), at: local }
    }

    /// More than two minutes apart.
    pub fn is_too_far(self) -> bool {
        self.ahead.unsigned_abs() > TOO_FAR.secs().unsigned_abs()
    }
}

/// The newest readings of a source's clock.
#[derive(Debug, Default)]
pub(super) struct Clock(VecDeque<Skew>);

impl Clock {
    /// Notes what an answer said.
    pub(super) fn note(&mut self, skew: Skew) {
        self.0.truncate(AGREE - 1);
        self.0.push_front(skew);
    }

    /// The newest reading.
    pub(super) fn newest(&self) -> Option<Skew> {
        self.0.front().copied()
    }

    /// Whether of the newest answers some came from a clock too far off, or too late to know our present,
    /// and some did not: there are several servers at its address.
    pub(super) fn is_torn(&self) -> bool {
        let is_late = |skew: &Skew| Span::from_secs_saturating(skew.ahead.saturating_neg()) > EARLY;
        let off = self.0.iter().filter(|skew| skew.is_too_far() || is_late(skew)).count();
        off > 0 && off < self.0.len()
    }

    /// Seconds that all who answer are ahead of us at least; negative when behind. Clocks too far
    /// apart lead nowhere: what they answer does not count, and once they are right again the
    /// questions must be about the present already.
    pub(super) fn ahead(&self) -> i64 {
        let near = self.0.iter().filter(|skew| !skew.is_too_far()).map(|skew| skew.ahead);
        near.min_by_key(|ahead| ahead.unsigned_abs()).unwrap_or(0)
    }
}

/// Whether an answer given at `source` cannot know `asked` yet: its clock is another than the one
/// that the question was meant for.
pub(super) fn is_early(asked: Ts, source: Ts) -> bool {
    asked.since(source) > EARLY
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apart = Span::from_secs_saturating(self.ahead.saturating_abs());
        write!(f, "{apart} {} ours", if self.ahead < 0 { "behind" } else { "ahead of" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_minutes_are_the_limit_either_way() {
        for (source, too_far, text) in [
            (1000, false, "0s ahead of ours"),
            (1120, false, "2m ahead of ours"),
            (1121, true, "2m1s ahead of ours"),
            (880, false, "2m behind ours"),
            (879, true, "2m1s behind ours"),
        ] {
            let skew = Skew::between(Ts(source), Ts(1000));
            assert_eq!(skew.is_too_far(), too_far, "{source}");
            assert_eq!(skew.to_string(), text);
        }
        assert!(Skew::between(Ts(i64::MIN), Ts(i64::MAX)).is_too_far());
    }

    fn clock(readings: impl IntoIterator<Item = i64>) -> Clock {
        let mut clock = Clock::default();
        readings.into_iter().for_each(|ahead| clock.note(Skew { ahead, at: Ts(0) }));
        clock
    }

    fn ahead(readings: impl IntoIterator<Item = i64>) -> i64 {
        clock(readings).ahead()
    }

    #[test]
    fn who_is_asked_again_is_two_of_whom_one_is_of_no_use() {
        for (other, torn) in [(3600, true), (-3600, true), (-60, true), (-30, false), (60, false)] {
            assert_eq!(clock([0, other]).is_torn(), torn, "{other}");
            assert!(!clock([other; 2]).is_torn(), "nobody else is there: {other}");
        }
    }

    #[test]
    fn a_clock_is_followed_where_all_answers_agree_that_it_is_apart() {
        assert_eq!(ahead([]), 0);
        assert_eq!(ahead([60; AGREE]), 60);
        assert_eq!(ahead([-60, -59, -61]), -59);
        assert_eq!(ahead([60, 0, 60, 0, 60]), 0, "two servers at one address");
        assert_eq!(ahead([0; AGREE].into_iter().chain([-4])), 0, "an answer that was on its way for long");
        assert_eq!(ahead([0; AGREE].into_iter().chain([60; AGREE])), 60, "it was set forward");
        assert_eq!(ahead([60; AGREE].into_iter().chain([0])), 0, "it is right again");
    }

    #[test]
    fn clocks_too_far_apart_lead_nowhere() {
        for hour in [3600, -3600] {
            assert_eq!(ahead([hour; AGREE]), 0);
            assert_eq!(ahead([60, hour, hour]), 60);
        }
    }

    #[test]
    fn what_is_in_the_future_of_whoever_answers_is_early() {
        assert!(!is_early(Ts(1000), Ts(1000)) && !is_early(Ts(1030), Ts(1000)));
        assert!(is_early(Ts(1036), Ts(1000)) && !is_early(Ts(0), Ts(1000)));
    }
}
