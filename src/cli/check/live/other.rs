//! Time slices, ratios, and `alive`: queries that are asked as they are.

use std::collections::BTreeSet;

use super::Found;
use super::ask::{Row, Server, Trouble};
use super::groups;
use super::select::{self, recent};
use crate::cli::check::place::Findings;
use crate::slo::model::{Slo, Timeslice};
use crate::slo::promql::with_window;
use crate::slo::query::Selector;
use crate::slo::time::Span;

/// The query of a `timeslice` SLI.
pub(super) async fn timeslice(
    server: &Server,
    slo: &Slo,
    timeslice: &Timeslice,
    found: &mut Found,
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let place = ["sli", "timeslice", "query"];
    let rows = server.rows(&timeslice.query).await?;
    if rows.is_empty() {
        return nothing(server, slo, &timeslice.query, &place, findings).await;
    }
    rows_of(slo, &rows, found, findings);
    let bad = rows.iter().filter(|row| !timeslice.good.holds(row.value)).count();
    if bad > 0 {
        let what = format!("{bad} of {} series are bad at this moment", rows.len());
        findings.notice(&["sli", "timeslice", "good"], what, None);
    }
    Ok(())
}

/// The query of a `ratio` SLI, or of one that is asked per window.
pub(super) async fn direct(
    server: &Server,
    slo: &Slo,
    template: &str,
    found: &mut Found,
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let place: &[&str] =
        if findings.has(&["sli", "ratio"]) { &["sli", "ratio", "query"] } else { &["sli", "events"] };
    let query = with_window(template, Span::from_mins(5));
    let rows = server.rows(&query).await?;
    if rows.is_empty() {
        return nothing(server, slo, &query, place, findings).await;
    }
    rows_of(slo, &rows, found, findings);
    if let Some(row) = rows.iter().find(|row| !(0.0..=1.0).contains(&row.value)) {
        let what = format!("over the last 5m the error ratio is {}, which is not between 0 and 1", row.value);
        findings.error(
            place,
            what,
            Some("a ratio counts bad events of all events; for percent divide by 100".to_owned()),
        );
    }
    Ok(())
}

/// `alive` should select something now.
pub(super) async fn alive(server: &Server, alive: &Selector, findings: &mut Findings) -> Result<(), Trouble> {
    if server.count(&recent(alive)).await? > 0 {
        return Ok(());
    }
    let why = select::why(server, alive, false).await?;
    let what = format!("`alive` matches nothing: {}", why.what);
    findings.notice(&["sli", "alive"], what, why.hint);
    Ok(())
}

/// A query without a number: something may be wrong with it, or nothing happens.
async fn nothing(
    server: &Server,
    slo: &Slo,
    query: &str,
    place: &[&str],
    findings: &mut Findings,
) -> Result<(), Trouble> {
    if server.count(&format!("({query})")).await? > 0 {
        let hint =
            "where nothing happens a ratio divides by nothing; what is not a number is neither good nor bad"
                .to_owned();
        findings.notice(place, format!("{}: the query gives no number now", slo.id), Some(hint));
        return Ok(());
    }
    let hint =
        "ask it in Prometheus; a name or a label may be wrong, or the series is not there yet".to_owned();
    findings.error(place, format!("{}: the query gives nothing now", slo.id), Some(hint));
    Ok(())
}

fn rows_of(slo: &Slo, rows: &[Row], found: &mut Found, findings: &mut Findings) {
    found.series = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let Some(by) = &slo.group_by else { return };
    let existing: BTreeSet<&String> = rows.iter().flat_map(|row| row.labels.keys()).collect();
    let existing: Vec<String> = existing.into_iter().filter(|name| *name != "__name__").cloned().collect();
    for label in by.labels.iter().filter(|label| !existing.contains(label)) {
        groups::missing(label, "the answer", &existing, findings);
    }
    let group = |row: &Row| by.labels.iter().map(|l| row.labels.get(l).cloned()).collect::<Vec<_>>();
    let all: BTreeSet<_> = rows.iter().map(group).collect();
    let all = u64::try_from(all.len()).unwrap_or(u64::MAX);
    groups::limit(by, all, findings);
    found.groups = Some(all);
}
