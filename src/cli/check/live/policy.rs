//! Scale policies: what their queries give now, and whether their windows hold enough scrapes.

use std::collections::BTreeMap;

use super::ask::{Server, Trouble};
use super::{Asked, Found};
use crate::cli::check::place::Findings;
use crate::slo::policy::ScalePolicy;
use crate::slo::time::Span;

/// A saturation from here on is hardly a share of 1.
const PERCENT: f64 = 2.0;

/// Asks its queries once each. The error is that the server answers no more.
pub(super) async fn check(
    server: &Server,
    policy: &ScalePolicy,
    found: &BTreeMap<String, Found>,
    findings: &mut Findings,
) -> Result<Asked, String> {
    windows(policy, found, findings);
    let mut asked = Asked::default();
    if let Some(saturation) = &policy.saturation {
        let place = ["saturation", "query"];
        asked.saturation = number(server, "saturation", &saturation.query, &place, findings).await?;
        if let Some(value) = asked.saturation.filter(|value| *value >= PERCENT) {
            let what = format!("the saturation is {value:.2} now, and 1 is all that the workload can do");
            let hint =
                "where it is percent, divide by 100; where it counts, divide by what there is".to_owned();
            findings.notice(&place, what, Some(hint));
        }
    }
    for (i, veto) in policy.unless.iter().enumerate() {
        let place = ["unless", &i.to_string(), "query"];
        let value = number(server, "unless", &veto.query, &place, findings).await?;
        if let Some(value) = value.filter(|value| *value > veto.above.get()) {
            let what = format!("it is {value:.2} now, above {}: nothing would be added", veto.above.get());
            findings.notice(&place, what, None);
        }
        asked.unless.push(value);
    }
    Ok(asked)
}

/// The one number that a query must give.
async fn number(
    server: &Server,
    name: &str,
    query: &str,
    place: &[&str],
    findings: &mut Findings,
) -> Result<Option<f64>, String> {
    let rows = match server.rows(query).await {
        Ok(rows) => rows,
        Err(Trouble::Down(why)) => return Err(why),
        Err(Trouble::Query(why)) => {
            findings.error(place, format!("{name}: the server refuses the query: {why}"), None);
            return Ok(None);
        }
    };
    match rows.as_slice() {
        [row] => return Ok(Some(row.value)),
        [] => {
            let hint = "without an answer nothing moves; ask it in Prometheus: a name or a label may be wrong, or \
                        it divides by nothing";
            findings.error(place, format!("{name}: the query gives no number now"), Some(hint.to_owned()));
        }
        several => {
            let what = format!("{name}: the query gives {} series and must give one", several.len());
            findings.error(
                place,
                what,
                Some("write max(…), or what else makes one of them, around it".to_owned()),
            );
        }
    }
    Ok(None)
}

/// With fewer than three scrapes a window sees one event or none of a replica that is added.
fn windows(policy: &ScalePolicy, found: &BTreeMap<String, Found>, findings: &mut Findings) {
    let scraped = |watched: &crate::slo::policy::Watched| {
        let id = watched.slo.to_string();
        Some((found.get(&id)?.scrape_seconds?, id))
    };
    let Some((secs, slo)) = policy.slos.iter().filter_map(scraped).max() else { return };
    let short = policy.windows.short;
    if short.secs() >= 3 * secs {
        return;
    }
    let (every, least) = (Span::from_secs_saturating(secs), Span::from_secs_saturating(3 * secs));
    let what = format!(
        "the window of {short} holds fewer than three scrapes of {slo}, which is scraped about every {every}"
    );
    let hint = format!("make it {least} or longer, or scrape more often");
    findings.error(&["windows", "short"], what, Some(hint));
}
