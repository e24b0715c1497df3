//! Reads a query as a weighted sum of counted selectors: what a window can be summed from slices for.
//!
//! Groupings (`sum by`) are dropped, since the definition's `groupBy` sums again, and so is
//! `or vector(0)`, which hides absence.

use promql_parser::parser::token::{T_ADD, T_DIV, T_LAND, T_LOR, T_LUNLESS, T_MUL, T_SUB, T_SUM};
use promql_parser::parser::{
    AggregateExpr, BinModifier, BinaryExpr, Call, Expr, VectorMatchCardinality, VectorSelector,
};

use super::super::query::{Atom, Counting, Linear};
use super::Form;
use super::call;
use super::part::Part;
use super::refusal::Refusal;
use super::selector;
use super::weigh::Sum;

/// What was read.
pub(super) struct Read {
    /// The sum.
    pub(super) linear: Linear,
    /// How it was written.
    pub(super) form: Form,
}

/// Reads a whole query; `aggregated` says that its counters are recorded sums.
pub(super) fn read(expr: &Expr, aggregated: bool) -> Result<Read, Refusal> {
    let sum = events(expr, aggregated)?;
    let form = sum.form;
    Ok(Read { linear: sum.finish()?, form })
}

/// Reads a part that must count events.
pub(super) fn events(expr: &Expr, aggregated: bool) -> Result<Sum, Refusal> {
    match part(expr, aggregated)? {
        Part::Events(sum) => Ok(sum),
        Part::Number(_) => Err(Refusal::mistake(
            "a constant alone counts no events",
            "write the selector of the events, such as http_requests_total{code=~\"5..\"}",
        )),
    }
}

/// Reads any part.
pub(super) fn part(expr: &Expr, aggregated: bool) -> Result<Part, Refusal> {
    match expr {
        Expr::Paren(paren) => part(&paren.expr, aggregated),
        Expr::NumberLiteral(number) => Ok(Part::Number(number.val)),
        Expr::Unary(unary) => Ok(part(&unary.expr, aggregated)?.scaled(-1.0)),
        Expr::Binary(binary) => self::binary(binary, aggregated),
        Expr::Aggregate(aggregate) => sum_of(aggregate, aggregated).map(Part::Events),
        Expr::Call(call) => call::read(call, aggregated).map(Part::Events),
        Expr::VectorSelector(selector) => {
            let atom = counter(selector, aggregated)?;
            Ok(Part::Events(Sum::of(atom, Form::Plain, std::time::Duration::ZERO)))
        }
        Expr::MatrixSelector(_) => Err(Refusal::mistake(
            "a range alone counts no events",
            "leave the range out, or wrap it: rate(x[{{.window}}])",
        )),
        Expr::Subquery(_) => Err(subquery()),
        Expr::StringLiteral(_) | Expr::Extension(_) => {
            Err(Refusal::mistake("this is no query", "write a selector of the events"))
        }
    }
}

/// A selector counted as a counter.
pub(super) fn counter(selector: &VectorSelector, aggregated: bool) -> Result<Atom, Refusal> {
    let selector = selector::one_metric(selector)?;
    if selector.metric.contains(':') && !aggregated {
        return Err(Refusal::mistake(
            format!(
                "{} is a recorded sum, which falls when a member leaves without being reset",
                selector.metric
            ),
            "write `counter: aggregated` beside it, or better the raw counters",
        ));
    }
    let counting = if aggregated { Counting::Aggregated } else { Counting::Counter };
    Ok(Atom { selector, counting })
}

/// Why subqueries are not counted.
pub(super) fn subquery() -> Refusal {
    Refusal::not_additive(
        "a subquery depends on its own steps, so slices do not add up to it",
        "use a selector in place of the subquery, or a timeslice SLI",
    )
}

fn sum_of(aggregate: &AggregateExpr, aggregated: bool) -> Result<Sum, Refusal> {
    if aggregate.op.id() == T_SUM {
        return events(&aggregate.expr, aggregated);
    }
    Err(Refusal::not_additive(
        format!("{} over two windows is not the sum of its values over each", aggregate.op),
        "use sum; for a quantile, a maximum or a mean use a timeslice SLI",
    ))
}

fn binary(binary: &BinaryExpr, aggregated: bool) -> Result<Part, Refusal> {
    let op = binary.op.id();
    if op == T_LOR && is_zero_vector(&binary.rhs) {
        return part(&binary.lhs, aggregated);
    }
    if matches!(op, T_LOR | T_LAND | T_LUNLESS) {
        return Err(Refusal::not_additive(
            format!("`{}` chooses series by what exists at the moment", binary.op),
            "add selectors with +, or choose series by matchers; only `or vector(0)` is understood",
        ));
    }
    if binary.op.is_comparison_operator() {
        return Err(Refusal::not_additive(
            "a comparison chooses by value, which is another in every slice",
            "choose series by matchers, or use a timeslice SLI",
        ));
    }
    if !binary.modifier.as_ref().is_none_or(is_plain) {
        return Err(Refusal::not_additive(
            "on, ignoring, group_left and fill pair series with one another",
            "sum each side by itself: sum(rate(a[{{.window}}])) - sum(rate(b[{{.window}}]))",
        ));
    }
    if let Some(native) = fraction_of(binary, aggregated) {
        return native.map(Part::Events);
    }
    let (left, right) = (part(&binary.lhs, aggregated)?, part(&binary.rhs, aggregated)?);
    match op {
        T_ADD => left.plus(right),
        T_SUB => left.plus(right.scaled(-1.0)),
        T_MUL => left.times(right),
        T_DIV => left.over(right),
        _ => Err(Refusal::not_additive(
            format!("`{}` of counts is not a count", binary.op),
            "only +, -, and multiplication or division by a constant are",
        )),
    }
}

/// `histogram_fraction(..) * histogram_count(..)`, either way round.
fn fraction_of(binary: &BinaryExpr, aggregated: bool) -> Option<Result<Sum, Refusal>> {
    let (left, right) = (called(&binary.lhs)?, called(&binary.rhs)?);
    if binary.op.id() != T_MUL {
        return None;
    }
    match (left.func.name, right.func.name) {
        ("histogram_fraction", "histogram_count") => Some(call::native_part(left, right, aggregated)),
        ("histogram_count", "histogram_fraction") => Some(call::native_part(right, left, aggregated)),
        _ => None,
    }
}

fn called(expr: &Expr) -> Option<&Call> {
    match expr {
        Expr::Paren(paren) => called(&paren.expr),
        Expr::Call(call) => Some(call),
        _ => None,
    }
}

/// `vector(0)`.
fn is_zero_vector(expr: &Expr) -> bool {
    let Some(call) = called(expr) else { return false };
    call.func.name == "vector" && call.args.args.first().is_some_and(|argument| is_zero(argument))
}

fn is_zero(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(paren) => is_zero(&paren.expr),
        Expr::NumberLiteral(number) => number.val == 0.0,
        _ => false,
    }
}

fn is_plain(modifier: &BinModifier) -> bool {
    let fills = modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some();
    modifier.card == VectorMatchCardinality::OneToOne
        && modifier.matching.is_none()
        && !modifier.return_bool
        && !fills
}
