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

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", Name(&self.label), self.op, Quoted(&self.value))
    }
}

/// `metric{a="1",b!~"2"}`; names that are not plain are quoted inside the braces, words of PromQL
/// in the way that Prometheus 2 reads too.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = is_word_of_promql(&self.metric);
        let plain = is_plain_metric(&self.metric) && !word;
        if plain {
            f.write_str(&self.metric)?;
            if self.matchers.is_empty() {
                return Ok(());
            }
        }
        f.write_str("{")?;
        if word {
            f.write_str("__name__=")?;
        }
        if !plain {
            Quoted(&self.metric).fmt(f)?;
        }
        for (i, matcher) in self.matchers.iter().enumerate() {
            if i > 0 || !plain {
                f.write_str(",")?;
            }
            matcher.fmt(f)?;
        }
        f.write_str("}")
    }
}

/// A label name, quoted where PromQL needs it.
pub struct Name<'a>(pub &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = is_plain_metric(self.0) && !self.0.contains(':');
        if plain { f.write_str(self.0) } else { Quoted(self.0).fmt(f) }
    }
}

/// A PromQL string literal in double quotes.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

fn is_plain_metric(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b':')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

/// Words that cannot stand where a metric's name does.
fn is_word_of_promql(name: &str) -> bool {
    const WORDS: [&str; 11] = [
        "bool",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "atan2",
        "inf",
        "nan",
        "step",
        "smoothed",
        "anchored",
    ];
    WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_print_as_promql() {
        let matcher = |label: &str, op, value: &str| Matcher { label: label.into(), op, value: value.into() };
        let plain = Selector { metric: "up".into(), matchers: vec![] };
        assert_eq!(plain.to_string(), "up");
        let escaped = Selector {
            metric: "m".into(),
            matchers: vec![
                matcher("a", MatchOp::Equal, "q\"b\\n\n"),
                matcher("b.c", MatchOp::NotRegex, "5.."),
            ],
        };
        assert_eq!(escaped.to_string(), r#"m{a="q\"b\\n\n","b.c"!~"5.."}"#);
        let dotted =
            Selector { metric: "http.requests".into(), matchers: vec![matcher("a", MatchOp::Equal, "1")] };
        assert_eq!(dotted.to_string(), r#"{"http.requests",a="1"}"#);
        let word = Selector { metric: "Bool".into(), matchers: vec![matcher("a", MatchOp::Equal, "1")] };
        assert_eq!(word.to_string(), r#"{__name__="Bool",a="1"}"#);
    }
}
