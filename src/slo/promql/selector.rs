//! A vector selector of exactly one metric, in canonical order: what the engine can count.

use promql_parser::label::{self, METRIC_NAME};
use promql_parser::parser::{Expr, VectorSelector};

use super::super::query::{MatchOp, Matcher, Selector};
use super::refusal::Refusal;
use super::{QueryError, placeholders, places};

/// A plain selector, parentheses allowed.
pub(super) fn read(expr: &Expr) -> Result<Selector, QueryError> {
    let hint = "write a metric and its labels alone, such as up{job=\"checkout\"}";
    match expr {
        Expr::Paren(paren) => read(&paren.expr),
        Expr::VectorSelector(selector) => one_metric(selector).map_err(Refusal::into_error),
        Expr::MatrixSelector(_) => {
            Err(QueryError::new("a range does not belong here: windows are chosen by Damper", hint))
        }
        _ => Err(QueryError::new("not a plain selector", hint)),
    }
}

/// The selector in canonical form.
pub(super) fn one_metric(selector: &VectorSelector) -> Result<Selector, Refusal> {
    if selector.offset.is_some() || selector.at.is_some() {
        return Err(Refusal::not_additive(
            "offset and @ move the selector in time, but events are counted when they happen",
            "remove offset and @",
        ));
    }
    if !selector.matchers.or_matchers.is_empty() {
        return Err(Refusal::not_additive(
            "matchers joined by `or` may cover the same series twice",
            "write one selector per alternative and add them with +, or use =~",
        ));
    }
    let (names, others): (Vec<_>, Vec<_>) =
        selector.matchers.matchers.iter().partition(|matcher| matcher.name == METRIC_NAME);
    let metric = match (&selector.name, names.as_slice()) {
        (Some(name), []) => name.clone(),
        (None, [label::Matcher { op: label::MatchOp::Equal, value, .. }]) if !value.is_empty() => {
            value.clone()
        }
        _ => {
            // Asked as it is, it has an answer until two of them come with the same labels.
            return Err(Refusal::mistake(
                "the selector may cover several metrics, whose counters are not one; where two of them have \
                 the same labels Prometheus refuses a rate of both",
                "name each metric, and add them with +: a{job=\"x\"} + b{job=\"x\"}",
            ));
        }
    };
    let mut matchers: Vec<Matcher> = others.into_iter().map(matcher).collect();
    matchers.sort();
    matchers.dedup();
    let selector = Selector { metric, matchers };
    let printed = selector.to_string();
    // Spelled with escapes, which the template does not show: as text it would be filled.
    if placeholders::holds(&printed) {
        return Err(places::misplaced(&printed).into());
    }
    Ok(selector)
}

fn matcher(matcher: &label::Matcher) -> Matcher {
    let op = match matcher.op {
        label::MatchOp::Equal => MatchOp::Equal,
        label::MatchOp::NotEqual => MatchOp::NotEqual,
        label::MatchOp::Re(_) => MatchOp::Regex,
        label::MatchOp::NotRe(_) => MatchOp::NotRegex,
    };
    Matcher { label: matcher.name.clone(), op, value: matcher.value.clone() }
}
