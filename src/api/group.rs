//! The group of an SLO that a request names by its labels.

use std::collections::BTreeSet;

use super::params::{Params, cut};
use super::problem::Problem;
use crate::engine::plan::Planned;
use crate::engine::step::groups;
use crate::engine::view::Look;
use crate::engine::words::pairs;
use crate::slo::listed::listed;
use crate::slo::model::Labels;
use crate::slo::nearest::nearest;

/// Groups, or values of a label, in one line.
const LISTED: usize = 10;

/// The group that is named by its labels; none of an SLO that is not grouped.
pub(super) fn group_of(params: &Params) -> Labels {
    params.with_prefix("group.").map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Whether an SLO has such a group; otherwise which it has.
pub(super) fn known_group(planned: &Planned, look: &Look<'_>, group: &Labels) -> Result<(), Problem> {
    let by: Vec<&str> = planned.slo.group_by.iter().flat_map(|by| &by.labels).map(String::as_str).collect();
    let known = groups(planned, look.ledger);
    if let Some(missing) = by.iter().find(|label| !group.contains_key(**label)) {
        let values: BTreeSet<&str> =
            known.iter().filter_map(|group| group.get(*missing)).map(String::as_str).collect();
        let wrong = format!("is needed, because this SLO is grouped by it; {}", there_are(values));
        return Err(Problem::parameter(&format!("group.{missing}"), wrong));
    }
    if let Some(extra) = group.keys().find(|label| !by.contains(&label.as_str())) {
        let grouped = match by.as_slice() {
            [] => "which is not grouped".to_owned(),
            by => format!("which is grouped by {}", by.join(", ")),
        };
        let wrong = format!("is no group label of this SLO, {grouped}");
        return Err(Problem::parameter(&format!("group.{extra}"), wrong));
    }
    if known.contains(&group) {
        return Ok(());
    }
    let names: Vec<String> = known.iter().map(|group| pairs(group)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let instead = match nearest(&pairs(group), &names) {
        Some(near) => format!("did you mean {}?", plain(near)),
        None => format!("{}.", there_are(names)),
    };
    Err(Problem::not_found(format!("`{}` has no group {}; {instead}", planned.id, plain(&pairs(group)))))
}

fn there_are<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(plain).collect();
    if names.is_empty() {
        "none is known yet".to_owned()
    } else {
        format!("there are: {}", listed(&names, LISTED))
    }
}

/// Values come from series, and go to terminals.
fn plain(text: &str) -> String {
    cut(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
