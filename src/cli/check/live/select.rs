//! Why a selector matches nothing: the metric, a label that does not exist, or values that do not.

use std::collections::BTreeSet;

use super::LISTED;
use super::ask::{Server, Trouble};
use crate::slo::listed::listed;
use crate::slo::nearest;
use crate::slo::query::{MatchOp, Matcher, Quoted, Selector};

/// How far back a series counts as existing.
pub(super) const RECENT: &str = "1h";
/// Series whose label names are looked at.
const SAMPLE: usize = 50;

/// Why nothing matches.
pub(super) struct Why {
    /// One sentence.
    pub(super) what: String,
    /// What exists instead.
    pub(super) hint: Option<String>,
    /// Whether no future series of this metric can match either: the label does not exist.
    pub(super) is_structural: bool,
}

/// The newest sample of each series of the last hour.
pub(super) fn recent(selector: &Selector) -> String {
    format!("last_over_time({selector}[{RECENT}])")
}

/// What stands for the series of a selector. `last_over_time` of old servers drops native
/// histograms, so these are taken as they are now.
pub(super) fn held(selector: &Selector, native: bool) -> String {
    if native { format!("histogram_count({selector})") } else { recent(selector) }
}

/// Finds the reason. Only for selectors that match nothing.
pub(super) async fn why(server: &Server, selector: &Selector, native: bool) -> Result<Why, Trouble> {
    let bare = Selector { metric: selector.metric.clone(), matchers: Vec::new() };
    if server.count(&held(&bare, native)).await? == 0 {
        return no_metric(server, selector).await;
    }
    // The one matcher without which something matches is the one to look at.
    for matcher in &selector.matchers {
        let rest = without(selector, matcher);
        if server.count(&held(&rest, native)).await? > 0 {
            return one_matcher(server, &rest, matcher, native).await;
        }
    }
    for matcher in &selector.matchers {
        let alone = Selector { matchers: vec![matcher.clone()], ..bare.clone() };
        if server.count(&held(&alone, native)).await? == 0 {
            return one_matcher(server, &bare, matcher, native).await;
        }
    }
    let what = format!("`{selector}` matches no series; each of its matchers alone does");
    Ok(Why {
        what,
        hint: Some("remove matchers one by one to see which two exclude each other".into()),
        is_structural: false,
    })
}

/// Names of the labels that series of `selector` have, from a sample of them.
pub(super) async fn labels(
    server: &Server,
    selector: &Selector,
    native: bool,
) -> Result<Vec<String>, Trouble> {
    let rows = server.rows(&format!("topk({SAMPLE}, {})", held(selector, native))).await?;
    let names: BTreeSet<&String> = rows.iter().flat_map(|row| row.labels.keys()).collect();
    Ok(names.into_iter().filter(|name| *name != "__name__").cloned().collect())
}

async fn one_matcher(
    server: &Server,
    rest: &Selector,
    matcher: &Matcher,
    native: bool,
) -> Result<Why, Trouble> {
    let label = &matcher.label;
    let values: Vec<String> = server.values(label, &held(rest, native)).await?;
    if values.is_empty() {
        let existing = labels(server, rest, native).await?;
        let known: Vec<&str> = existing.iter().map(String::as_str).collect();
        let near = nearest::nearest(label, &known).map(|near| format!("did you mean `{near}`? "));
        return Ok(Why {
            what: format!("`{}` has no label `{label}`", rest.metric),
            hint: Some(format!("{}its labels are: {}", near.unwrap_or_default(), listed(&existing, LISTED))),
            is_structural: true,
        });
    }
    Ok(Why {
        what: format!("no series of `{rest}` has {matcher}"),
        hint: Some(format!("`{label}` has the values {}", listed(&values, LISTED))),
        is_structural: false,
    })
}

async fn no_metric(server: &Server, selector: &Selector) -> Result<Why, Trouble> {
    let what = format!("there is no metric `{}`", selector.metric);
    let family = selector.metric.split('_').next().unwrap_or_default();
    let mut places: Vec<String> = Vec::new();
    if let Some(job) = selector.matchers.iter().find(|m| m.label == "job" && m.op == MatchOp::Equal) {
        places.push(format!("{{{job}}}"));
    }
    if family.len() > 1 && family.bytes().all(|b| b.is_ascii_alphanumeric()) {
        places.push(format!("{{__name__=~{}}}", Quoted(&format!("{family}.+"))));
    }
    let mut names: Vec<String> = Vec::new();
    for place in places {
        names.extend(server.values("__name__", &place).await?);
    }
    names.sort();
    names.dedup();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let hint = match nearest::nearest(&selector.metric, &known) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if names.is_empty() => None,
        None => {
            // What shares the most words is the most likely to be meant.
            let words: BTreeSet<&str> = selector.metric.split('_').collect();
            names
                .sort_by_key(|name| std::cmp::Reverse(name.split('_').filter(|w| words.contains(w)).count()));
            Some(format!("near it are: {}", listed(&names, LISTED)))
        }
    };
    Ok(Why { what, hint, is_structural: false })
}

/// The selector with one matcher less.
pub(super) fn without(selector: &Selector, matcher: &Matcher) -> Selector {
    let matchers = selector.matchers.iter().filter(|m| *m != matcher).cloned().collect();
    Selector { metric: selector.metric.clone(), matchers }
}

/// The selector with `label=""`: series that lack the label.
pub(super) fn lacking(selector: &Selector, label: &str) -> Selector {
    let mut lacking = selector.clone();
    lacking.matchers.push(Matcher { label: label.to_owned(), op: MatchOp::Equal, value: String::new() });
    lacking
}
