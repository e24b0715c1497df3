//! What a composite shows: ratios, coverage, what is left of its budget, and whose fault it is.

use super::Whole;
use super::ratio::combined;
use super::read::{Read, Value};
use crate::engine::burn::{Budget, budget_from, exhausts_at};
use crate::engine::status::Standing;
use crate::engine::window::Counts;
use crate::slo::composite::Combine;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Objective;

/// One window.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    /// The error ratio of all parts together; unknown while that of any part is.
    pub ratio: Value,
    /// The least that it is by what is known: unknown parts are read as without errors.
    pub least: f64,
    /// Known share of the window, of the part of which least is known.
    pub coverage: f64,
    /// Seconds that were taken out by hand, of the part of which most were.
    pub excluded: i64,
    /// The real old edge.
    pub from: Ts,
    /// The new edge.
    pub to: Ts,
    /// What each part says, in their order.
    pub parts: Vec<Value>,
}

/// The error budget over the period.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Left {
    /// `1 − E(P) / b`: of `worst` the least of the parts', of `weighted` their weighted mean, each by the
    /// objective and the period of the composite.
    pub remaining: f64,
    /// The same if all that is missing was bad.
    pub lowest: f64,
    /// The same if all that is missing was good.
    pub highest: f64,
    /// Known share of the time since the first data, of the part of which least is known.
    pub coverage: f64,
    /// How long it lasts at the burn of the last hour; `None` when it does not burn, or is gone.
    pub exhausts_in: Option<Span>,
}

const HOUR: Span = Span::from_hours(1);

impl Whole<'_> {
    /// The window of this nominal length that ends now.
    pub fn seen(&self, window: Span) -> Seen {
        let counts: Vec<Counts> = self.parts.iter().map(|part| part.window(window)).collect();
        self.show(&counts)
    }

    /// The same as a rule is held to it: parts with too few bad events are read as without errors.
    pub fn held_to(&self, window: Span, counting: &[bool]) -> Seen {
        let seen = self.seen(window);
        let ratio = |(value, counts): (&Value, &bool)| match value {
            Value::Ratio(ratio) if *counts => *ratio,
            _ => 0.0,
        };
        Seen { least: combined(self.of, seen.parts.iter().zip(counting).map(ratio)), ..seen }
    }

    /// The window `(from, to]`, whose old edge is one that the ledger has.
    pub fn between(&self, from: Ts, to: Ts) -> Seen {
        let counts: Vec<Counts> = self.parts.iter().map(|part| part.between(from, to)).collect();
        self.show(&counts)
    }

    /// How each part stands, with why nothing is known of it where that is so.
    pub fn standings(&self) -> impl Iterator<Item = (Standing, Option<&str>)> {
        self.parts.iter().map(|part| (part.standing, Some(part.why.as_str()).filter(|why| !why.is_empty())))
    }

    /// Where the data of all parts begin.
    pub fn begun(&self) -> Option<Ts> {
        self.parts.iter().map(|part| part.has_begun()).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// The error budget now; `None` while nothing of the period is known of some part.
    pub fn left(&self, objective: Objective) -> Option<Left> {
        let period = &self.planned.slo.period;
        let budgets = self.budgets(objective, self.at)?;
        let burns = self.parts.iter().map(|part| {
            let hour = part.window(HOUR);
            match part.value(&hour) {
                Value::Ratio(ratio) => ratio / objective.budget(),
                Value::Idle | Value::Unknown => 0.0,
            }
        });
        let burns: Vec<f64> = burns.collect();
        let all = |of: fn(&Budget) -> f64| self.together(budgets.iter().map(of));
        let exhausts_in = match self.of.how {
            // The first that is gone is the worst by then.
            Combine::Worst => {
                let each = budgets.iter().zip(&burns);
                let is_gone = budgets.iter().any(|budget| budget.remaining <= 0.0);
                let first = each.filter_map(|(left, burn)| exhausts_at(left.remaining, *burn, period)).min();
                first.filter(|_| !is_gone)
            }
            Combine::Weighted => {
                exhausts_at(all(|left| left.remaining), combined(self.of, burns.into_iter()), period)
            }
        };
        Some(Left {
            remaining: all(|left| left.remaining),
            lowest: all(|left| left.lowest),
            highest: all(|left| left.highest),
            coverage: budgets.iter().map(|left| left.coverage).fold(1.0, f64::min),
            exhausts_in,
        })
    }

    /// What was left of the budget at another moment.
    pub fn left_at(&self, objective: Objective, at: Ts) -> Option<f64> {
        let budgets = self.budgets(objective, at)?;
        Some(self.together(budgets.iter().map(|left| left.remaining)))
    }

    fn budgets(&self, objective: Objective, at: Ts) -> Option<Vec<Budget>> {
        let period = &self.planned.slo.period;
        let of =
            |part: &Read<'_>| budget_from(&part.held(period, at), part.has_begun()?, objective, period, at);
        self.parts.iter().map(of).collect()
    }

    /// Budgets as one: they fall as error ratios rise.
    fn together(&self, remaining: impl Iterator<Item = f64>) -> f64 {
        -combined(self.of, remaining.map(|left| -left))
    }

    fn show(&self, counts: &[Counts]) -> Seen {
        let parts: Vec<Value> =
            self.parts.iter().zip(counts).map(|(part, counts)| part.value(counts)).collect();
        let known = parts.iter().map(|value| match value {
            Value::Ratio(ratio) => *ratio,
            Value::Idle | Value::Unknown => 0.0,
        });
        let least = combined(self.of, known);
        let ratio = match () {
            () if parts.contains(&Value::Unknown) => Value::Unknown,
            () if parts.iter().all(|value| *value == Value::Idle) => Value::Idle,
            () => Value::Ratio(least),
        };
        Seen {
            ratio,
            least,
            coverage: counts.iter().map(Counts::coverage).fold(1.0, f64::min),
            excluded: counts.iter().map(|counts| counts.excluded).max().unwrap_or_default(),
            from: counts.iter().map(|counts| counts.from).min().unwrap_or(self.at),
            to: counts.iter().map(|counts| counts.to).max().unwrap_or(self.at),
            parts,
        }
    }
}
