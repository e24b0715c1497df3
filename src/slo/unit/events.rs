//! Counts of events, and numbers that are finite.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A count of events in integer thousandths. May be negative inside one slice
/// (`total − good` of a late scrape); windows clamp at zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Events(i64);

impl Events {
    /// No events.
    pub const ZERO: Self = Self(0);

    /// From thousandths of an event.
    pub const fn from_thousandths(thousandths: i64) -> Self {
        Self(thousandths)
    }

    /// From whole events; saturates far beyond any counter (9.2 · 10¹⁵).
    pub const fn whole(events: i64) -> Self {
        Self(events.saturating_mul(1000))
    }

    /// From a number of events, rounded to thousandths; `None` when not finite or beyond ±9 · 10¹⁵.
    #[expect(clippy::cast_possible_truncation, reason = "range checked first")]
    pub fn from_f64(events: f64) -> Option<Self> {
        let thousandths = events * 1000.0;
        (thousandths.is_finite() && thousandths.abs() < 9e18).then(|| Self(thousandths.round() as i64))
    }

    /// Thousandths of an event.
    pub const fn thousandths(self) -> i64 {
        self.0
    }

    /// The number of events, for display and division.
    #[expect(clippy::cast_precision_loss, reason = "display precision")]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Zero where negative.
    pub fn clamped(self) -> Self {
        Self(self.0.max(0))
    }

    /// Sum that saturates instead of wrapping.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference that saturates instead of wrapping.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self · numerator / denominator` in wide arithmetic, rounded down; saturates.
    /// A zero denominator gives `self`.
    #[must_use]
    pub fn scaled(self, numerator: i64, denominator: i64) -> Self {
        if denominator == 0 {
            return self;
        }
        let wide = i128::from(self.0) * i128::from(numerator) / i128::from(denominator);
        Self(i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

/// A finite number.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Finite(f64);

impl Finite {
    /// `None` for NaN and infinities.
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_refuse_what_is_not_a_number() {
        assert_eq!(Events::from_f64(f64::NAN), None);
        assert_eq!(Events::from_f64(f64::INFINITY), None);
        assert_eq!(Events::from_f64(1e300), None);
        assert_eq!(Events::from_f64(1.2346), Some(Events::from_thousandths(1235)));
        assert_eq!(Events::whole(10).scaled(3, 2), Events::whole(15));
        assert_eq!(Events::whole(i64::MAX).scaled(i64::MAX, 1), Events::from_thousandths(i64::MAX));
    }
}
