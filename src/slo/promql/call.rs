//! Functions that count: over counters, gauges and native histograms.

use promql_parser::parser::{Call, Expr, MatrixSelector};

use super::super::query::{Atom, Counting};
use super::Form;
use super::additive::{self, counter, events};
use super::part::Part;
use super::refusal::Refusal;
use super::selector;
use super::weigh::Sum;

/// Reads a function call that counts events.
pub(super) fn read(call: &Call, aggregated: bool) -> Result<Sum, Refusal> {
    match call.func.name {
        "rate" => of_counter(call, Form::PerSecond, aggregated),
        "increase" => of_counter(call, Form::PerWindow, aggregated),
        "sum_over_time" => of_gauge(call, Counting::GaugeSum),
        "count_over_time" => of_gauge(call, Counting::GaugeCount),
        "histogram_count" => native_count(argument(call, 0)?, aggregated),
        "vector" => Err(Refusal::mistake(
            "a constant alone counts no events",
            "write the selector of the events; `or vector(0)` behind it is not needed",
        )),
        name @ ("irate" | "delta" | "idelta" | "deriv") => Err(Refusal::not_additive(
            format!("{name} does not count events, so slices do not add up to it"),
            format!("use rate or increase in place of {name}"),
        )),
        name => Err(Refusal::not_additive(
            format!("slices do not add up to {name}"),
            "count with rate, increase, sum_over_time or count_over_time; for other values use a timeslice SLI",
        )),
    }
}

fn of_counter(call: &Call, form: Form, aggregated: bool) -> Result<Sum, Refusal> {
    let range = ranged(call)?;
    Ok(Sum::of(counter(&range.vs, aggregated)?, form, range.range))
}

fn of_gauge(call: &Call, counting: Counting) -> Result<Sum, Refusal> {
    let range = ranged(call)?;
    let selector = selector::one_metric(&range.vs)?;
    Ok(Sum::of(Atom { selector, counting }, Form::PerWindow, range.range))
}

fn ranged(call: &Call) -> Result<&MatrixSelector, Refusal> {
    fn inside(expr: &Expr) -> Result<&MatrixSelector, Refusal> {
        match expr {
            Expr::Paren(paren) => inside(&paren.expr),
            Expr::MatrixSelector(range) => Ok(range),
            _ => Err(additive::subquery()),
        }
    }
    inside(argument(call, 0)?)
}

fn argument(call: &Call, index: usize) -> Result<&Expr, Refusal> {
    let missing = || Refusal::mistake(format!("{} lacks an argument", call.func.name), "complete the call");
    call.args.args.get(index).map(|argument| &**argument).ok_or_else(missing)
}

/// `histogram_count` of a sum of native histograms: counting is linear, so it moves inside.
fn native_count(histograms: &Expr, aggregated: bool) -> Result<Sum, Refusal> {
    let sum = events(histograms, aggregated)?;
    let counted = |atom: Atom| match atom.counting {
        Counting::Counter => Ok(Atom { counting: Counting::NativeCount, ..atom }),
        Counting::Aggregated => Err(Refusal::mistake(
            "recorded sums of native histograms are not counted",
            "write the raw histogram, without `counter: aggregated`",
        )),
        _ => Err(Refusal::not_additive(
            "histogram_count takes a rate of a native histogram",
            "write histogram_count(sum(rate(h[{{.window}}])))",
        )),
    };
    let terms = sum.terms.iter().map(|(atom, weight)| Ok((counted(atom.clone())?, *weight)));
    let terms = terms.collect::<Result<_, Refusal>>()?;
    Ok(sum.with_terms(terms))
}

/// `histogram_fraction(lower, upper, h) * histogram_count(h)`: the observations above `lower`, or below `upper`.
pub(super) fn native_part(fraction: &Call, count: &Call, aggregated: bool) -> Result<Sum, Refusal> {
    let sum = native_count(argument(count, 0)?, aggregated)?;
    let mut terms = sum.terms.iter();
    let (Some((atom, weight)), None) = (terms.next(), terms.next()) else { return Err(not_one_histogram()) };
    if (weight - 1.0).abs() > f64::EPSILON || native_count(argument(fraction, 2)?, aggregated)? != sum {
        return Err(not_one_histogram());
    }
    let (count, atom) = (atom.clone(), |bound: f64| Atom {
        selector: atom.selector.clone(),
        counting: Counting::NativeAbove(bound.to_string()),
    });
    let terms = match (number(argument(fraction, 0)?)?, number(argument(fraction, 1)?)?) {
        (lower, f64::INFINITY) if lower.is_finite() => [(atom(lower), 1.0)].into(),
        (f64::NEG_INFINITY | 0.0, upper) if upper.is_finite() => [(count, 1.0), (atom(upper), -1.0)].into(),
        _ => {
            return Err(Refusal::not_additive(
                "a fraction between two bounds is not counted",
                "write histogram_fraction(BOUND, +Inf, h) for the events above a bound",
            ));
        }
    };
    Ok(sum.with_terms(terms))
}

fn not_one_histogram() -> Refusal {
    Refusal::not_additive(
        "histogram_fraction and histogram_count are not of one and the same histogram",
        "give both the same sum(rate(h[{{.window}}]))",
    )
}

fn number(expr: &Expr) -> Result<f64, Refusal> {
    match additive::part(expr, false)? {
        Part::Number(number) => Ok(number),
        Part::Events(_) => Err(Refusal::not_additive("the bound is not a constant", "write a number")),
    }
}
