//! A group that a composite or a policy names: its SLO must have it.

use std::collections::BTreeSet;

use super::LISTED;
use super::ask::{Server, Trouble};
use super::events::is_native;
use super::groups::grouped;
use super::select::held;
use crate::cli::check::place::Findings;
use crate::engine::ledger;
use crate::engine::words::pairs;
use crate::slo::listed::listed;
use crate::slo::model::{Labels, Overflow, Sli, Slo, SloId};
use crate::slo::nearest::nearest;
use crate::slo::promql::with_window;
use crate::slo::time::Span;

/// Checks each SLO that is named with a group, at its place below `of`. `find` knows SLOs and their
/// sources. The error is that a source answers no more.
pub(super) async fn check<'a>(
    named: impl Iterator<Item = (&'a SloId, Option<&'a Labels>)>,
    of: &[&str],
    find: &impl Fn(&SloId) -> Option<(&'a Server, &'a Slo)>,
    findings: &mut Findings,
) -> Result<(), String> {
    for (place, (id, group)) in named.enumerate() {
        let Some((group, (server, slo))) = group.and_then(|group| Some((group, find(id)?))) else { continue };
        let place = place.to_string();
        let path: Vec<&str> = of.iter().copied().chain([place.as_str(), "group"]).collect();
        match groups(server, slo).await {
            // That there is nothing at all is told of the SLO itself.
            Ok(known) if known.is_empty() || known.contains(group) || is_other(group, slo) => {}
            Ok(known) => {
                let (what, hint) = missing(slo, group, &known);
                match slo.sli {
                    // Where nothing fails there may be nothing to divide, and no group.
                    Sli::Direct { .. } => findings.notice(&path, what, Some(hint)),
                    _ => findings.error(&path, what, Some(hint)),
                }
            }
            Err(Trouble::Down(why)) => return Err(why),
            Err(Trouble::Query(why)) => {
                let what = format!("the server refuses to list the groups of `{id}`: {why}");
                findings.notice(&path, what, None);
            }
        }
    }
    Ok(())
}

fn missing(slo: &Slo, group: &Labels, known: &BTreeSet<Labels>) -> (String, String) {
    let names: Vec<String> = known.iter().map(pairs).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let near = nearest(&pairs(group), &all).map(|near| format!("did you mean {near}? "));
    let what = format!("`{}` has no group {} now", slo.id, pairs(group));
    (what, format!("{}there are: {}", near.unwrap_or_default(), listed(&names, LISTED)))
}

/// The groups of what the SLO counts.
async fn groups(server: &Server, slo: &Slo) -> Result<BTreeSet<Labels>, Trouble> {
    let Some(by) = &slo.group_by else { return Ok(BTreeSet::new()) };
    let queries = match &slo.sli {
        Sli::Counted { total, .. } => {
            let atoms = total.terms.iter().map(|term| &term.atom);
            atoms.map(|atom| grouped(&by.labels, &held(&atom.selector, is_native(atom)))).collect()
        }
        // Counted, also what has no number while there is no traffic is there.
        Sli::Timeslice(timeslice) => vec![grouped(&by.labels, &timeslice.query)],
        Sli::Direct { error_ratio } => {
            vec![grouped(&by.labels, &with_window(error_ratio, Span::from_mins(5)))]
        }
        Sli::Composite(_) => Vec::new(),
    };
    let mut groups = BTreeSet::new();
    for query in queries {
        let rows = server.rows(&query).await?;
        let value = |row: &Labels, label: &String| row.get(label).cloned().unwrap_or_default();
        let group = |row: &Labels| {
            by.labels.iter().map(|label| (label.clone(), value(row, label))).collect::<Labels>()
        };
        groups.extend(rows.iter().map(|row| group(&row.labels)));
    }
    Ok(groups)
}

/// What all groups beyond the limit are together, which no series says.
fn is_other(group: &Labels, slo: &Slo) -> bool {
    let folds = slo.group_by.as_ref().is_some_and(|by| by.on_overflow == Overflow::Other);
    folds && ledger::is_other(group)
}
