//! How often is scraped, set against slices and windows; and whether counters behave as counters.

use super::Found;
use super::ask::{Server, Trouble};
use crate::cli::check::place::Findings;
use crate::slo::model::Slo;
use crate::slo::query::{Atom, Counting};
use crate::slo::time::{Span, Step};

/// How far back Damper looks for a previous sample when it could not measure the interval.
const LOOKBACK: Span = Span::from_mins(10);
/// Falls of one series in an hour beyond which it is hardly a counter.
const FALLS: f64 = 10.0;

/// Checks one selector of `total`, which has series.
pub(super) async fn check(
    server: &Server,
    slo: &Slo,
    atom: &Atom,
    step: Step,
    found: &mut Found,
    findings: &mut Findings,
) -> Result<(), Trouble> {
    let Some(interval) = interval(server, atom).await? else {
        let what = format!("`{}` has fewer than three samples in the last half hour", atom.selector);
        let hint = format!(
            "fine if it is new; but where scrapes are more than {LOOKBACK} apart, Damper finds no earlier sample to count from"
        );
        findings.notice(&["sli"], what, Some(hint));
        return Ok(());
    };
    found.scrape_seconds = Some(interval.secs());
    if interval > step.span() {
        let what = format!(
            "it is scraped about every {interval}, more rarely than the slices of {} are cut",
            step.span()
        );
        let hint = "alerts come up to that much later; scrape more often, or set a longer step".to_owned();
        findings.notice(&["sli"], what, Some(hint));
    }
    let short = slo.alerting.rules.iter().map(|rule| rule.short.unwrap_or(rule.long)).min();
    if let Some(short) = short.filter(|short| short.secs() < 3 * interval.secs()) {
        let what = format!("the window of {short} holds fewer than three scrapes of {interval}");
        findings.notice(
            &["alerting", "rules"],
            what,
            Some("a longer window, or more scrapes, make it steady".to_owned()),
        );
    }
    falls(server, atom, findings).await
}

/// The shortest of what ranges of growing length say: young series fill only the short ones.
async fn interval(server: &Server, atom: &Atom) -> Result<Option<Span>, Trouble> {
    let mut best: Option<Span> = None;
    for secs in [6.0, 30.0, 120.0, 1800.0_f64] {
        let samples = server.number(&format!("max(count_over_time({}[{secs}s]))", atom.selector)).await?;
        if samples >= 3.0 {
            #[expect(clippy::cast_possible_truncation, reason = "between 1 and 600")]
            let interval = Span::from_secs_saturating((secs / samples - 0.25).ceil().max(1.0) as i64);
            best = Some(best.map_or(interval, |best| best.min(interval)));
        }
    }
    Ok(best)
}

/// A gauge counted as a counter books its every fall as a restart; a recorded sum falls whenever a member leaves.
async fn falls(server: &Server, atom: &Atom, findings: &mut Findings) -> Result<(), Trouble> {
    if !matches!(atom.counting, Counting::Counter) {
        return Ok(());
    }
    let falls = server.number(&format!("max(resets({}[1h]))", atom.selector)).await?;
    if falls > FALLS {
        let what = format!(
            "a series of `{}` fell {falls} times in the last hour, as no counter does",
            atom.selector
        );
        let hint = "for a gauge use timeslice, or sum_over_time; for a recorded sum say counter: aggregated"
            .to_owned();
        findings.error(&["sli", "events", "total"], what, Some(hint));
    }
    Ok(())
}
