//! What one part of a whole counts for beside the others.

use std::fmt;
use std::str::FromStr;

use super::decimal;
use super::rate::UnitError;

/// A weight in millionths; above zero and at most a million. Only proportions count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Weight(u64);

impl Weight {
    /// As much as any other.
    pub const ONE: Self = Self(1_000_000);
    const MAX: u64 = 1_000_000_000_000;

    /// From millionths; above zero and at most 10¹².
    pub fn from_millionths(millionths: u64) -> Result<Self, UnitError> {
        if millionths == 0 || millionths > Self::MAX {
            return Err(UnitError::WeightRange);
        }
        Ok(Self(millionths))
    }

    /// In millionths, at most 10¹².
    pub fn millionths(self) -> u64 {
        self.0
    }

    /// As a number, for people.
    #[expect(clippy::cast_precision_loss, reason = "at most 10^12, exact in f64")]
    pub fn value(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// A decimal with at most six decimals: `"2.5"`.
impl FromStr for Weight {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::from_millionths(decimal::parse(text, 6).ok_or(UnitError::NotADecimal)?)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0, 6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_exact_positive_and_bounded() {
        for (text, millionths) in
            [("1", 1_000_000), ("0.000001", 1), ("2.5", 2_500_000), ("1000000", 1_000_000_000_000)]
        {
            let weight: Weight = text.parse().unwrap();
            assert_eq!((weight.millionths(), weight.to_string().as_str()), (millionths, text));
        }
        for bad in ["", "0", "-1", "1e3", "NaN", "inf", "0.0000001", "1000001", ".5", "99999999999999999999"]
        {
            assert!(bad.parse::<Weight>().is_err(), "{bad}");
        }
    }
}
