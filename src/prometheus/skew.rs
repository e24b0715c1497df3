//! How far a source's clock is from ours, by the `Date` of its answers.

use std::fmt;

use crate::slo::time::{Span, Ts};

/// Beyond this nothing can be concluded from an answer.
const TOO_FAR: Span = Span::from_mins(2);

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
}
