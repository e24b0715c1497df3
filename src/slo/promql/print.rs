//! A counted sum as PromQL that people can paste into Prometheus, and that reads back to the same sum.

use std::fmt;

use super::super::query::{Counting, Linear, Selector, Term};
use super::super::time::Span;
use super::placeholders::{WINDOW, with_window};

impl Linear {
    /// The events of a window as Prometheus would count them: `sum(increase(a[5m])) - 0.5 * sum(increase(b[5m]))`.
    pub fn to_promql(&self, window: Span) -> String {
        with_window(&self.to_string(), window)
    }
}

/// PromQL with `{{.window}}` for the range.
impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let sign = match (index, term.weight < 0) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            };
            write!(f, "{sign}{}{}", factor(term), counted(term))?;
        }
        Ok(())
    }
}

/// What a term is multiplied by, whatever its sign: `0.5 * `, or nothing for one.
pub fn factor(term: &Term) -> String {
    const ONE: u64 = 1_000_000;
    let weight = term.weight.unsigned_abs();
    if weight == ONE {
        return String::new();
    }
    let decimals = format!("{}.{:06}", weight / ONE, weight % ONE);
    format!("{} * ", decimals.trim_end_matches('0').trim_end_matches('.'))
}

fn counted(term: &Term) -> String {
    let selector = &term.atom.selector;
    match &term.atom.counting {
        Counting::Counter | Counting::Aggregated => over_window("increase", selector),
        Counting::GaugeSum => over_window("sum_over_time", selector),
        Counting::GaugeCount => over_window("count_over_time", selector),
        Counting::NativeCount => format!("histogram_count({})", over_window("increase", selector)),
        Counting::NativeAbove(bound) => {
            let sum = over_window("increase", selector);
            format!("(histogram_fraction({bound}, +Inf, {sum}) * histogram_count({sum}))")
        }
    }
}

fn over_window(function: &str, selector: &Selector) -> String {
    format!("sum({function}({selector}[{WINDOW}]))")
}
