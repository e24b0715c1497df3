//! Histograms: does the bound exist, on every series, and is the kind the one that was written.

use super::LISTED;
use super::ask::{Server, Trouble};
use super::select::{recent, without};
use crate::cli::check::place::Findings;
use crate::slo::listed::{counted, listed};
use crate::slo::query::{Atom, Counting, Matcher, Selector};

/// Where a bound is written.
const BOUND: [&str; 4] = ["sli", "latency", "objectives", "within"];

/// The bucket matcher of a classic histogram's bucket.
pub(super) fn bound(atom: &Atom) -> Option<&Matcher> {
    atom.selector
        .metric
        .ends_with("_bucket")
        .then(|| atom.selector.matchers.iter().find(|m| m.label == "le"))?
}

/// A bucket that good events are counted by. True when it exists.
pub(super) async fn bucket(
    server: &Server,
    selector: &Selector,
    le: &Matcher,
    findings: &mut Findings,
) -> Result<bool, Trouble> {
    let all = without(selector, le);
    let shown = le.value.split('|').next().unwrap_or_default().replace('\\', "");
    if server.count(&recent(selector)).await? == 0 {
        if server.count(&recent(&all)).await? == 0 {
            return Ok(false);
        }
        let bounds = server.values("le", &recent(&all)).await?;
        let what = format!("no series of `{all}` has a bucket with the bound {shown}");
        let hint = format!(
            "its bounds are {}; a latency between two of them cannot be counted",
            listed(&bounds, LISTED)
        );
        findings.error(&BOUND, what, Some(hint));
        return Ok(true);
    }
    // As they are now: series of the last hour may be from before a rollout that changed bounds.
    let histograms = |of: &Selector| format!("max without (le) ({of})");
    let (now, with) = (server.count(&histograms(&all)).await?, server.count(&histograms(selector)).await?);
    if with < now {
        let lack = now - with;
        let what =
            format!("{lack} of {} of `{all}` have no bucket with the bound {shown}", counted(now, "series"));
        let hint = "their fast requests would count as slow, so slices are unknown; give all the same buckets, or choose a bound all have";
        findings.error(&BOUND, what, Some(hint.to_owned()));
    }
    Ok(true)
}

/// A total without series: is the histogram of the other kind? True when that was told.
pub(super) async fn other_kind(
    server: &Server,
    atom: &Atom,
    findings: &mut Findings,
) -> Result<bool, Trouble> {
    let place = ["sli", "latency", "histogram"];
    let selector = &atom.selector;
    if matches!(atom.counting, Counting::NativeCount | Counting::NativeAbove(_)) {
        let classic = Selector { metric: format!("{}_bucket", selector.metric), ..selector.clone() };
        if server.count(&recent(&classic)).await? == 0 {
            return Ok(false);
        }
        let what = format!("`{}` is a classic histogram, not a native one", selector.metric);
        findings.error(&place, what, Some("remove native: true".to_owned()));
        return Ok(true);
    }
    let Some(name) = selector.metric.strip_suffix("_count") else { return Ok(false) };
    let native = Selector { metric: name.to_owned(), ..selector.clone() };
    if server.count(&format!("histogram_count({native})")).await? == 0 {
        return Ok(false);
    }
    let what = format!("`{name}` is a native histogram, not a classic one");
    findings.error(&place, what, Some("write native: true beside it".to_owned()));
    Ok(true)
}
