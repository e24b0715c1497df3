//! From the ledger to how the SLOs of a policy burn.

use super::observed::{Burn, Burning, Part};
use crate::engine::alert::Subject;
use crate::engine::plan::Planned;
use crate::engine::status::Standing;
use crate::engine::step::{budget_of, groups, judge_group, objective_of};
use crate::engine::view::{Look, pooled};
use crate::engine::window::Book;
use crate::slo::model::{Labels, Severity};
use crate::slo::policy::{Watched, Windows};
use crate::slo::unit::Finite;

/// How a watched SLO burns at `look.at`; `planned` is `None` where it is not in force.
///
/// Nothing is known of it while its query has no answer, its total is absent, or one of the groups
/// that are pooled cannot be read: replicas must not go away for what nobody saw. An SLO that is
/// idle burns nothing.
pub fn burn_of(watched: &Watched, windows: Windows, planned: Option<&Planned>, look: &Look<'_>) -> Burn {
    let slo = watched.slo.to_string();
    let known = planned.and_then(|planned| burning(watched, windows, planned, look));
    let pages = planned.is_some_and(|planned| pages(watched, planned, look));
    Burn { slo, known, pages }
}

fn burning(watched: &Watched, windows: Windows, planned: &Planned, look: &Look<'_>) -> Option<Burning> {
    if look.observed.unanswered.contains_key(&planned.id) || !planned.direct.is_empty() {
        return None;
    }
    let all = match &watched.group {
        Some(group) => vec![group],
        None => groups(planned, look.ledger),
    };
    let parts = all.iter().map(|group| part(group, windows, planned, look)).collect::<Option<Vec<_>>>()?;
    let budget_left = match &watched.group {
        Some(group) => {
            let book = Book::open(look.ledger, &planned.bad, &planned.total, group)?;
            budget_of(planned, &book, objective_of(&planned.slo, group), look.at).map(|left| left.remaining)
        }
        None => pooled(planned, look).budget_remaining,
    };
    Some(Burning { parts, budget_left: budget_left.and_then(Finite::new) })
}

fn part(group: &Labels, windows: Windows, planned: &Planned, look: &Look<'_>) -> Option<Part> {
    let book = Book::open(look.ledger, &planned.bad, &planned.total, group)?;
    let standing = judge_group(planned, group, &book, look.observed, look.at).standing;
    let is_known =
        matches!(standing, Standing::Ok | Standing::Idle | Standing::NoErrors | Standing::Unproven);
    let of = |window| book.window(window, look.at);
    is_known.then(|| Part {
        objective: objective_of(&planned.slo, group),
        short: of(windows.short),
        long: of(windows.long),
    })
}

fn pages(watched: &Watched, planned: &Planned, look: &Look<'_>) -> bool {
    let mut alerts = look.control.of_slo(&planned.id).into_iter().flatten();
    let is_ours = |subject: &Subject| match subject {
        Subject::Burn { group, .. } => watched.group.as_ref().is_none_or(|own| own == group),
        _ => false,
    };
    alerts
        .any(|(key, state)| key.severity == Severity::Page && state.firing.is_some() && is_ours(&key.subject))
}
