//! One SLO and group: how it stands, what its windows say, what is left of its budget.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::Look;
use super::alert::{GroupAlert, group_alerts};
use super::composite::composite_group;
use super::counts::{CountsView, shown_burn, windows};
use crate::engine::burn::exhausts_in;
use crate::engine::plan::Planned;
use crate::engine::status::Standing;
use crate::engine::step::{JudgedGroup, JudgedRule, budget_of, judge_group, objective_of};
use crate::engine::window::Book;
use crate::slo::model::{Labels, Sli};
use crate::slo::time::Span;

/// One SLO and group.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    /// The group's label values; empty without grouping.
    pub labels: Labels,
    /// How it stands.
    pub state: Standing,
    /// Objective of this group in percent: `99.9`.
    pub objective: String,
    /// Error budget left over the period: 1 is untouched, 0 spent, below overspent; null while unknown.
    pub budget_remaining: Option<f64>,
    /// Where the budget lies whatever the missing slices held; null while unknown.
    pub budget_interval: Option<BudgetInterval>,
    /// Known share of the period since the first data, 0 to 1; null while unknown.
    pub budget_coverage: Option<f64>,
    /// Burn rate by window, such as `5m`: 1 spends exactly the budget over the period; null while unknown.
    pub burn: BTreeMap<String, Option<f64>>,
    /// What the windows held.
    pub counts: BTreeMap<String, CountsView>,
    /// Seconds until the budget is gone at the burn of the last hour; null when it does not burn, is gone or unknown.
    pub exhausts_in: Option<i64>,
    /// Known share of the last five minutes, 0 to 1.
    pub coverage: f64,
    /// Alerts about this group.
    pub alerts: Vec<GroupAlert>,
}

/// The budget if every missing slice was bad, and if every one was good.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, ToSchema)]
pub struct BudgetInterval {
    /// All bad.
    pub low: f64,
    /// All good.
    pub high: f64,
}

pub(super) fn group_view(planned: &Planned, group: &Labels, look: &Look<'_>) -> Option<GroupView> {
    if planned.parts.is_some() {
        return composite_group(planned, look);
    }
    let book = Book::of(look.ledger, planned, group)?;
    let slo = &planned.slo;
    let objective = objective_of(slo, group);
    let judged = judge_group(planned, group, &book, look.observed, look.at);
    let time_weighted = matches!(slo.sli, Sli::Direct { .. });
    let mut burn = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for window in windows(planned) {
        let held = book.window(window, look.at);
        let rate = match direct_burn(planned, &judged, window) {
            Some(asked) => asked,
            None => shown_burn(&held, objective, judged.standing),
        };
        burn.insert(window.to_string(), rate);
        counts.insert(window.to_string(), CountsView::of(&held, time_weighted));
    }
    let budget = budget_of(planned, &book, objective, look.at);
    let hour = book.window(Span::from_hours(1), look.at);
    // The numbers are those of the last time it was judged; how it stands now nobody knows.
    let unanswered = look.observed.unanswered.contains_key(&planned.id);
    Some(GroupView {
        labels: group.clone(),
        state: if unanswered { Standing::Unknown } else { judged.standing },
        objective: objective.to_string().trim_end_matches('%').to_owned(),
        budget_remaining: budget.map(|b| b.remaining),
        budget_interval: budget.map(|b| BudgetInterval { low: b.lowest, high: b.highest }),
        budget_coverage: budget.map(|b| b.coverage),
        burn,
        counts,
        exhausts_in: budget.and_then(|b| exhausts_in(&b, &hour, objective, &slo.period)).map(Span::secs),
        coverage: book.window(Span::from_mins(5), look.at).coverage(),
        alerts: group_alerts(planned, group, look.control),
    })
}

/// A window that is asked directly is shown as its rule saw it: `Some(None)` while it has no fresh answer.
fn direct_burn(planned: &Planned, judged: &JudgedGroup, window: Span) -> Option<Option<f64>> {
    planned.slo.alerting.rules.iter().zip(&judged.rules).find_map(|(rule, judged)| match judged {
        JudgedRule::Direct { long, .. } if rule.long == window => Some(*long),
        JudgedRule::Direct { short, .. } if rule.short == Some(window) => Some(*short),
        _ => None,
    })
}
