//! The histogram of a `latency` SLI: what it is called, which observations count, and what is bad.
//!
//! | errors are | total                | bad, classic buckets                    | bad, native histogram        |
//! |------------|----------------------|-----------------------------------------|------------------------------|
//! | counted    | all                  | all − answered in time                  | answered late                |
//! | excluded   | non-errors           | non-errors − non-errors in time         | non-errors answered late     |
//! | bad        | all                  | all − non-errors in time                | errors + non-errors late     |

use super::field::{Field, Section};
use super::linear::{self, ONCE, atom};
use super::queries;
use crate::slo::model::Sli;
use crate::slo::problem::Report;
use crate::slo::promql;
use crate::slo::query::{Atom, Counting, MatchOp, Matcher, Selector};

#[derive(Clone, Copy, PartialEq, Eq)]
enum ErrorsAre {
    Bad,
    Excluded,
    Counted,
}

/// The histogram and which of its observations count.
pub(super) struct Histogram {
    name: String,
    native: bool,
    all: Selector,
    /// What errors are, all of them and all others; `None` where errors are like everything else.
    errors: Option<(ErrorsAre, Selector, Selector)>,
}

impl Histogram {
    /// Bad is what took longer than `bound`, a plain decimal in the histogram's unit.
    pub(super) fn slower_than(&self, bound: &str) -> Option<Sli> {
        let above = |s: &Selector| self.above(s, bound);
        let in_time = |s: &Selector| self.bucket(s, bound);
        let all = self.count(&self.all);
        let (bad, total) = match (&self.errors, self.native) {
            (None, true) => (vec![(ONCE, above(&self.all))], all),
            (None, false) => (vec![(ONCE, all.clone()), (-ONCE, in_time(&self.all)?)], all),
            (Some((ErrorsAre::Bad, errors, others)), true) => {
                (vec![(ONCE, self.count(errors)), (ONCE, above(others))], all)
            }
            (Some((ErrorsAre::Bad, _, others)), false) => {
                (vec![(ONCE, all.clone()), (-ONCE, in_time(others)?)], all)
            }
            (Some((_, _, others)), true) => (vec![(ONCE, above(others))], self.count(others)),
            (Some((_, _, others)), false) => {
                (vec![(ONCE, self.count(others)), (-ONCE, in_time(others)?)], self.count(others))
            }
        };
        Some(Sli::Counted { bad: linear::sum(bad)?, total: linear::sum([(ONCE, total)])? })
    }

    fn count(&self, selector: &Selector) -> Atom {
        if self.native {
            return atom(self.named(selector, ""), Counting::NativeCount);
        }
        atom(self.named(selector, "_count"), Counting::Counter)
    }

    fn above(&self, selector: &Selector, bound: &str) -> Atom {
        atom(self.named(selector, ""), Counting::NativeAbove(bound.to_owned()))
    }

    fn bucket(&self, selector: &Selector, bound: &str) -> Option<Atom> {
        // A bound is a plain decimal, which the reader of bounds never refuses.
        let le = promql::bucket_bound_regex(bound).ok()?;
        Some(atom(with(&self.named(selector, "_bucket"), le), Counting::Counter))
    }

    fn named(&self, selector: &Selector, suffix: &str) -> Selector {
        Selector { metric: format!("{}{suffix}", self.name), matchers: selector.matchers.clone() }
    }
}

/// Reads all of the SLI that is about the histogram.
pub(super) fn read(section: &Section<'_>, report: &mut Report) -> Option<Histogram> {
    let name = section.require("histogram", "the histogram's name without _bucket", report);
    let name = name.and_then(|f| histogram_name(&f, report));
    let native = section.field("native").map_or(Some(false), |f| f.flag(report));
    let words = [("bad", ErrorsAre::Bad), ("excluded", ErrorsAre::Excluded), ("counted", ErrorsAre::Counted)];
    let errors_are =
        section.field("errorsAre").map_or(Some(ErrorsAre::Counted), |f| f.choice(&words, report));
    let metric = name.as_deref().unwrap_or("x");
    let all = match section.field("selector") {
        Some(field) => matchers(metric, &field, report),
        None => Some(Selector { metric: metric.to_owned(), matchers: Vec::new() }),
    };
    let errors = errors(section, errors_are, all.as_ref(), report);
    Some(Histogram { name: name?, native: native?, all: all?, errors: errors? })
}

/// Matchers that do not name a bucket: those are for `within` to choose.
fn matchers(metric: &str, field: &Field<'_>, report: &mut Report) -> Option<Selector> {
    let selector = queries::matchers(metric, field, report)?;
    if selector.matchers.iter().any(|m| m.label == "le") {
        let hint = "remove it; `within` chooses the bucket".to_owned();
        report.error(field.at(), format!("`{}` must not match `le`", field.path), Some(hint));
        return None;
    }
    Some(selector)
}

fn histogram_name(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    if let Some(base) = ["_bucket", "_count", "_sum"].iter().find_map(|s| text.strip_suffix(s)) {
        report.error(
            field.at(),
            format!("`{}` names a part of a histogram", field.path),
            Some(format!("write {base}")),
        );
        return None;
    }
    if text.contains(':') {
        let hint = "use sli.events with counter: aggregated and the recorded buckets".to_owned();
        report.error(
            field.at(),
            format!("`{}` names a recorded sum, whose resets are not real", field.path),
            Some(hint),
        );
        return None;
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if text.is_empty()
        || text.starts_with(|c: char| c.is_ascii_digit())
        || !text.bytes().all(plain)
        || text.len() > 512
    {
        let hint = "a metric name, such as http_request_duration_seconds; label matchers go to `selector`";
        report.error(field.at(), format!("`{}` is not a metric name", field.path), Some(hint.into()));
        return None;
    }
    Some(text.to_owned())
}

/// `Some(None)` where errors are like everything else.
#[expect(clippy::option_option, reason = "outer: readable; inner: set apart")]
fn errors(
    section: &Section<'_>,
    are: Option<ErrorsAre>,
    all: Option<&Selector>,
    report: &mut Report,
) -> Option<Option<(ErrorsAre, Selector, Selector)>> {
    let are = are?;
    if are == ErrorsAre::Counted {
        if let Some(field) = section.field("errors") {
            let hint = "say errorsAre: bad or errorsAre: excluded, or remove it".to_owned();
            report.error(
                field.at(),
                "`errors` has no effect: errors are counted like everything else",
                Some(hint),
            );
        }
        return Some(None);
    }
    let field =
        section.require("errors", "label matchers that select errors, such as 'code=~\"5..\"'", report)?;
    let extra = matchers("x", &field, report)?;
    let [matcher] = extra.matchers.as_slice() else {
        let hint = "use one matcher, such as code=~\"5..|429\"; the rest belongs into `selector`".to_owned();
        report.error(
            field.at(),
            "`errors` must be exactly one label matcher, because its opposite is needed",
            Some(hint),
        );
        return None;
    };
    let all = all?;
    Some(Some((are, with(all, matcher.clone()), with(all, opposite(matcher)))))
}

/// What a matcher does not select, exactly.
fn opposite(matcher: &Matcher) -> Matcher {
    let op = match matcher.op {
        MatchOp::Equal => MatchOp::NotEqual,
        MatchOp::NotEqual => MatchOp::Equal,
        MatchOp::Regex => MatchOp::NotRegex,
        MatchOp::NotRegex => MatchOp::Regex,
    };
    Matcher { op, ..matcher.clone() }
}

/// The selector with one more matcher, in canonical order.
fn with(selector: &Selector, matcher: Matcher) -> Selector {
    let mut selector = selector.clone();
    selector.matchers.push(matcher);
    selector.matchers.sort();
    selector.matchers.dedup();
    selector
}
