//! Arithmetic on the parts of a query: constants fold, events stay a weighted sum or are refused.

use super::refusal::Refusal;
use super::weigh::Sum;

/// A part of a query.
#[derive(Debug)]
pub(super) enum Part {
    /// A constant.
    Number(f64),
    /// Counted events.
    Events(Sum),
}

impl Part {
    /// Times a factor.
    pub(super) fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Number(number) => Self::Number(number * factor),
            Self::Events(sum) => Self::Events(sum.scaled(factor)),
        }
    }

    /// `self + other`.
    pub(super) fn plus(self, other: Self) -> Result<Self, Refusal> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Ok(Self::Number(a + b)),
            (Self::Events(a), Self::Events(b)) => a.plus(b).map(Self::Events),
            _ => Err(Refusal::not_additive(
                "a constant is added to events, and would be added again in every slice",
                "remove the constant",
            )),
        }
    }

    /// `self * other`.
    pub(super) fn times(self, other: Self) -> Result<Self, Refusal> {
        match (self, other) {
            (Self::Number(factor), part) | (part, Self::Number(factor)) => Ok(part.scaled(factor)),
            _ => Err(Refusal::not_additive(
                "two counts are multiplied, and slices do not add up to a product",
                "count the events themselves",
            )),
        }
    }

    /// `self / other`.
    pub(super) fn over(self, other: Self) -> Result<Self, Refusal> {
        match (self, other) {
            (part, Self::Number(divisor)) => Ok(part.scaled(1.0 / divisor)),
            _ => Err(Refusal::not_additive(
                "a ratio counts no events: the mean of ratios is not the ratio of sums",
                "give the upper part as bad (or good) and the lower part as total",
            )),
        }
    }
}
