//! The one place that asks what time it is.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::slo::time::{Span, Ts};

/// How far the wall clock is believed beyond the newest slice that a source has answered for: answers
/// count only while both clocks agree, so a clock that has jumped ahead is found out.
const AHEAD: Span = Span::from_mins(10);

/// The wall clock in whole seconds.
pub fn now() -> Ts {
    Ts::from(now_precise())
}

/// The wall clock as far as sources bear it out; `newest` is the newest slice known. What is deleted
/// for its age, and what is written with its time, goes by this.
pub fn agreed(newest: Option<Ts>) -> Ts {
    agreed_at(now(), newest)
}

fn agreed_at(now: Ts, newest: Option<Ts>) -> Ts {
    newest.map_or(now, |newest| now.min(newest.plus(AHEAD)))
}

/// The wall clock in milliseconds since the epoch.
pub fn now_ms() -> i64 {
    now_precise().timestamp_millis()
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "this is service::clock")]
pub fn now_precise() -> DateTime<Utc> {
    Utc::now()
}

/// How long it is until then.
pub(super) fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_ahead_is_not_believed() {
        let (now, day) = (Ts(1_800_000_000), Span::from_days(1));
        assert_eq!(agreed_at(now, None), now);
        assert_eq!(agreed_at(now, Some(now.minus(Span::from_mins(1)))), now);
        assert_eq!(agreed_at(now.plus(day), Some(now)), now.plus(AHEAD));
        assert_eq!(agreed_at(now.minus(day), Some(now)), now.minus(day), "behind, nothing is deleted early");
    }
}
