//! A composite at one moment: what becomes of its alerts, and the numbers that they tell.

use super::Inputs;
use super::burn::{Seen, step_gone, step_group, withheld};
use super::control::Control;
use super::delta::Delta;
use super::evidence::NO_LABELS;
use super::judge::{JudgedGroup, JudgedRule};
use crate::engine::composite::{Left, Pools, Value, Whole};
use crate::engine::ledger::Ledger;
use crate::engine::plan::{Parts, Planned};
use crate::engine::reason::{CompositeEvidence, Evidence, PartEvidence, RuleEvidence, WindowEvidence};
use crate::slo::composite::Combine;
use crate::slo::model::Severity;
use crate::slo::time::Span;

/// Moves the burn alerts of a composite; gives back how it stands.
pub(super) fn step_composite<'a>(
    planned: &'a Planned,
    ledger: &'a Ledger,
    control: &Control,
    inputs: &Inputs<'_>,
    pools: &Pools<'a>,
    delta: &mut Delta,
) -> Option<Seen> {
    let whole = Whole::read_beside(planned, ledger, inputs.observed, inputs.at, pools)?;
    let judged = judge_composite(planned, &whole);
    let alerts = control.of_slo(&planned.id);
    // Asked only when somebody is told.
    let evidence = |severity| composite_evidence(planned, &whole, &judged, severity);
    step_group(planned, &NO_LABELS, &judged, alerts, &evidence, inputs, delta);
    let is_partial = || whole.is_partial();
    let mut seen = Seen::of(vec![judged.standing], whole.is_blind(inputs.observed));
    seen.withheld = withheld(planned, &judged, is_partial, |window| whole.any_partial(window));
    seen.why = whole.why();
    step_gone(planned, &[&NO_LABELS], &seen.standings, ledger, inputs, alerts, delta);
    Some(seen)
}

/// Judges every rule of a composite.
pub fn judge_composite(planned: &Planned, whole: &Whole<'_>) -> JudgedGroup {
    let slo = &planned.slo;
    let rules = slo.alerting.rules.iter().map(|rule| JudgedRule::Counted(whole.judge(rule, slo.objective)));
    JudgedGroup { rules: rules.collect(), standing: whole.standing(), never_were: whole.never_were() }
}

/// Evidence for the alert of one severity; `None` where the SLO is no composite.
pub fn composite_evidence(
    planned: &Planned,
    whole: &Whole<'_>,
    judged: &JudgedGroup,
    severity: Severity,
) -> Option<Evidence> {
    let slo = &planned.slo;
    let parts = planned.parts.as_ref()?;
    let left: Option<Left> = whole.left(slo.objective);
    let rules = slo.alerting.rules.iter().zip(&planned.rule_names).zip(&judged.rules);
    let rules: Vec<(RuleEvidence, Vec<bool>)> = rules
        .filter(|((rule, _), _)| rule.severity == severity)
        .map(|((rule, name), judged)| {
            let counting = whole.counting(rule);
            let evidence = RuleEvidence {
                rule: name.clone(),
                severity,
                threshold: rule.burn_rate.value(),
                holds: judged.holds(),
                long: window_evidence(planned, whole, rule.long, &counting),
                short: rule.short.map(|short| window_evidence(planned, whole, short, &counting)),
            };
            (evidence, counting)
        })
        .collect();
    let about = rules.iter().find(|(rule, _)| rule.holds).or(rules.first());
    let composite = about.map(|(rule, counting)| whose(planned, parts, whole, rule.long.window, counting));
    let rules = rules.into_iter().map(|(evidence, _)| evidence).collect();
    Some(Evidence {
        at: whole.at(),
        slo: planned.id.clone(),
        group: NO_LABELS.clone(),
        objective: slo.objective.to_string().trim_end_matches('%').to_owned(),
        rules,
        budget_remaining: left.map(|left| left.remaining),
        exhausts_in: left.and_then(|left| left.exhausts_in),
        bad_query: String::new(),
        total_query: String::new(),
        time_weighted: false,
        composite,
    })
}

/// The ratio that a rule was held to: the least that it is by what is known.
fn window_evidence(planned: &Planned, whole: &Whole<'_>, window: Span, counting: &[bool]) -> WindowEvidence {
    let seen = whole.held_to(window, counting);
    let is_known = matches!(seen.ratio, Value::Ratio(_)) || seen.least > 0.0;
    let burn = is_known.then(|| seen.least / planned.slo.objective.budget());
    WindowEvidence {
        window,
        from: seen.from,
        to: seen.to,
        bad: 0.0,
        total: 0.0,
        burn,
        coverage: seen.coverage,
        excluded: seen.excluded,
    }
}

/// Which part burns how fast, and how much of it all is its; those that count for the rule first.
fn whose(
    planned: &Planned,
    of: &Parts,
    whole: &Whole<'_>,
    window: Span,
    counting: &[bool],
) -> CompositeEvidence {
    let seen = whole.held_to(window, counting);
    let unknown = whole.standings().map(|(_, why)| why.map(str::to_owned));
    let budget = planned.slo.objective.budget();
    let part = |((part, value), (unknown, counts)): (
        (&crate::engine::plan::PlannedPart, &Value),
        (Option<String>, &bool),
    )| {
        let ratio = match value {
            Value::Ratio(ratio) => Some(*ratio),
            Value::Idle => Some(0.0),
            Value::Unknown => None,
        };
        let weight = part.share(of);
        let all = (of.how == Combine::Weighted && seen.least > 0.0 && *counts).then_some(seen.least);
        let evidence = PartEvidence {
            slo: part.named.slo.to_string(),
            group: part.named.group.clone().unwrap_or_default(),
            weight,
            burn: ratio.map(|ratio| ratio / budget),
            share: ratio.zip(all).map(|(ratio, all)| weight * ratio / all),
            unknown,
        };
        (*counts, evidence)
    };
    let all = of.parts.iter().zip(&seen.parts).zip(unknown.zip(counting));
    let mut parts: Vec<(bool, PartEvidence)> = all.map(part).collect();
    let counts = |part: &PartEvidence| part.weight * part.burn.unwrap_or(-1.0);
    parts
        .sort_by(|(a_counts, a), (b_counts, b)| b_counts.cmp(a_counts).then(counts(b).total_cmp(&counts(a))));
    let parts = parts.into_iter().map(|(_, part)| part).collect();
    CompositeEvidence { how: of.how.as_str().to_owned(), window, of: parts }
}
