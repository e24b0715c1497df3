//! Burn rates, the budget that is left, and when it will be gone.
//!
//! `E(w) = Σbad / Σtotal`, `burn(w) = E(w) / b` with the budget `b = 1 − objective`
//! (Site Reliability Workbook, chapter 5). Nothing here divides by elapsed time.

use super::window::{Book, Counts};
use crate::slo::period::Period;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::{Events, Objective};

/// The burn rate of a window, or `None` where it holds no events.
pub fn burn(counts: &Counts, objective: Objective) -> Option<f64> {
    if counts.total <= Events::ZERO {
        return None;
    }
    Some(counts.bad.as_f64() / counts.total.as_f64() / objective.budget())
}

/// The error budget over the period.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Budget {
    /// What the period held so far.
    pub counts: Counts,
    /// `1 − Σbad / (b · Σtotal)`: 1 is untouched, 0 spent, below overspent; 1 where nothing happened.
    pub remaining: f64,
    /// The same if every slice that is missing, or not known whole, was all bad at the mean traffic.
    pub lowest: f64,
    /// The same if every missing slice was all good.
    pub highest: f64,
    /// Known share of the time since the SLO's first data, 0 to 1.
    pub coverage: f64,
}

/// The budget at `to`, or `None` while nothing of the period is known.
///
/// A calendar period that has not ended is judged against the traffic so far plus the rest at
/// the mean traffic, so that a bad first day is not an overspent month.
pub fn budget(book: &Book<'_>, objective: Objective, period: &Period, to: Ts) -> Option<Budget> {
    let begun = book.begun()?;
    budget_from(&held(book, period, to), begun, objective, period, to)
}

/// What the period that contains `to` held so far.
pub fn held(book: &Book<'_>, period: &Period, to: Ts) -> Counts {
    match period {
        Period::Rolling(span) => book.window(*span, to),
        Period::Calendar { .. } => book.since(period.bounds(to).0, to),
    }
}

/// The budget from what the period held, of data that begin at `begun`.
pub fn budget_from(
    counts: &Counts,
    begun: Ts,
    objective: Objective,
    period: &Period,
    to: Ts,
) -> Option<Budget> {
    let (_, end) = period.bounds(to);
    let counts = *counts;
    if counts.covered == 0 && counts.absent == 0 {
        return None;
    }
    let rest = counts.mean_traffic(end.since(to).secs());
    let expected = counts.total.plus(rest);
    let since = counts.to.since(counts.from.max(begun)).secs();
    let without = |known: i64| (since - known - counts.absent - counts.excluded).max(0);
    let (unseen, uncovered) = (counts.mean_traffic(without(counts.summed)), without(counts.covered));
    Some(Budget {
        counts,
        remaining: remaining(counts.bad, expected, objective),
        lowest: remaining(counts.bad.plus(counts.mean_traffic(uncovered)), expected.plus(unseen), objective),
        highest: remaining(counts.bad, expected.plus(unseen), objective),
        coverage: share(since - uncovered, since),
    })
}

/// How long the budget lasts at the burn rate of the last hour; `None` when it does not burn or is gone.
pub fn exhausts_in(budget: &Budget, hour: &Counts, objective: Objective, period: &Period) -> Option<Span> {
    exhausts_at(budget.remaining, burn(hour, objective)?, period)
}

/// The same for what is left and a burn rate.
pub fn exhausts_at(remaining: f64, rate: f64, period: &Period) -> Option<Span> {
    if rate <= 0.0 || remaining <= 0.0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds of at most 136 years")]
    let seconds = remaining * period.nominal().secs() as f64 / rate;
    #[expect(clippy::cast_possible_truncation, reason = "bounded by min")]
    let seconds = seconds.min(f64::from(u32::MAX)) as i64;
    Some(Span::from_secs_saturating(seconds))
}

fn remaining(bad: Events, total: Events, objective: Objective) -> f64 {
    if total <= Events::ZERO {
        return 1.0;
    }
    1.0 - bad.as_f64() / (objective.budget() * total.as_f64())
}

#[expect(clippy::cast_precision_loss, reason = "seconds of at most 136 years")]
fn share(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 1.0 } else { (part as f64 / whole as f64).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(bad: i64, total: i64, span: i64, covered: i64) -> Counts {
        Counts {
            from: Ts(0),
            to: Ts(span),
            bad: Events::whole(bad),
            total: Events::whole(total),
            covered,
            summed: covered,
            absent: 0,
            excluded: 0,
        }
    }

    #[test]
    fn a_burn_rate_is_the_error_ratio_over_the_budget() {
        let objective = "99.9".parse().unwrap();
        let rate = burn(&counts(144, 10_000, 3600, 3600), objective).unwrap();
        assert!((rate - 14.4).abs() < 1e-9, "{rate}");
        assert_eq!(burn(&counts(0, 0, 3600, 3600), objective), None);
    }

    #[test]
    fn exhaustion_follows_the_last_hour() {
        let objective = "99.9".parse().unwrap();
        let hour = counts(1, 1000, 3600, 3600);
        let period = Period::Rolling(Span::from_days(30));
        let budget = Budget { counts: hour, remaining: 0.5, lowest: 0.5, highest: 0.5, coverage: 1.0 };
        assert_eq!(exhausts_in(&budget, &hour, objective, &period), Some(Span::from_days(15)));
        let spent = Budget { remaining: -0.1, ..budget };
        assert_eq!(exhausts_in(&spent, &hour, objective, &period), None);
        assert_eq!(exhausts_in(&budget, &counts(0, 1000, 3600, 3600), objective, &period), None);
    }
}
