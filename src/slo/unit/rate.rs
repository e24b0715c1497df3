//! What is promised, and how fast what is left of it may burn.

use std::fmt;
use std::str::FromStr;

use super::decimal;
use super::events::Events;

/// Parts per billion in one whole.
pub const PPB: u32 = 1_000_000_000;

/// The share of good events promised, in parts per billion, strictly between 0 and 1.
///
/// `100` is refused: it leaves no error budget, so there is nothing to burn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Objective(u32);

impl Objective {
    /// From parts per billion of good events.
    pub fn from_ppb(good: u32) -> Result<Self, UnitError> {
        match good {
            0 => Err(UnitError::ObjectiveTooLow),
            g if g >= PPB => Err(UnitError::ObjectiveTooHigh),
            g => Ok(Self(g)),
        }
    }

    /// Good events promised, in parts per billion.
    pub fn ppb(self) -> u32 {
        self.0
    }

    /// The error budget `b = 1 − objective`, in parts per billion; never zero.
    pub fn budget_ppb(self) -> u32 {
        PPB - self.0
    }

    /// The error budget as a ratio, for display and division; never zero.
    pub fn budget(self) -> f64 {
        f64::from(self.budget_ppb()) / f64::from(PPB)
    }

    /// The objective as a ratio, for display.
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / f64::from(PPB)
    }
}

/// Percent, at most seven decimals: `"99.95"`.
impl FromStr for Objective {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let ppb = decimal::parse(text, 7).ok_or(UnitError::NotADecimal)?;
        if ppb >= u64::from(PPB) {
            return Err(UnitError::ObjectiveTooHigh);
        }
        u32::try_from(ppb).map_err(|_| UnitError::ObjectiveTooHigh).and_then(Self::from_ppb)
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, u64::from(self.0), 7)?;
        f.write_str("%")
    }
}

impl fmt::Debug for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objective({self})")
    }
}

/// A burn-rate threshold in millionths, above zero: 1 burns exactly the budget over the period.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BurnRate(u64);

impl BurnRate {
    /// One budget per period.
    pub const ONE: Self = Self(1_000_000);
    const MAX: u64 = 1_000_000_000_000_000;

    /// From millionths; above zero and at most 10⁹.
    pub fn from_millionths(millionths: u64) -> Result<Self, UnitError> {
        if millionths == 0 || millionths > Self::MAX {
            return Err(UnitError::BurnRateRange);
        }
        Ok(Self(millionths))
    }

    /// The threshold in millionths.
    pub fn millionths(self) -> u64 {
        self.0
    }

    /// The threshold as a number, for display.
    #[expect(clippy::cast_precision_loss, reason = "at most 10^15, exact in f64")]
    pub fn value(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Whether `bad` of `total` events burn at or above this rate, exactly:
    /// `bad / total ≥ rate · b`, cross-multiplied. No events never reach a rate.
    pub fn reached_by(self, bad: Events, total: Events, objective: Objective) -> bool {
        if total <= Events::ZERO || bad <= Events::ZERO {
            return false;
        }
        let left = i128::from(bad.thousandths()) * 1_000_000 * i128::from(PPB);
        let right = i128::from(total.thousandths()) * i128::from(self.0) * i128::from(objective.budget_ppb());
        left >= right
    }

    /// Whether any error ratio can reach this rate: `rate · b < 1`.
    pub fn reachable(self, objective: Objective) -> bool {
        u128::from(self.0) * u128::from(objective.budget_ppb()) < 1_000_000 * u128::from(PPB)
    }
}

/// A decimal with at most six decimals: `"14.4"`.
impl FromStr for BurnRate {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::from_millionths(decimal::parse(text, 6).ok_or(UnitError::NotADecimal)?)
    }
}

impl fmt::Display for BurnRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(f, self.0, 6)
    }
}

impl fmt::Debug for BurnRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BurnRate({self})")
    }
}

/// Why a quantity was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a plain decimal number.
    #[error("not a plain decimal number with few enough decimals")]
    NotADecimal,
    /// Zero percent or less.
    #[error("an objective must be above 0")]
    ObjectiveTooLow,
    /// 100 percent or more.
    #[error("an objective must be below 100: 100 leaves no error budget, so there is nothing to burn")]
    ObjectiveTooHigh,
    /// Zero or absurdly large.
    #[error("a burn rate must be above 0 and at most 1000000000")]
    BurnRateRange,
    /// Zero or absurdly large.
    #[error("a weight must be above 0 and at most 1000000")]
    WeightRange,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_exact_and_bounded() {
        let three_nines: Objective = "99.9".parse().unwrap();
        assert_eq!(three_nines.budget_ppb(), 1_000_000);
        assert_eq!(three_nines.to_string(), "99.9%");
        assert_eq!("99.99999".parse::<Objective>().unwrap().budget_ppb(), 100);
        assert_eq!("100".parse::<Objective>(), Err(UnitError::ObjectiveTooHigh));
        assert_eq!("250".parse::<Objective>(), Err(UnitError::ObjectiveTooHigh));
        assert_eq!("0".parse::<Objective>(), Err(UnitError::ObjectiveTooLow));
        for bad in ["", ".", "99.", ".9", "-1", "1e2", "NaN", "inf", " 99", "99.12345678"] {
            assert!(bad.parse::<Objective>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_threshold_is_compared_exactly() {
        let objective: Objective = "99.9".parse().unwrap();
        let rate: BurnRate = "14.4".parse().unwrap();
        // 14.4 · 0.001 = 1.44 %: 144 of 10,000 reach it, 143 do not.
        assert!(rate.reached_by(Events::whole(144), Events::whole(10_000), objective));
        assert!(!rate.reached_by(Events::whole(143), Events::whole(10_000), objective));
        assert!(!rate.reached_by(Events::ZERO, Events::ZERO, objective));
        assert!(!rate.reached_by(Events::whole(1), Events::whole(-1), objective));
    }

    #[test]
    fn an_unreachable_rate_is_known() {
        let objective: Objective = "90".parse().unwrap();
        assert!("9.999999".parse::<BurnRate>().unwrap().reachable(objective));
        assert!(!"10".parse::<BurnRate>().unwrap().reachable(objective));
    }
}
