//! One SLO over all its groups, for metrics whose number must not grow with the groups. Of a composite
//! what it shows.

use super::Look;
use super::composite::composite_pooled;
use super::counts::windows;
use crate::engine::plan::Planned;
use crate::engine::step::{budget_of, groups, objective_of};
use crate::engine::window::Book;
use crate::slo::time::Span;
use crate::slo::unit::Events;

/// One SLO over all its groups.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Pooled {
    /// `Σbad / Σ(b · total)` over the groups, by window; with one objective for all it is the burn
    /// rate of the summed counts. `None` without events.
    pub burn: Vec<(Span, Option<f64>)>,
    /// The groups' budgets weighted by what each may spend, which is the budget of the summed counts.
    /// `None` while none is known.
    pub budget_remaining: Option<f64>,
}

/// Sums over the groups of one SLO.
pub fn pooled(planned: &Planned, look: &Look<'_>) -> Pooled {
    if let Some(pooled) = composite_pooled(planned, look) {
        return pooled;
    }
    let books: Vec<(f64, Book<'_>)> = groups(planned, look.ledger)
        .into_iter()
        .filter_map(|group| {
            let book = Book::of(look.ledger, planned, group)?;
            Some((objective_of(&planned.slo, group).budget(), book))
        })
        .collect();
    let burn = windows(planned)
        .into_iter()
        .map(|window| {
            let (mut bad, mut may, mut known) = (0.0, 0.0, false);
            for (budget, book) in &books {
                let counts = book.window(window, look.at);
                bad += counts.bad.as_f64();
                may += budget * counts.total.as_f64();
                known |= counts.covered > 0;
            }
            (window, if may > 0.0 { Some(bad / may) } else { known.then_some(0.0) })
        })
        .collect();
    Pooled { burn, budget_remaining: budget(planned, look) }
}

fn budget(planned: &Planned, look: &Look<'_>) -> Option<f64> {
    let (mut weighted, mut weights, mut known) = (0.0, 0.0, false);
    for group in groups(planned, look.ledger) {
        let objective = objective_of(&planned.slo, group);
        let book = Book::of(look.ledger, planned, group)?;
        let Some(budget) = budget_of(planned, &book, objective, look.at) else { continue };
        known = true;
        if budget.counts.total > Events::ZERO {
            let weight = objective.budget() * budget.counts.total.as_f64();
            weighted += weight * budget.remaining;
            weights += weight;
        }
    }
    if weights > 0.0 { Some(weighted / weights) } else { known.then_some(1.0) }
}
