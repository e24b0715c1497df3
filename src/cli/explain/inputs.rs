//! Every number that was looked at, beside what it is held to.

use super::{pair, section};
use crate::api::{PolicyView, RuleView};
use crate::cli::moment::Moment;
use crate::cli::table::plain;
use crate::service::scaling::{Seen, SeenBurn, SeenWorkload};
use crate::slo::time::Span;

/// One section for each kind of number.
pub(super) fn all(view: &PolicyView, moment: &Moment) -> Vec<Vec<String>> {
    let Some(seen) = &view.seen else { return vec![rules(&view.rule)] };
    let rule = &view.rule;
    vec![
        burns(&seen.burns, rule),
        rules(rule),
        saturation(seen, rule),
        vetoes(seen, rule),
        workload(seen, view, moment),
        missing(seen),
    ]
}

fn span(secs: i64) -> Span {
    Span::from_secs_saturating(secs)
}

fn burns(burns: &[SeenBurn], rule: &RuleView) -> Vec<String> {
    let head = vec![
        "of the budget's pace, over".to_owned(),
        span(rule.short_seconds).to_string(),
        span(rule.long_seconds).to_string(),
        "bad events".to_owned(),
        "budget left".to_owned(),
        "page".to_owned(),
    ];
    let rate = |rate: Option<f64>| rate.map_or_else(|| "unknown".to_owned(), |rate| format!("{rate:.2}×"));
    let row = |burn: &SeenBurn| {
        vec![
            plain(&burn.slo),
            rate(burn.short),
            rate(burn.long),
            burn.bad.map_or_else(|| "unknown".to_owned(), |bad| format!("{bad:.0}")),
            burn.budget_left.map_or_else(|| "unknown".to_owned(), |left| format!("{:.1}%", left * 100.0)),
            if burn.pages { "FIRES" } else { "-" }.to_owned(),
        ]
    };
    let rows: Vec<_> = std::iter::once(head).chain(burns.iter().map(row)).collect();
    section("BURN", &rows)
}

fn rules(rule: &RuleView) -> Vec<String> {
    let (short, long) = (span(rule.short_seconds), span(rule.long_seconds));
    let mut rows = Vec::new();
    for step in &rule.up {
        let wait = span(step.cooldown_seconds);
        rows.push(pair(
            &format!("adds {}", step.add),
            format!("at {}× or more in {short} and {long}, then waits {wait}", step.burn_rate),
        ));
    }
    if !rule.up.is_empty() {
        let more =
            "or more where the saturation says that more is missing, or under 10% of the budget is left";
        rows.push(pair("", more));
    }
    if rule.min_bad_events > 0.0 {
        rows.push(pair("", format!("with {} bad events or more in {long}", rule.min_bad_events)));
    }
    let (calm, wait) = (span(rule.calm_seconds), span(rule.down_cooldown_seconds));
    rows.push(pair(
        "gives back 1",
        format!("below {}× in {short} and {long} for {calm}, then waits {wait}", rule.down_burn_rate),
    ));
    section("RULES", &rows)
}

fn value(value: Option<f64>) -> String {
    value.map_or_else(|| "NO ANSWER".to_owned(), |value| format!("{value:.2}"))
}

fn saturation(seen: &Seen, rule: &RuleView) -> Vec<String> {
    let Some(saturation) = &rule.saturation else {
        return vec!["SATURATION  none: the policy says that nothing tells".to_owned()];
    };
    let (above, below) = (saturation.scale_above, saturation.shrink_below);
    let rows = [
        pair(&value(seen.saturation), "now, 1 being full"),
        pair(&format!("{above}"), "or more is needed to add"),
        pair(&format!("{below}"), "must not be reached by those that stay when one is given back"),
    ];
    let mut lines = section("SATURATION", &rows);
    lines.push(format!("  {}", plain(&saturation.query)));
    lines
}

fn vetoes(seen: &Seen, rule: &RuleView) -> Vec<String> {
    let row = |(i, veto): (usize, &crate::api::VetoView)| {
        let now = seen.vetoes.get(i).copied().flatten();
        let effect = match now {
            None => "forbids: no answer",
            Some(now) if now > veto.above => "FORBIDS",
            Some(_) => "allows",
        };
        vec![value(now), format!("forbids above {}", veto.above), effect.to_owned(), plain(&veto.query)]
    };
    let rows: Vec<_> = rule.unless.iter().enumerate().map(row).collect();
    if rows.is_empty() { Vec::new() } else { section("UNLESS", &rows) }
}

fn workload(seen: &Seen, view: &PolicyView, moment: &Moment) -> Vec<String> {
    let Some(workload) = &seen.workload else {
        return section("WORKLOAD", &[pair("UNKNOWN", "its API does not answer")]);
    };
    let mut rows = vec![
        pair("replicas", format!("{} ready of {} asked for", workload.ready, workload.wanted)),
        pair("Damper moves", lever(workload)),
        pair("bounds", format!("{} to {}", view.min, view.max)),
    ];
    rows.extend(view.base.map(|base| pair("gives back", format!("down to {base}"))));
    if let Some(version) = &workload.version {
        let since =
            workload.since.map_or_else(String::new, |since| format!(", since {}", moment.tell(since)));
        rows.push(pair("version", format!("{}{since}", plain(version))));
    }
    rows.extend(workload.writer.as_ref().map(|writer| pair("last set by", plain(writer))));
    section("WORKLOAD", &rows)
}

fn lever(workload: &SeenWorkload) -> String {
    let at = workload.position;
    match &workload.owner {
        None => format!("the replica count, at {at}"),
        Some(owner) => {
            let most = workload.most.map_or_else(String::new, |most| format!("; its own maximum is {most}"));
            format!("the floor of {}, at {at}{most}", plain(owner))
        }
    }
}

fn missing(seen: &Seen) -> Vec<String> {
    if seen.missing.is_empty() {
        return Vec::new();
    }
    let rows: Vec<_> = seen.missing.iter().map(|why| vec![plain(why)]).collect();
    section("NO ANSWER", &rows)
}
