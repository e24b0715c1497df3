//! Queries a definition may hold, in the form the engine counts with: sums of weighted selectors.

use std::fmt;

/// A metric and its label matchers, in canonical order; prints as PromQL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Selector {
    /// The one metric it names.
    pub metric: String,
    /// Matchers sorted by label, operator and value, without `__name__`.
    pub matchers: Vec<Matcher>,
}

/// `label op "value"`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Matcher {
    /// Label name.
    pub label: String,
    /// Operator.
    pub op: MatchOp,
    /// Right-hand side, unescaped.
    pub value: String,
}

/// Label match operators.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// How a selector's samples become events per slice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Counting {
    /// Differences of a counter; births and resets counted whole where proved.
    Counter,
    /// Differences of a recorded sum; never books a reset.
    Aggregated,
    /// `sum_over_time` of a gauge.
    GaugeSum,
    /// `count_over_time` of a gauge.
    GaugeCount,
    /// Observations of a native histogram.
    NativeCount,
    /// Observations of a native histogram above a bound, written as a decimal in the histogram's unit.
    NativeAbove(String),
}

/// One selector counted one way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Atom {
    /// What is selected.
    pub selector: Selector,
    /// How it is counted.
    pub counting: Counting,
}

/// A weighted sum of atoms; at least one term, no atom twice, no zero weight.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Linear {
    /// The terms, sorted by atom.
    pub terms: Vec<Term>,
}

/// An atom and its weight.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Term {
    /// Weight in millionths; 1,000,000 counts every event once.
    pub weight: i64,
    /// What is counted.
    pub atom: Atom,
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        })
    }
}
