//! Evidence in plain words, for somebody who was just woken: what burns, how fast, what is left.
//!
//! Pure, because these lines are annotations of the alert at decision time, and notifications
//! and the API repeat them.

mod number;

pub use number::{duration, percent, significant};

use std::fmt::Write;

use super::reason::{Evidence, RuleEvidence, WindowEvidence};
use crate::slo::model::{Labels, Severity};

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
    let mut lines: Vec<String> =
        shown.into_iter().flat_map(|rule| rule_lines(rule, evidence.time_weighted)).collect();
    lines.push(budget_sentence(evidence));
    lines.push(format!("Bad events: {}", evidence.bad_query));
    lines.push(format!("All events: {}", evidence.total_query));
    lines.join("\n")
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
pub fn window(seen: &WindowEvidence, time_weighted: bool) -> String {
    let over = duration(seen.window);
    let mut line = if seen.total <= 0.0 {
        format!("no events over {over}")
    } else {
        let share = percent(seen.bad / seen.total);
        if time_weighted {
            format!("{share} bad over {over} (time-weighted, not counted)")
        } else {
            format!(
                "{} of {} events were bad ({share}) over {over}",
                significant(seen.bad),
                significant(seen.total)
            )
        }
    };
    match seen.burn {
        Some(burn) => {
            let _ = write!(line, ": burn rate {}", significant(burn));
        }
        None => line.push_str(": burn rate not known"),
    }
    if seen.coverage < 0.995 {
        let _ = write!(line, ", measured in {} of the window", percent(seen.coverage));
    }
    line
}

fn rule_lines(rule: &RuleEvidence, time_weighted: bool) -> Vec<String> {
    let verdict = if rule.holds { "holds" } else { "does not hold" };
    let mut lines = vec![format!("The {} rule at burn rate {} {verdict}:", rule.severity, rule.threshold)];
    for seen in std::iter::once(&rule.long).chain(&rule.short) {
        lines.push(format!("- {}", window(seen, time_weighted)));
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
        WindowEvidence { window, from: to.minus(window), to, bad, total, burn, coverage: 1.0 }
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
