//! Whether bad or good events are a part of all events, and no event counts twice.

use super::ask::{Server, Trouble};
use super::events::is_native;
use super::select::recent;
use crate::cli::check::place::Findings;
use crate::slo::listed::counted;
use crate::slo::query::{Counting, Linear, Term};
use crate::slo::time::Span;

/// The window over which bad and total are compared.
const COMPARED: Span = Span::from_hours(1);

/// Whether all series of a part are among those of `total`, where both select the same metric.
pub(super) async fn is_within(
    server: &Server,
    term: &Term,
    total: &Linear,
    place: &[&str],
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let atom = &term.atom;
    let same = |t: &&Term| t.atom.selector.metric == atom.selector.metric && t.atom.counting == atom.counting;
    let whole: Vec<String> = total.terms.iter().filter(same).map(|t| recent(&t.atom.selector)).collect();
    if whole.is_empty() || is_native(atom) {
        return Ok(());
    }
    let outside =
        server.count(&format!("{} unless ({})", recent(&atom.selector), whole.join(" or "))).await?;
    if outside > 0 {
        let all = server.count(&recent(&atom.selector)).await?;
        let name = place.last().copied().unwrap_or("bad");
        let what = format!(
            "{outside} of {} of `{name}` are not in `total`: {name} is not a part of total",
            counted(all, "series")
        );
        findings.error(place, what, Some("give it all the matchers of `total`, and one more".to_owned()));
    }
    Ok(())
}

/// Two metrics of `total` that move together count the same events twice.
pub(super) async fn twice(
    server: &Server,
    total: &Linear,
    place: &[&str],
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let counters: Vec<&Term> =
        total.terms.iter().filter(|t| t.weight > 0 && t.atom.counting == Counting::Counter).collect();
    for pair in counters.windows(2) {
        let [one, other] = pair else { continue };
        let (a, b) = (&one.atom.selector, &other.atom.selector);
        if a.metric == b.metric {
            continue;
        }
        let equal = server.count(&format!("({a} > 0) == {b}")).await?;
        if equal > 0 && equal == server.count(&a.to_string()).await? {
            let what =
                format!("`{}` and `{}` have the same values: every event counts twice", a.metric, b.metric);
            findings.notice(
                place,
                what,
                Some("keep one of the two, if they count the same thing".to_owned()),
            );
        }
    }
    Ok(())
}

/// Sums of the last hour: no more bad than all, and no more good than all.
pub(super) async fn ratio(
    server: &Server,
    (bad, total): (&Linear, &Linear),
    place: &[&str],
    findings: &mut Findings,
) -> Result<(), Trouble> {
    // `increase` guesses at both ends of its window; a little more or less means nothing.
    const SLACK: f64 = 0.02;
    let all = server.number(&total.to_promql(COMPARED)).await?;
    let part = server.number(&bad.to_promql(COMPARED)).await?;
    let slack = all * SLACK + 1.0;
    if findings.has_errors() || all <= 0.0 {
        return Ok(());
    }
    if part > all + slack {
        let what = format!(
            "in the last hour {part:.0} events were bad, of {all:.0} in all: bad is not a part of total"
        );
        findings.error(place, what, Some("select bad events from those that `total` counts".to_owned()));
    } else if part < -slack {
        let what = format!(
            "in the last hour {:.0} events were good, of {all:.0} in all: good is not a part of total",
            all - part
        );
        findings.error(place, what, Some("select good events from those that `total` counts".to_owned()));
    }
    Ok(())
}
