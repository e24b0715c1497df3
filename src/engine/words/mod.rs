//! Evidence in plain words, for somebody who was just woken: what burns, how fast, what is left.
//!
//! Pure, because these lines are annotations of the alert at decision time, and notifications
//! and the API repeat them.

mod number;

pub use number::{duration, percent, significant};

use std::fmt::Write;

use super::reason::{CompositeEvidence, Evidence, PartEvidence, RuleEvidence, WindowEvidence};
use crate::slo::model::{Labels, Severity};
use crate::slo::time::Span;
use crate::slo::unit::Objective;

/// One line: what burns, how fast over which window, and how long the budget lasts.
pub fn summary(evidence: &Evidence, severity: Severity) -> String {
    let mut line = subject(evidence);
    let holding = evidence.rules.iter().find(|rule| rule.holds);
    match holding.and_then(|rule| Some((rule, rule.long.burn?))) {
        Some((rule, burn)) => {
            let _ = write!(
                line,
                " burns its error budget {} times as fast as it may, over {}",
                significant(burn),
                duration(rule.long.window)
            );
            line.push_str(&most(evidence));
        }
        None if holding.is_some() => {
            let _ = write!(line, " burns its error budget faster than its {severity} threshold allows");
        }
        None => {
            let _ = write!(line, " no longer burns its error budget at a {severity} threshold");
        }
    }
    if let Some(left) = evidence.budget_remaining {
        line.push_str("; ");
        line.push_str(&budget(left));
        if let Some(exhausts) = evidence.exhausts_in {
            let _ = write!(line, ", gone in {}", duration(exhausts));
        }
    }
    line
}

/// Several lines: every rule that holds (or, when none does, the first) with counts and threshold
/// per window, then the budget, then the queries to paste.
pub fn description(evidence: &Evidence) -> String {
    let holding = || evidence.rules.iter().filter(|rule| rule.holds);
    let shown: Vec<_> = if holding().next().is_some() {
        holding().collect()
    } else {
        evidence.rules.iter().take(1).collect()
    };
    let mut lines: Vec<String> = shown.into_iter().flat_map(|rule| rule_lines(rule, evidence)).collect();
    lines.push(budget_sentence(evidence));
    if let Some(composite) = &evidence.composite {
        lines.push(made_of(composite).to_owned());
        lines.extend(parts(evidence).into_iter().map(|part| format!("- {part}")));
    }
    if evidence.composite.is_none() {
        lines.push(format!("Bad events: {}", evidence.bad_query));
        lines.push(format!("All events: {}", evidence.total_query));
    }
    lines.join("\n")
}

/// How a composite is made, in words.
fn made_of(composite: &CompositeEvidence) -> &'static str {
    if composite.how == "worst" { "It is the worst of:" } else { "It is the weighted mean of:" }
}

/// What a composite is made of, a line for each part, the one whose errors count most first.
pub fn parts(evidence: &Evidence) -> Vec<String> {
    let Some(composite) = &evidence.composite else { return Vec::new() };
    composite.of.iter().map(|one| part(one, evidence)).collect()
}

/// `shop/pay: 2.75% bad over 1h, burn rate 27.5 (63% of all; weight 25%)`.
fn part(part: &PartEvidence, evidence: &Evidence) -> String {
    let mut line = part_name(part);
    let over = evidence.composite.as_ref().map_or_else(String::new, |of| duration(of.window));
    match part.burn {
        Some(burn) => {
            let bad = percent(burn * budget_ratio(evidence));
            let _ = write!(line, ": {bad} bad over {over}, burn rate {}", significant(burn));
        }
        None => line.push_str(": not known"),
    }
    if let Some(share) = part.share {
        let _ = write!(line, " ({} of all; weight {})", percent(share), percent(part.weight));
    }
    if let Some(why) = &part.unknown {
        let _ = write!(line, "; {why}");
    }
    line
}

fn part_name(part: &PartEvidence) -> String {
    if part.group.is_empty() { part.slo.clone() } else { format!("{} ({})", part.slo, pairs(&part.group)) }
}

/// `, most by shop/pay`; empty where nothing is made of parts, or none burns.
fn most(evidence: &Evidence) -> String {
    let worst = evidence.composite.as_ref().and_then(|composite| composite.of.first());
    let worst = worst.filter(|part| part.burn.is_some_and(|burn| burn > 0.0));
    worst.map_or_else(String::new, |part| format!(", most by {}", part_name(part)))
}

fn budget_ratio(evidence: &Evidence) -> f64 {
    evidence.objective.trim_end_matches('%').parse().map_or(0.0, Objective::budget)
}

/// `checkout/availability`, or `checkout/availability (route=/pay, zone=b)`.
pub fn subject(evidence: &Evidence) -> String {
    if evidence.group.is_empty() {
        return evidence.slo.clone();
    }
    format!("{} ({})", evidence.slo, pairs(&evidence.group))
}

/// `63.2% of the budget is left`, or by how much it is overspent.
pub fn budget(remaining: f64) -> String {
    if remaining > 0.0 {
        format!("{} of the budget is left", percent(remaining))
    } else {
        format!("the budget is spent: {} of it used", percent(1.0 - remaining))
    }
}

/// The budget, the objective and the time to exhaustion in one sentence.
pub fn budget_sentence(evidence: &Evidence) -> String {
    let mut line = format!("Objective {}%: ", evidence.objective.trim_end_matches('%'));
    match evidence.budget_remaining {
        Some(left) => line.push_str(&budget(left)),
        None => line.push_str("how much budget is left is not known"),
    }
    if let Some(exhausts) = evidence.exhausts_in {
        let _ = write!(line, "; at the burn of the last hour it is gone in {}", duration(exhausts));
    }
    line.push('.');
    line
}

/// What one window saw: `1,440 of 52,300 events were bad (2.75%) over 1h: burn rate 27.5`.
pub fn window(seen: &WindowEvidence, evidence: &Evidence) -> String {
    let over = duration(seen.window);
    let mut line = match (counted(seen, evidence), share(seen, evidence)) {
        (Some((bad, total)), Some(share)) => {
            format!("{} of {} events were bad ({share}) over {over}", significant(bad), significant(total))
        }
        (None, Some(share)) if evidence.composite.is_some() => format!("{share} bad over {over}"),
        (None, Some(share)) => format!("{share} bad over {over} (time-weighted, not counted)"),
        _ if evidence.composite.is_some() => format!("over {over}"),
        _ => format!("no events over {over}"),
    };
    match seen.burn {
        Some(burn) => {
            let _ = write!(line, ": burn rate {}", significant(burn));
        }
        None => line.push_str(": burn rate not known"),
    }
    if seen.excluded > 0 {
        let taken = duration(Span::from_secs_saturating(seen.excluded));
        let _ = write!(line, ", without {taken} taken out by hand");
    } else if seen.coverage < 0.995 {
        let _ = write!(line, ", measured in {} of the window", percent(seen.coverage));
    }
    line
}

/// Bad and all events; `None` where there are no counts behind a ratio, or no events.
pub fn counted(seen: &WindowEvidence, evidence: &Evidence) -> Option<(f64, f64)> {
    let has_counts = !evidence.time_weighted && evidence.composite.is_none();
    (has_counts && seen.total > 0.0).then_some((seen.bad, seen.total))
}

/// Bad of all in percent; `None` while unknown.
pub fn share(seen: &WindowEvidence, evidence: &Evidence) -> Option<String> {
    let counted = (seen.total > 0.0).then(|| seen.bad / seen.total);
    let has_counts = !evidence.time_weighted && evidence.composite.is_none();
    let of_burn = seen.burn.filter(|_| !has_counts).map(|burn| burn * budget_ratio(evidence));
    counted.or(of_burn).map(percent)
}

fn rule_lines(rule: &RuleEvidence, evidence: &Evidence) -> Vec<String> {
    let verdict = if rule.holds { "holds" } else { "does not hold" };
    let mut lines = vec![format!("The {} rule at burn rate {} {verdict}:", rule.severity, rule.threshold)];
    for seen in std::iter::once(&rule.long).chain(&rule.short) {
        lines.push(format!("- {}", window(seen, evidence)));
    }
    lines
}

/// `route=/pay, zone=b`.
pub fn pairs(labels: &Labels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::time::{Span, Ts};

    fn seen(mins: u32, bad: f64, total: f64, burn: Option<f64>) -> WindowEvidence {
        let to = Ts(1_780_000_000);
        let window = Span::from_mins(mins);
        WindowEvidence { window, from: to.minus(window), to, bad, total, burn, coverage: 1.0, excluded: 0 }
    }

    fn evidence() -> Evidence {
        Evidence {
            at: Ts(1_780_000_000),
            slo: "checkout/availability".into(),
            group: Labels::new(),
            objective: "99.9".into(),
            rules: vec![RuleEvidence {
                rule: "page 14.4 over 1h and 5m".into(),
                severity: Severity::Page,
                threshold: 14.4,
                holds: true,
                long: seen(60, 1440.0, 52_314.0, Some(27.526)),
                short: Some(seen(5, 131.0, 4300.0, Some(30.465))),
            }],
            budget_remaining: Some(0.632),
            exhausts_in: Some(Span::from_hours(28)),
            bad_query: r#"sum(rate(http_requests_total{code=~"5.."}[5m]))"#.into(),
            total_query: "sum(rate(http_requests_total[5m]))".into(),
            time_weighted: false,
            composite: None,
        }
    }

    #[test]
    fn a_summary_says_what_burns_how_fast_and_what_is_left() {
        assert_eq!(
            summary(&evidence(), Severity::Page),
            "checkout/availability burns its error budget 27.5 times as fast as it may, over 1h; \
             63.2% of the budget is left, gone in 1d 4h"
        );
    }

    #[test]
    fn a_description_lists_counts_thresholds_and_queries() {
        insta::assert_snapshot!(description(&evidence()), @r#"
        The page rule at burn rate 14.4 holds:
        - 1,440 of 52,314 events were bad (2.75%) over 1h: burn rate 27.5
        - 131 of 4,300 events were bad (3.05%) over 5m: burn rate 30.5
        Objective 99.9%: 63.2% of the budget is left; at the burn of the last hour it is gone in 1d 4h.
        Bad events: sum(rate(http_requests_total{code=~"5.."}[5m]))
        All events: sum(rate(http_requests_total[5m]))
        "#);
    }

    #[test]
    fn when_no_rule_holds_any_more_the_words_say_so() {
        let mut calm = evidence();
        calm.rules[0].holds = false;
        calm.exhausts_in = None;
        calm.budget_remaining = Some(-0.25);
        assert_eq!(
            summary(&calm, Severity::Page),
            "checkout/availability no longer burns its error budget at a page threshold; \
             the budget is spent: 125% of it used"
        );
        assert!(description(&calm).contains("does not hold"));
    }

    #[test]
    fn what_is_unknown_is_called_unknown() {
        let mut blind = evidence();
        blind.budget_remaining = None;
        blind.exhausts_in = None;
        blind.rules[0].long = WindowEvidence { coverage: 0.5, ..seen(60, 0.0, 0.0, None) };
        let text = description(&blind);
        assert!(
            text.contains("no events over 1h: burn rate not known, measured in 50% of the window"),
            "{text}"
        );
        assert!(text.contains("how much budget is left is not known"), "{text}");
    }

    #[test]
    fn groups_and_time_weighted_ratios_are_named() {
        let mut grouped = evidence();
        grouped.group = Labels::from([("route".into(), "/pay".into()), ("zone".into(), "b".into())]);
        grouped.time_weighted = true;
        assert!(
            summary(&grouped, Severity::Page).starts_with("checkout/availability (route=/pay, zone=b) burns")
        );
        assert!(description(&grouped).contains("2.75% bad over 1h (time-weighted, not counted)"));
    }
}
