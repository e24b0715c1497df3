//! Sums of counted selectors: building them, and one minus another.

use std::collections::BTreeMap;

use crate::slo::query::{Atom, Counting, Linear, Selector, Term};

/// One event counts once.
pub(super) const ONCE: i64 = 1_000_000;

/// Weighted atoms in canonical form; `None` when nothing is left or a weight overflows.
pub(super) fn sum(terms: impl IntoIterator<Item = (i64, Atom)>) -> Option<Linear> {
    let mut weights: BTreeMap<Atom, i64> = BTreeMap::new();
    for (weight, atom) in terms {
        let entry = weights.entry(atom).or_default();
        *entry = entry.checked_add(weight)?;
    }
    let terms: Vec<Term> =
        weights.into_iter().filter(|(_, w)| *w != 0).map(|(atom, weight)| Term { weight, atom }).collect();
    (!terms.is_empty()).then_some(Linear { terms })
}

/// `a − b`; `None` when nothing is left.
pub(super) fn minus(a: &Linear, b: &Linear) -> Option<Linear> {
    let plus = a.terms.iter().map(|t| (t.weight, t.atom.clone()));
    let less = b.terms.iter().map(|t| (t.weight.saturating_neg(), t.atom.clone()));
    sum(plus.chain(less))
}

/// A counter's or histogram's events.
pub(super) fn atom(selector: Selector, counting: Counting) -> Atom {
    Atom { selector, counting }
}
