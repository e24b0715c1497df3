//! Replicas that a disruption budget keeps. Lowering a count is no eviction, so Kubernetes does not
//! look at budgets then; Damper does.
//!
//! A share is one of the count that is asked for, so of the smaller one once it is lowered, and
//! `maxUnavailable` counts from there too: neither ever forbids to ask for less.

use serde_json::Value;

use super::object::{Labels, Object};

/// How many of `wanted` pods with these labels must stay, for all budgets that select them.
pub(super) fn must_stay(budgets: &[impl AsRef<Object>], labels: &Labels, wanted: u32, old: bool) -> u32 {
    let kept = budgets.iter().filter_map(|budget| kept(budget.as_ref(), labels, wanted, old));
    kept.max().unwrap_or_default()
}

/// `old`: the budget is of `policy/v1beta1`, where an empty selector selects nothing.
fn kept(budget: &Object, labels: &Labels, wanted: u32, old: bool) -> Option<u32> {
    let spec = budget.spec.as_ref()?;
    let selector = spec.selector.as_ref()?;
    if (old && selector.is_empty()) || !selector.selects(labels) {
        return None;
    }
    Some(count(spec.min_available.as_ref()?, wanted.saturating_sub(1))?.min(wanted))
}

/// A count, or a share of `all` rounded up, as the disruption controller rounds it.
fn count(value: &Value, all: u32) -> Option<u32> {
    if let Some(count) = value.as_u64() {
        return Some(u32::try_from(count).unwrap_or(u32::MAX));
    }
    let percent: u64 = value.as_str()?.strip_suffix('%')?.parse().ok()?;
    let share = u64::from(all).saturating_mul(percent).div_ceil(100);
    Some(u32::try_from(share).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn budget(spec: Value) -> Arc<Object> {
        Arc::new(serde_json::from_value(json!({"metadata": {"name": "b"}, "spec": spec})).unwrap())
    }

    fn stays(wanted: u32, budgets: &[Arc<Object>], old: bool) -> u32 {
        let labels = Labels::from([("app".to_owned(), "checkout".to_owned())]);
        must_stay(budgets, &labels, wanted, old)
    }

    #[test]
    fn the_strictest_budget_that_selects_the_pods_counts() {
        let ours = json!({"matchLabels": {"app": "checkout"}});
        let least = |value: Value| budget(json!({"selector": ours, "minAvailable": value}));
        assert_eq!(stays(10, &[least(json!(3))], false), 3);
        assert_eq!(stays(10, &[least(json!("25%"))], false), 3, "of the 9 that would be left, rounded up");
        assert_eq!(stays(10, &[least(json!(3)), least(json!(7))], false), 7);
        assert_eq!(stays(2, &[least(json!(5))], false), 2, "never more than there are");
        let other = json!({"matchLabels": {"app": "cart"}});
        assert_eq!(stays(10, &[budget(json!({"selector": other, "minAvailable": 8}))], false), 0);
        assert_eq!(stays(10, &[least(json!("many"))], false), 0);
        assert_eq!(stays(10, &[], false), 0);
    }

    #[test]
    fn an_empty_selector_selects_all_or_nothing_by_its_version() {
        let all = [budget(json!({"selector": {}, "minAvailable": 4}))];
        assert_eq!((stays(10, &all, false), stays(10, &all, true)), (4, 0));
        let none = [budget(json!({"minAvailable": 4}))];
        assert_eq!(stays(10, &none, false), 0, "no selector selects nothing");
    }

    #[test]
    fn a_budget_that_counts_from_what_is_asked_for_never_keeps_all() {
        let ours = json!({"matchLabels": {"app": "checkout"}});
        for rule in [
            json!({"minAvailable": "90%"}),
            json!({"minAvailable": "100%"}),
            json!({"maxUnavailable": 0}),
            json!({"maxUnavailable": "0%"}),
            json!({"maxUnavailable": 1}),
        ] {
            for wanted in 2..40 {
                let mut spec = rule.clone();
                spec["selector"] = ours.clone();
                let stays = stays(wanted, &[budget(spec)], false);
                assert!(stays < wanted, "{rule} keeps {stays} of {wanted}");
            }
        }
    }
}
