//! One SLO with its groups.

use serde::Serialize;
use utoipa::ToSchema;

use super::Look;
use super::alert::{GroupAlert, own_alerts};
use super::composite::{CompositeView, composite_standing, composite_unknown, composite_view};
use super::group::{GroupView, group_view};
use crate::engine::plan::Planned;
use crate::engine::status::Standing;
use crate::engine::step::{budget_of, groups, judge_group, objective_of};
use crate::engine::window::Book;
use crate::slo::model::{Labels, Sli};

/// Groups of one SLO that are listed; beyond it only those with the least budget left.
pub const MOST_GROUPS: usize = 50;

/// One SLO as it stands.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SloView {
    /// `service/name`.
    pub id: String,
    /// The service.
    pub service: String,
    /// The name within the service.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Objective in percent: `99.9`.
    pub objective: String,
    /// The period the budget is for: `28d`, or `calendar month, UTC`.
    pub window: String,
    /// The source asked; of a composite those of its parts, with commas between.
    pub source: String,
    /// Until when it was judged, in seconds since the epoch.
    pub at: i64,
    /// How it stands; of several groups the state that needs looking at first.
    pub state: Standing,
    /// Since when and why nothing is known, or a window that a rule needs is not; the numbers are those
    /// of `at`. Null while it is judged.
    pub unknown: Option<UnknownView>,
    /// `metadata.labels` of the definition.
    pub labels: Labels,
    /// Its groups, the least budget first; one without labels where it is not grouped.
    pub groups: Vec<GroupView>,
    /// Groups left out of the list.
    pub groups_folded: usize,
    /// Its ratio is an average over time: there are no event counts behind it.
    pub time_weighted: bool,
    /// What a composite is made of; null for every other SLO.
    pub composite: Option<CompositeView>,
    /// Alerts about the SLO as a whole: absent or unknown.
    pub alerts: Vec<GroupAlert>,
}

/// Why an SLO, or a rule of it, is not judged.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct UnknownView {
    /// Until when all was known, in seconds since the epoch.
    pub since: i64,
    /// What its query came to.
    pub why: String,
}

/// One SLO with at most [`MOST_GROUPS`] groups.
pub fn slo_view(planned: &Planned, look: &Look<'_>) -> SloView {
    let slo = &planned.slo;
    let all = groups(planned, look.ledger);
    let shown = worst_first(planned, all.clone(), look);
    let groups: Vec<GroupView> = shown.iter().filter_map(|group| group_view(planned, group, look)).collect();
    SloView {
        id: planned.id.clone(),
        service: slo.id.service.clone(),
        name: slo.id.name.clone(),
        description: slo.description.clone(),
        objective: slo.objective.to_string().trim_end_matches('%').to_owned(),
        window: slo.period.to_string(),
        source: planned.sources().join(","),
        at: look.at.0,
        state: standing_of(planned, look),
        unknown: look
            .observed
            .unanswered
            .get(&planned.id)
            .map(|unanswered| UnknownView { since: unanswered.since.0, why: unanswered.why.clone() })
            .or_else(|| composite_unknown(planned, look)),
        labels: slo.labels.clone(),
        groups_folded: all.len().saturating_sub(groups.len()),
        groups,
        time_weighted: matches!(slo.sli, Sli::Direct { .. }),
        composite: composite_view(planned, look),
        alerts: own_alerts(planned, look.control),
    }
}

/// How an SLO stands over all its groups: of several states the one that needs looking at first.
pub fn standing_of(planned: &Planned, look: &Look<'_>) -> Standing {
    if look.observed.unanswered.contains_key(&planned.id) {
        return Standing::Unknown;
    }
    if let Some(standing) = composite_standing(planned, look) {
        return standing;
    }
    let none = Labels::new();
    let mut groups = groups(planned, look.ledger);
    if groups.is_empty() {
        groups.push(&none);
    }
    groups
        .into_iter()
        .filter_map(|group| {
            let book = Book::of(look.ledger, planned, group)?;
            Some(judge_group(planned, group, &book, look.observed, look.at).standing)
        })
        .min_by_key(|standing| urgency(*standing))
        .unwrap_or(Standing::Unknown)
}

/// One group that counts proves the query of all, so `Unproven` comes after `Ok`.
fn urgency(standing: Standing) -> u8 {
    match standing {
        Standing::BadNotPartOfTotal => 0,
        Standing::Unknown => 1,
        Standing::Absent => 2,
        Standing::Ok => 3,
        Standing::NoErrors => 4,
        Standing::Unproven => 5,
        Standing::Idle => 6,
    }
}

/// The groups with the least budget left; those without a known budget last.
fn worst_first<'a>(planned: &Planned, groups: Vec<&'a Labels>, look: &Look<'_>) -> Vec<&'a Labels> {
    if groups.len() < 2 {
        return groups;
    }
    let left = |group: &Labels| {
        let book = Book::of(look.ledger, planned, group)?;
        let objective = objective_of(&planned.slo, group);
        Some(budget_of(planned, &book, objective, look.at)?.remaining)
    };
    let mut ranked: Vec<(f64, &Labels)> =
        groups.into_iter().map(|group| (left(group).unwrap_or(f64::INFINITY), group)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
    ranked.into_iter().take(MOST_GROUPS).map(|(_, group)| group).collect()
}
