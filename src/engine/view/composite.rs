//! A composite, for people: its numbers, and what it is made of.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::Look;
use super::alert::group_alerts;
use super::counts::{CountsView, windows};
use super::group::{BudgetInterval, GroupView};
use super::pooled::Pooled;
use super::slo::UnknownView;
use crate::engine::composite::{Seen, Value, Whole};
use crate::engine::plan::{Parts, Planned};
use crate::engine::status::Standing;
use crate::engine::step::judge_composite;
use crate::slo::model::Labels;
use crate::slo::time::Span;

/// What a composite is made of.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompositeView {
    /// How error ratios become one: `worst` or `weighted`.
    #[serde(rename = "as")]
    pub how: String,
    /// Its parts, in the order of the definition.
    pub of: Vec<PartView>,
}

/// One part of a composite.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartView {
    /// `service/name`.
    pub slo: String,
    /// The one group that counts; empty where all of its groups do.
    pub labels: Labels,
    /// Its share of all weights, 0 to 1; 1 for each part of `worst`.
    pub weight: f64,
    /// How it stands.
    pub state: Standing,
    /// Burn rate by window against the budget of the composite; null while unknown.
    pub burn: BTreeMap<String, Option<f64>>,
    /// Why nothing is known of it; null while something is.
    pub unknown: Option<String>,
}

/// The numbers of a composite, as those of an SLO without groups; `None` where it is none.
pub(super) fn composite_group(planned: &Planned, look: &Look<'_>) -> Option<GroupView> {
    let slo = &planned.slo;
    let whole = whole(planned, look)?;
    let judged = judge_composite(planned, &whole);
    let (mut burn, mut counts) = (BTreeMap::new(), BTreeMap::new());
    for window in windows(planned) {
        let seen = whole.seen(window);
        burn.insert(window.to_string(), burn_of(seen.ratio, slo.objective.budget()));
        counts.insert(window.to_string(), counts_of(&seen));
    }
    let left = whole.left(slo.objective);
    Some(GroupView {
        labels: Labels::new(),
        state: judged.standing,
        objective: slo.objective.to_string().trim_end_matches('%').to_owned(),
        budget_remaining: left.map(|left| left.remaining),
        budget_interval: left.map(|left| BudgetInterval { low: left.lowest, high: left.highest }),
        budget_coverage: left.map(|left| left.coverage),
        burn,
        counts,
        exhausts_in: left.and_then(|left| left.exhausts_in).map(Span::secs),
        coverage: whole.seen(Span::from_mins(5)).coverage,
        alerts: group_alerts(planned, &Labels::new(), look.control),
    })
}

/// What a composite is made of; `None` where the SLO is none.
pub(super) fn composite_view(planned: &Planned, look: &Look<'_>) -> Option<CompositeView> {
    let of = planned.parts.as_ref()?;
    let whole = whole(planned, look)?;
    let budget = planned.slo.objective.budget();
    let seen: Vec<(Span, Seen)> = windows(planned).into_iter().map(|w| (w, whole.seen(w))).collect();
    let parts = of.parts.iter().zip(whole.standings()).enumerate();
    let part =
        |(i, (part, (state, why))): (usize, (&crate::engine::plan::PlannedPart, (_, Option<&str>)))| {
            let burn = seen.iter().filter_map(|(window, seen)| {
                Some((window.to_string(), burn_of(*seen.parts.get(i)?, budget)))
            });
            PartView {
                slo: part.named.slo.to_string(),
                labels: part.named.group.clone().unwrap_or_default(),
                weight: part.share(of),
                state,
                burn: burn.collect(),
                unknown: why.map(str::to_owned),
            }
        };
    Some(CompositeView { how: how(of), of: parts.map(part).collect() })
}

/// Since when and why not all is known of a composite.
pub(super) fn composite_unknown(planned: &Planned, look: &Look<'_>) -> Option<UnknownView> {
    let whole = whole(planned, look)?;
    let why = whole.why()?;
    Some(UnknownView { since: whole.known_until().unwrap_or(look.at).min(look.at).0, why })
}

/// How a composite stands; `None` where the SLO is none.
pub(super) fn composite_standing(planned: &Planned, look: &Look<'_>) -> Option<Standing> {
    Some(whole(planned, look)?.standing())
}

/// Burn rates and budget of a composite, for metrics.
pub(super) fn composite_pooled(planned: &Planned, look: &Look<'_>) -> Option<Pooled> {
    let whole = whole(planned, look)?;
    let budget = planned.slo.objective.budget();
    let burn = windows(planned).into_iter().map(|window| (window, burn_of(whole.seen(window).ratio, budget)));
    let burn = burn.collect();
    Some(Pooled { burn, budget_remaining: whole.left(planned.slo.objective).map(|left| left.remaining) })
}

fn whole<'a>(planned: &'a Planned, look: &Look<'a>) -> Option<Whole<'a>> {
    Whole::read(planned, look.ledger, look.observed, look.at)
}

fn how(of: &Parts) -> String {
    of.how.as_str().to_owned()
}

fn burn_of(ratio: Value, budget: f64) -> Option<f64> {
    match ratio {
        Value::Ratio(ratio) => Some(ratio / budget),
        Value::Idle => Some(0.0),
        Value::Unknown => None,
    }
}

/// There are no event counts behind it.
fn counts_of(seen: &Seen) -> CountsView {
    let excluded = (seen.excluded > 0).then_some(seen.excluded);
    CountsView { bad: None, total: None, coverage: seen.coverage, excluded, from: seen.from.0, to: seen.to.0 }
}
