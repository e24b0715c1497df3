//! Bad and total events: does each selector match, and is one a part of the other.

use super::Found;
use super::ask::{Server, Trouble};
use super::select::{self, held};
use super::{groups, latency, pace, parts};
use crate::cli::check::place::Findings;
use crate::slo::listed::counted;
use crate::slo::model::Slo;
use crate::slo::query::{Atom, Counting, Linear, Term};
use crate::slo::time::Step;

/// Series beyond which a query is felt by the server.
const MANY: u64 = 10_000;
/// Where the queries of one SLO are written.
struct Places {
    total: &'static [&'static str],
    part: &'static [&'static str],
}

impl Places {
    fn of(findings: &Findings) -> Self {
        if findings.has(&["sli", "latency"]) {
            return Self { total: &["sli", "latency", "histogram"], part: &["sli", "latency", "errors"] };
        }
        let good = findings.has(&["sli", "events", "good"]);
        let part: &[&str] = if good { &["sli", "events", "good"] } else { &["sli", "events", "bad"] };
        Self { total: &["sli", "events", "total"], part }
    }
}

/// Checks what is counted.
pub(super) async fn check(
    server: &Server,
    slo: &Slo,
    (bad, total): (&Linear, &Linear),
    step: Step,
    found: &mut Found,
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let places = Places::of(findings);
    if !has_total(server, total, &places, found, findings).await? {
        return Ok(());
    }
    if found.series > MANY {
        let what = format!("`total` reads {} at each tick", counted(found.series, "series"));
        findings.notice(
            places.total,
            what,
            Some("fewer matchers cost more; a recorded sum with counter: aggregated costs less".into()),
        );
    }
    if let Some(first) = first_alive(server, total).await? {
        pace::check(server, slo, first, step, found, findings).await?;
        if let Some(by) = &slo.group_by {
            groups::check(server, by, &first.selector, is_native(first), found, findings).await?;
        }
    }
    for term in bad.terms.iter().filter(|term| !total.terms.iter().any(|t| t.atom == term.atom)) {
        if has_part(server, term, total, &places, findings).await? {
            parts::is_within(server, term, total, places.part, findings).await?;
        }
    }
    parts::twice(server, total, places.total, findings).await?;
    parts::ratio(server, (bad, total), places.part, findings).await
}

/// Whether anything of `total` exists; tells what does not.
async fn has_total(
    server: &Server,
    total: &Linear,
    places: &Places,
    found: &mut Found,
    findings: &mut Findings,
) -> Result<bool, Trouble> {
    let mut missing = Vec::new();
    for term in &total.terms {
        let series = server.count(&held(&term.atom.selector, is_native(&term.atom))).await?;
        found.series += series;
        if series == 0 {
            missing.push(&term.atom);
        }
    }
    for atom in missing {
        if latency::other_kind(server, atom, findings).await? {
            continue;
        }
        let why = select::why(server, &atom.selector, is_native(atom)).await?;
        let what = format!("`total` matches no series of the last hour: {}", why.what);
        if found.series == 0 || why.is_structural {
            findings.error(places.total, what, why.hint);
        } else {
            findings.notice(places.total, what, why.hint);
        }
    }
    Ok(found.series > 0)
}

async fn first_alive<'a>(server: &Server, total: &'a Linear) -> Result<Option<&'a Atom>, Trouble> {
    for term in &total.terms {
        if server.count(&held(&term.atom.selector, is_native(&term.atom))).await? > 0 {
            return Ok(Some(&term.atom));
        }
    }
    Ok(None)
}

/// Whether a part of the events exists. Without bad events all may be well, or the query is wrong;
/// without good events every event would be bad.
async fn has_part(
    server: &Server,
    term: &Term,
    total: &Linear,
    places: &Places,
    findings: &mut Findings,
) -> Result<bool, Trouble> {
    let (atom, native) = (&term.atom, is_native(&term.atom));
    let is_good = term.weight < 0;
    if let (true, Some(le)) = (is_good, latency::bound(atom))
        && latency::bucket(server, &atom.selector, le, findings).await?
    {
        return Ok(false);
    }
    if server.count(&held(&atom.selector, native)).await? > 0 {
        return Ok(true);
    }
    let why = select::why(server, &atom.selector, native).await?;
    let same_metric = total.terms.iter().any(|t| t.atom.selector.metric == atom.selector.metric);
    if is_good {
        let what = format!("`good` matches no series, so that every event would be bad: {}", why.what);
        findings.error(places.part, what, why.hint);
    } else if why.is_structural {
        findings.error(places.part, format!("`bad` can match nothing: {}", why.what), why.hint);
    } else {
        let reading = if same_metric {
            "no bad events yet, or a wrong value"
        } else {
            "no bad events yet, or a wrong name"
        };
        let what = format!("unproven: `bad` matches no series of the last hour ({reading}): {}", why.what);
        findings.notice(places.part, what, why.hint);
    }
    Ok(false)
}

pub(super) fn is_native(atom: &Atom) -> bool {
    matches!(atom.counting, Counting::NativeCount | Counting::NativeAbove(_))
}
