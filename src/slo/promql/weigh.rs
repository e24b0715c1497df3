//! A sum while it is being read: atoms with weights, and the form they are written in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::query::{Atom, Linear, Term};
use super::Form;
use super::refusal::Refusal;

/// One, in the unit of weights.
const ONE: f64 = 1e6;
/// The largest weight: beyond it thousandths of events would no longer fit.
const LARGEST: f64 = 1e6;
/// How far, in millionths, decimal arithmetic in binary may stray: 0.1 + 0.2 is not 0.3.
const STRAY: f64 = 1e-3;

/// A weighted sum, all of one form.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Sum {
    /// Weights by atom; a zero is kept until the end.
    pub(super) terms: BTreeMap<Atom, f64>,
    /// How all of it is written.
    pub(super) form: Form,
    /// The one range of `increase` and its like, whose length is part of the value.
    range: Option<Duration>,
}

impl Sum {
    /// One atom, counted once.
    pub(super) fn of(atom: Atom, form: Form, range: Duration) -> Self {
        let range = (form == Form::PerWindow).then_some(range);
        Self { terms: BTreeMap::from([(atom, 1.0)]), form, range }
    }

    /// The same sum with other atoms.
    pub(super) fn with_terms(self, terms: BTreeMap<Atom, f64>) -> Self {
        Self { terms, ..self }
    }

    /// Every weight times a factor.
    pub(super) fn scaled(mut self, factor: f64) -> Self {
        self.terms.values_mut().for_each(|weight| *weight *= factor);
        self
    }

    /// Both together; refused where that adds events of a window to events per second.
    pub(super) fn plus(mut self, other: Self) -> Result<Self, Refusal> {
        if self.form != other.form {
            return Err(Refusal::mistake(
                format!("{} and {} are added in one query", spoken(self.form), spoken(other.form)),
                "use rate for all of it, or write plain selectors and leave rates and windows to Damper",
            ));
        }
        if self.range != other.range {
            return Err(Refusal::mistake(
                "counts over ranges of different lengths are added in one query",
                "use one range, {{.window}}, for all of it",
            ));
        }
        for (atom, weight) in other.terms {
            *self.terms.entry(atom).or_default() += weight;
        }
        Ok(self)
    }

    /// The finished sum: weights in millionths, none of them zero.
    pub(super) fn finish(self) -> Result<Linear, Refusal> {
        let mut terms = Vec::with_capacity(self.terms.len());
        for (atom, weight) in self.terms {
            match millionths(weight) {
                Some(0) => {}
                Some(weight) => terms.push(Term { weight, atom }),
                None => {
                    return Err(Refusal::not_additive(
                        format!("the weight {weight} is not a number of millionths up to {LARGEST}"),
                        "use a factor with at most six decimals",
                    ));
                }
            }
        }
        if terms.is_empty() {
            return Err(Refusal::mistake(
                "nothing is left to count: the terms cancel, or are multiplied by zero",
                "name the series whose events are to be counted",
            ));
        }
        Ok(Linear { terms })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "range checked first")]
fn millionths(weight: f64) -> Option<i64> {
    let scaled = weight * ONE;
    let whole = scaled.round();
    (weight.abs() <= LARGEST && (scaled - whole).abs() <= STRAY).then_some(whole as i64)
}

fn spoken(form: Form) -> &'static str {
    match form {
        Form::Plain => "plain selectors (a counter's whole life)",
        Form::PerSecond => "rate (events per second)",
        Form::PerWindow => "increase or a sum over time (events of a window)",
    }
}
