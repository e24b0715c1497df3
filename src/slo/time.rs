//! Time as data: seconds since the epoch, spans in whole seconds, and the step that cuts time into slices.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A moment in whole seconds since the Unix epoch. The pure core never asks for the present; it is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize)]
pub struct Ts(pub i64);

impl Ts {
    /// This moment plus a span; saturates.
    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.secs()))
    }

    /// This moment minus a span; saturates.
    #[must_use]
    pub fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.secs()))
    }

    /// Seconds from `earlier` to this moment; zero when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span::from_secs_saturating(self.0.saturating_sub(earlier.0).max(0))
    }

    /// The latest multiple of `span` at or before this moment.
    #[must_use]
    pub fn floor_to(self, span: Span) -> Self {
        let unit = span.secs().max(1);
        Self(self.0.div_euclid(unit).saturating_mul(unit))
    }

    /// The earliest multiple of `span` at or after this moment.
    #[must_use]
    pub fn ceil_to(self, span: Span) -> Self {
        let floor = self.floor_to(span);
        if floor == self { self } else { floor.plus(span) }
    }

    /// Whether it is a moment that can be meant: less than three thousand years away. Only what was not
    /// written by us is not.
    pub const fn is_real(self) -> bool {
        self.0.unsigned_abs() < 100_000_000_000
    }

    /// For display and the wire; `None` only beyond the calendar's range.
    pub fn to_datetime(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.0, 0)
    }
}

/// RFC 3339 in UTC, whole seconds.
impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_datetime() {
            Some(time) => write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%SZ")),
            None => write!(f, "@{}", self.0),
        }
    }
}

impl From<DateTime<Utc>> for Ts {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp())
    }
}

/// A length of time in whole seconds, 0 to about 136 years. Written as Prometheus writes durations: `1h30m`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(u32);

impl Span {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// From seconds.
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs)
    }

    /// From minutes; saturates.
    pub const fn from_mins(mins: u32) -> Self {
        Self(mins.saturating_mul(60))
    }

    /// From hours; saturates.
    pub const fn from_hours(hours: u32) -> Self {
        Self(hours.saturating_mul(3600))
    }

    /// From days of 24 hours; saturates.
    pub const fn from_days(days: u32) -> Self {
        Self(days.saturating_mul(86_400))
    }

    /// From seconds, clamped to what a span can hold.
    pub fn from_secs_saturating(secs: i64) -> Self {
        Self(u32::try_from(secs.max(0)).unwrap_or(u32::MAX))
    }

    /// Seconds.
    pub const fn secs(self) -> i64 {
        self.0 as i64
    }

    /// Whether this is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// For timers of the shell.
    pub const fn to_duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

/// Prometheus' grammar, whole seconds, so that `1d` and `1y` mean what they mean in PromQL.
impl FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, SpanError> {
        // The parser also takes bare and fractional seconds, as newer PromQL does; a definition must say its unit.
        if text.contains('.') || !text.ends_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(SpanError::Grammar);
        }
        // PromQL has no use for no time at all; a delay has, and every other duration has its bounds.
        let unit = text.trim_start_matches('0');
        if unit.len() < text.len() && ["s", "m", "h", "d", "w", "y"].contains(&unit) {
            return Ok(Self::ZERO);
        }
        let parsed = promql_parser::util::parse_duration(text).map_err(|_| SpanError::Grammar)?;
        if parsed.subsec_nanos() != 0 {
            return Err(SpanError::SubSecond);
        }
        u32::try_from(parsed.as_secs()).map(Self).map_err(|_| SpanError::TooLong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, name) in [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")] {
            if rest >= unit {
                write!(f, "{}{name}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a duration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Not Prometheus' duration grammar.
    #[error("not a duration; write it as Prometheus does: 30s, 5m, 1h30m, 28d")]
    Grammar,
    /// Milliseconds.
    #[error("durations are whole seconds here")]
    SubSecond,
    /// More than 136 years.
    #[error("longer than 136 years")]
    TooLong,
}

/// The slice length `S`: 5 to 60 seconds and a divisor of 5 minutes, so that five-minute tiers are whole slices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Step(Span);

impl Step {
    /// The default, 30 s.
    pub const DEFAULT: Self = Self(Span::from_secs(30));
    /// What is allowed: 5, 6, 10, 12, 15, 20, 25, 30, 50 or 60 seconds.
    pub const ALLOWED: [u32; 10] = [5, 6, 10, 12, 15, 20, 25, 30, 50, 60];

    /// `None` unless the span is one of [`Step::ALLOWED`].
    pub fn new(span: Span) -> Option<Self> {
        Self::ALLOWED.contains(&u32::try_from(span.secs()).ok()?).then_some(Self(span))
    }

    /// The slice length.
    pub const fn span(self) -> Span {
        self.0
    }

    /// The slice length in seconds, at least 5.
    pub const fn secs(self) -> i64 {
        self.0.secs()
    }

    /// The end of the newest whole slice at `now`.
    pub fn floor(self, now: Ts) -> Ts {
        now.floor_to(self.0)
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_speak_prometheus() {
        assert_eq!("1h30m".parse::<Span>().unwrap(), Span::from_mins(90));
        assert_eq!("1y".parse::<Span>().unwrap(), Span::from_days(365));
        assert_eq!(Span::from_mins(90).to_string(), "1h30m");
        assert_eq!(Span::from_days(28).to_string(), "28d");
        assert_eq!("0s".parse::<Span>().unwrap(), Span::ZERO);
        assert_eq!(Span::ZERO.to_string().parse::<Span>().unwrap(), Span::ZERO);
        assert_eq!("1ms".parse::<Span>(), Err(SpanError::SubSecond));
        assert_eq!("900y".parse::<Span>(), Err(SpanError::TooLong));
        for bad in ["", "s", "0", "5", "1.5h", "30 d", "-5m", "5m5", "0s0"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn steps_divide_five_minutes() {
        for secs in Step::ALLOWED {
            assert_eq!(300 % secs, 0);
        }
        assert_eq!(Step::new(Span::from_secs(7)), None);
        let step = Step::new(Span::from_secs(30)).unwrap();
        assert_eq!(step.floor(Ts(-1)), Ts(-30));
        assert_eq!(step.floor(Ts(61)), Ts(60));
    }
}
