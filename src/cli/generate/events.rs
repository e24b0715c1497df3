//! How bad and total events of a window are asked in plain PromQL. Windows are counted by `increase`,
//! as Prometheus's own rules do: good enough for a net, not for a budget.

use crate::engine::plan::form::aggregate;
use crate::slo::model::{Reduce, Sli, Timeslice};
use crate::slo::promql::{factor, with_window};
use crate::slo::query::{Counting, Linear, Term};
use crate::slo::time::Span;

/// The error ratio over a window, and its bad events where events are counted.
pub(super) struct Window {
    pub(super) ratio: String,
    pub(super) bad: Option<String>,
}

/// Over this window, by these labels; `step` is how densely a query is sampled that is judged by time.
/// `None` of a composite, whose parts have rules of their own.
pub(super) fn window(sli: &Sli, by: &[&str], over: Span, step: Span) -> Option<Window> {
    Some(match sli {
        Sli::Counted { bad, total } => {
            let (bad, total) = (linear(bad, by, over), linear(total, by, over));
            Window { ratio: format!("{bad} / {total}"), bad: Some(bad) }
        }
        Sli::Timeslice(slices) => Window { ratio: timeslice(slices, over, step), bad: None },
        Sli::Direct { error_ratio } => {
            let ratio = with_window(error_ratio, over);
            // It is as it was written, and may end with a comment.
            let end = if ratio.contains('#') { "\n" } else { "" };
            Window { ratio: format!("({ratio}{end})"), bad: None }
        }
        Sli::Composite(_) => return None,
    })
}

/// What is added, less what is taken off. Terms that are added need not all exist; one that is taken
/// off must, or all of the rest would count.
fn linear(linear: &Linear, by: &[&str], over: Span) -> String {
    let (added, taken): (Vec<&Term>, Vec<&Term>) = linear.terms.iter().partition(|term| term.weight > 0);
    let added = sum(&added, by, over);
    let all = taken.iter().fold(added, |all, term| format!("{all} - {}", sum(&[term], by, over)));
    if taken.is_empty() { all } else { format!("({all})") }
}

fn sum(terms: &[&Term], by: &[&str], over: Span) -> String {
    match terms {
        [one] if is_above(one) => format!("({})", events(one, by, over)),
        [one] => aggregate("sum", by, &events(one, by, over)),
        several => {
            // Two metrics may have the same labels otherwise, and `or` would keep only one.
            let apart = |(i, term): (usize, &&Term)| {
                let mut events = events(term, by, over);
                if is_above(term) {
                    // Of no events at all the share is not a number, and neither were any sum with it.
                    events.push_str(" >= 0");
                }
                format!("label_replace({events}, \"damper_term\", \"{i}\", \"\", \"\")")
            };
            let all: Vec<String> = several.iter().enumerate().map(apart).collect();
            aggregate("sum", by, &all.join(" or "))
        }
    }
}

fn is_above(term: &Term) -> bool {
    matches!(term.atom.counting, Counting::NativeAbove(_))
}

/// What is counted of each series; of a native histogram above a bound by these labels already.
fn events(term: &Term, by: &[&str], over: Span) -> String {
    let x = format!("{}[{over}]", term.atom.selector);
    let events = match &term.atom.counting {
        Counting::Counter => format!("increase({x})"),
        // A recorded sum falls when a member leaves, and that is no restart.
        Counting::Aggregated => format!("clamp_min(delta({x}), 0)"),
        Counting::GaugeSum => format!("sum_over_time({x})"),
        Counting::GaugeCount => format!("count_over_time({x})"),
        Counting::NativeCount => format!("histogram_count(increase({x}))"),
        Counting::NativeAbove(bound) => {
            let all = aggregate("sum", by, &format!("increase({x})"));
            format!("histogram_fraction({bound}, +Inf, {all}) * histogram_count({all})")
        }
    };
    format!("{}{events}", factor(term))
}

/// The share of slices whose value is not good.
fn timeslice(of: &Timeslice, over: Span, step: Span) -> String {
    let Timeslice { query, good, slice, reduce } = of;
    let value = match reduce {
        Reduce::Last => format!("({query})"),
        Reduce::Avg => format!("avg_over_time(({query})[{slice}:{step}])"),
        Reduce::Max => format!("max_over_time(({query})[{slice}:{step}])"),
        Reduce::Min => format!("min_over_time(({query})[{slice}:{step}])"),
    };
    format!("(1 - avg_over_time(({value} {} bool {})[{over}:{slice}]))", good.op, good.value)
}
