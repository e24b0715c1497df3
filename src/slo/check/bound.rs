//! A latency bound, `300ms`: exact, in the unit of the histogram.

use std::fmt::Write as _;
use std::str::FromStr;

/// What a histogram's buckets are in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    /// Prometheus' convention.
    Seconds,
    /// `…_milliseconds`.
    Milliseconds,
}

/// A latency in nanoseconds, above zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Bound(u64);

impl Bound {
    /// As a plain decimal in the histogram's unit: 300ms are `0.3` seconds.
    pub(super) fn in_unit(self, unit: Unit) -> String {
        let (scale, digits) = match unit {
            Unit::Seconds => (1_000_000_000, 9),
            Unit::Milliseconds => (1_000_000, 6),
        };
        let mut text = (self.0 / scale).to_string();
        if !self.0.is_multiple_of(scale) {
            let _ = write!(text, ".{:0digits$}", self.0 % scale);
            text.truncate(text.trim_end_matches('0').len());
        }
        text
    }
}

/// One number and one unit: `300ms`, `1s`, `2.5s`, `500us`, `1m`.
impl FromStr for Bound {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const GRAMMAR: &str = "not a latency; write one number and one unit: 300ms, 2.5s, 500us";
        let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or(GRAMMAR)?;
        let (number, unit) = text.split_at(split);
        let nanos: u64 = match unit {
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(GRAMMAR),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |s: &str| !s.is_empty() && s.len() <= 9 && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(GRAMMAR);
        }
        let part = |s: &str| s.parse::<u64>().map_err(|_| GRAMMAR);
        let tenths = 10u64.pow(u32::try_from(fraction.len()).map_err(|_| GRAMMAR)?);
        let fraction = part(fraction)?.checked_mul(nanos).ok_or(GRAMMAR)?;
        if fraction % tenths != 0 {
            return Err("finer than a nanosecond");
        }
        let total =
            part(whole)?.checked_mul(nanos).and_then(|w| w.checked_add(fraction / tenths)).ok_or(GRAMMAR)?;
        if total == 0 { Err("a latency bound must be above zero") } else { Ok(Self(total)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_exact_in_the_histograms_unit() {
        for (text, seconds, milliseconds) in [
            ("300ms", "0.3", "300"),
            ("1s", "1", "1000"),
            ("2.5s", "2.5", "2500"),
            ("500us", "0.0005", "0.5"),
            ("1m", "60", "60000"),
            ("1000ms", "1", "1000"),
        ] {
            let bound: Bound = text.parse().unwrap();
            assert_eq!(bound.in_unit(Unit::Seconds), seconds);
            assert_eq!(bound.in_unit(Unit::Milliseconds), milliseconds);
        }
        for bad in [
            "",
            "300",
            "ms",
            "0ms",
            "-1s",
            "1.s",
            ".5s",
            "1e3ms",
            "1s500ms",
            "99999999999s",
            "0.0001us",
            "1d",
        ] {
            assert!(bad.parse::<Bound>().is_err(), "{bad}");
        }
    }
}
