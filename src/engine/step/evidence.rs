//! The numbers behind one SLO and group, as people read them.

use crate::engine::burn::{Budget, budget, burn, exhausts_in};
use crate::engine::ledger::Ledger;
use crate::engine::plan::Planned;
use crate::engine::reason::{Evidence, RuleEvidence, WindowEvidence};
use crate::engine::window::{Book, Counts};
use crate::slo::model::{Labels, Severity, Sli, Slo};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Objective;

use super::judge::{JudgedRule, objective_of, ratio_evidence};

/// Evidence for the alert of one severity.
pub fn evidence(
    planned: &Planned,
    group: &Labels,
    book: &Book<'_>,
    judged: &[JudgedRule],
    severity: Severity,
    at: Ts,
) -> Evidence {
    let slo = &planned.slo;
    let objective = objective_of(slo, group);
    let left = budget_of(planned, book, objective, at);
    let hour = book.window(Span::from_hours(1), at);
    let seen = |rule: &JudgedRule, window: Span, ratio: Option<f64>| match rule {
        JudgedRule::Counted(_) => window_evidence(window, &book.window(window, at), objective),
        JudgedRule::Direct { at, .. } => ratio_evidence(window, ratio, *at),
    };
    let (bad_query, total_query) = queries(slo);
    Evidence {
        at,
        slo: planned.id.clone(),
        group: group.clone(),
        objective: objective.to_string().trim_end_matches('%').to_owned(),
        rules: judged
            .iter()
            .zip(&planned.rule_names)
            .zip(&slo.alerting.rules)
            .filter(|(_, rule)| rule.severity == severity)
            .map(|((judged, name), rule)| RuleEvidence {
                rule: name.clone(),
                severity,
                threshold: rule.burn_rate.value(),
                holds: judged.holds(),
                long: seen(judged, rule.long, judged.ratios().0),
                short: rule.short.map(|short| seen(judged, short, judged.ratios().1)),
            })
            .collect(),
        budget_remaining: left.map(|b| b.remaining),
        exhausts_in: left.and_then(|b| exhausts_in(&b, &hour, objective, &slo.period)),
        bad_query,
        total_query,
        time_weighted: matches!(slo.sli, Sli::Direct { .. }),
        composite: None,
    }
}

/// The error budget of one SLO and group.
pub fn budget_of(planned: &Planned, book: &Book<'_>, objective: Objective, at: Ts) -> Option<Budget> {
    budget(book, objective, &planned.slo.period, at)
}

/// What a window of counts held, for people.
fn window_evidence(window: Span, counts: &Counts, objective: Objective) -> WindowEvidence {
    WindowEvidence {
        window,
        from: counts.from,
        to: counts.to,
        bad: counts.bad.as_f64(),
        total: counts.total.as_f64(),
        burn: burn(counts, objective),
        coverage: counts.coverage(),
        excluded: counts.excluded,
    }
}

/// The groups of an SLO: those of its total, or the one without labels.
pub fn groups<'a>(planned: &Planned, ledger: &'a Ledger) -> Vec<&'a Labels> {
    if planned.slo.group_by.is_none() {
        return vec![&NO_LABELS];
    }
    let mut groups: Vec<&Labels> = planned
        .total
        .iter()
        .filter_map(|(_, ix)| ledger.series(*ix))
        .flat_map(|series| series.groups().iter().map(|group| &group.labels))
        .collect();
    groups.sort();
    groups.dedup();
    groups
}

pub(super) static NO_LABELS: Labels = Labels::new();

fn queries(slo: &Slo) -> (String, String) {
    match &slo.sli {
        Sli::Counted { bad, total } => {
            let window = Span::from_mins(5);
            (bad.to_promql(window), total.to_promql(window))
        }
        Sli::Timeslice(timeslice) => (timeslice.query.clone(), timeslice.query.clone()),
        Sli::Direct { error_ratio } => (error_ratio.clone(), error_ratio.clone()),
        Sli::Composite(_) => (String::new(), String::new()),
    }
}
