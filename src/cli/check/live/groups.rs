//! `groupBy`: the labels must be there, and the groups should fit the limit.

use super::Found;
use super::LISTED;
use super::ask::{Server, Trouble};
use super::select::{self, held, lacking};
use crate::cli::check::place::Findings;
use crate::slo::listed::{counted, listed};
use crate::slo::model::{GroupBy, Overflow};
use crate::slo::nearest;
use crate::slo::query::{Name, Selector};

/// Checks the groups of what `total` selects.
pub(super) async fn check(
    server: &Server,
    by: &GroupBy,
    total: &Selector,
    native: bool,
    found: &mut Found,
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let all = server.count(&held(total, native)).await?;
    for label in &by.labels {
        let without = server.count(&held(&lacking(total, label), native)).await?;
        if without >= all {
            let existing = select::labels(server, total, native).await?;
            missing(label, &format!("`{}`", total.metric), &existing, findings);
        } else if without > 0 {
            let what =
                format!("{without} of {} of `{total}` have no label `{label}`", counted(all, "series"));
            let hint = "they are one group of their own, without that label".to_owned();
            findings.notice(&["groupBy"], what, Some(hint));
        }
    }
    let groups = server.count(&grouped(&by.labels, &held(total, native))).await?;
    limit(by, groups, findings);
    found.groups = Some(groups);
    Ok(())
}

/// A group label that nothing has.
pub(super) fn missing(label: &str, of: &str, existing: &[String], findings: &mut Findings) {
    let known: Vec<&str> = existing.iter().map(String::as_str).collect();
    let near = nearest::nearest(label, &known).map(|near| format!("did you mean `{near}`? "));
    let hint = match existing {
        [] => "it has no labels at all".to_owned(),
        existing => format!("{}its labels are: {}", near.unwrap_or_default(), listed(existing, LISTED)),
    };
    findings.error(&["groupBy"], format!("no series of {of} has the label `{label}`"), Some(hint));
}

/// Tells of groups beyond the limit.
pub(super) fn limit(by: &GroupBy, groups: u64, findings: &mut Findings) {
    if usize::try_from(groups).is_ok_and(|groups| groups <= by.limit) {
        return;
    }
    let fate = match by.on_overflow {
        Overflow::Other => "are summed into one group named `other`",
        Overflow::Drop => "are left out",
    };
    let what = format!("{} now, and the limit is {}", counted(groups, "group"), by.limit);
    findings.notice(
        &["groupBy"],
        what,
        Some(format!("those beyond it {fate}; raise groupBy.limit, or group by less")),
    );
}

/// One row per group.
pub(super) fn grouped(labels: &[String], of: &str) -> String {
    let names: Vec<String> = labels.iter().map(|label| Name(label).to_string()).collect();
    format!("count by ({}) ({of})", names.join(", "))
}
