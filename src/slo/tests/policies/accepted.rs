//! What a person may write, and what it means when it is not written.

use super::*;
use crate::slo::policy::{Bounds, ScaleMode, Target};
use crate::slo::time::{Span, Step};
use crate::slo::unit::Events;

const WHOLE: &str = r"---
apiVersion: damper.dev/v1
kind: ScalePolicy
metadata:
  name: checkout
  labels: {team: payments}
  annotations: {runbook: https://run/checkout}
spec:
  slos: [shop/pay, {slo: shop/cart, group: {route: /pay}}]
  target: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, namespace: shop, name: checkout.v2}
  mode: auto
  replicas: {min: 1, max: 10000}
  up:
    - {burnRate: 10.5, add: 4, cooldown: 1m}
    - {burnRate: 1.2, add: 1, cooldown: 10m}
  down: {burnRate: 1.1, remove: 1, calm: 10m, cooldown: 1m}
  windows: {short: 1m, long: 10m}
  minBadEvents: 0
  settle: 0s
  maxActionsPerHour: 1
  respectOverride: 2h
  saturation: {query: 'max(rate(cpu_seconds_total[1m]))', scaleAbove: 3, shrinkBelow: 2.5}
  unless: [{query: 'db_connections / db_max', above: 0.9}, {query: 'vector(1)', above: -1}]
";
const CART: &str = "---\napiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: cart}\nspec:\n  service: shop\n  objective: 99\n  sli: {events: {bad: 'c{code=\"5\"}', total: c}}\n  groupBy: [route]\n";

fn only(text: &str) -> ScalePolicy {
    let mut policies = good(text);
    assert_eq!(policies.len(), 1);
    policies.remove(0)
}

#[test]
fn every_field_of_the_format_arrives() {
    let policy = only(&format!("{WHOLE}{CART}"));
    assert_eq!(policy.name, "checkout");
    assert_eq!((policy.labels["team"].as_str(), policy.annotations.len()), ("payments", 1));
    assert_eq!((policy.place.file.as_str(), policy.place.line), ("slos/checkout.yaml", 2));
    let slos: Vec<String> = policy.slos.iter().map(|watched| watched.slo.to_string()).collect();
    assert_eq!(slos, ["shop/pay", "shop/cart"]);
    assert_eq!(
        (&policy.slos[0].group, policy.slos[1].group.as_ref().unwrap()["route"].as_str()),
        (&None, "/pay")
    );
    assert_eq!(policy.target.workload(), ["argoproj.io", "Rollout", "shop", "checkout.v2"]);
    assert_eq!((policy.mode, policy.replicas), (ScaleMode::Auto, Bounds::new(1, 10_000).unwrap()));
    let up: Vec<_> = policy.up.iter().map(|s| (s.burn_rate.value(), s.add, s.cooldown)).collect();
    assert_eq!(up, [(10.5, 4, Span::from_mins(1)), (1.2, 1, Span::from_mins(10))]);
    let down = policy.down;
    assert_eq!(
        (down.burn_rate.value(), down.calm, down.cooldown),
        (1.1, Span::from_mins(10), Span::from_mins(1))
    );
    assert_eq!((policy.windows.short, policy.windows.long), (Span::from_mins(1), Span::from_mins(10)));
    assert_eq!((policy.min_bad_events, policy.settle), (Events::ZERO, Span::ZERO));
    assert_eq!((policy.max_actions_per_hour, policy.respect_override), (1, Span::from_hours(2)));
    let saturation = policy.saturation.unwrap();
    assert_eq!((saturation.scale_above.get(), saturation.shrink_below.get()), (3.0, 2.5));
    assert_eq!(saturation.query, "max(rate(cpu_seconds_total[1m]))");
    let vetoes: Vec<_> = policy.unless.iter().map(|veto| (veto.query.as_str(), veto.above.get())).collect();
    assert_eq!(vetoes, [("db_connections / db_max", 0.9), ("vector(1)", -1.0)]);
}

#[test]
fn what_is_not_written_is_the_basic_rule() {
    let policy = only(&policy("checkout", ""));
    let up: Vec<_> = policy.up.iter().map(|s| (s.burn_rate.value(), s.add, s.cooldown)).collect();
    assert_eq!(up, [(2.0, 2, Span::from_mins(3)), (1.5, 1, Span::from_mins(2))]);
    let down = policy.down;
    assert_eq!(
        (down.burn_rate.value(), down.calm, down.cooldown),
        (0.8, Span::from_mins(5), Span::from_mins(5))
    );
    assert_eq!((policy.windows.short, policy.windows.long), (Span::from_mins(2), Span::from_mins(5)));
    assert_eq!((policy.min_bad_events, policy.settle), (Events::whole(20), Span::from_secs(60)));
    assert_eq!((policy.max_actions_per_hour, policy.respect_override), (12, Span::from_hours(1)));
    assert_eq!((policy.mode, policy.saturation), (ScaleMode::DryRun, None));
    assert!(policy.unless.is_empty() && policy.labels.is_empty() && policy.annotations.is_empty());
}

#[test]
fn the_documented_policy_shows_the_defaults() {
    let page = include_str!("../../../../docs/policies.md");
    let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
    let documented = loaded(yaml).policies().next().cloned().unwrap();
    let default = only(&policy("checkout", "mode: auto\nsaturation: {query: x}"));
    assert_eq!(
        (&documented.up, documented.down, documented.windows),
        (&default.up, default.down, default.windows)
    );
    assert_eq!(
        (documented.min_bad_events, documented.settle, documented.max_actions_per_hour),
        (default.min_bad_events, default.settle, default.max_actions_per_hour)
    );
    assert_eq!(documented.respect_override, default.respect_override);
    let bounds = |policy: &ScalePolicy| policy.saturation.as_ref().map(|s| (s.scale_above, s.shrink_below));
    assert_eq!(bounds(&documented), bounds(&default));
}

#[test]
fn a_saturation_needs_a_query_and_has_bounds() {
    let policy = only(&policy("a", "saturation: {query: max(cpu)}"));
    let saturation = policy.saturation.unwrap();
    assert_eq!((saturation.scale_above.get(), saturation.shrink_below.get()), (0.7, 0.65));
}

#[test]
fn a_policy_that_acts_may_say_that_nothing_tells_how_full_the_workload_is() {
    let policy = only(&policy("a", "mode: auto\nsaturation: none"));
    assert_eq!((policy.mode, policy.saturation), (ScaleMode::Auto, None));
}

#[test]
fn the_default_windows_are_whole_steps_for_every_step() {
    for secs in Step::ALLOWED {
        let step = Step::new(Span::from_secs(secs)).unwrap();
        let context = Context::without_settings(step);
        let text = format!("{}{SLO}", policy("a", ""));
        let loaded = load(&files(&[("a.yaml", text)]), &context);
        let windows = loaded.policies().next().unwrap().windows;
        assert_eq!((windows.short.secs() % step.secs(), windows.long.secs() % step.secs()), (0, 0), "{secs}");
        assert!(windows.short.secs() >= 120 && windows.short < windows.long, "{secs}: {windows:?}");
    }
}

#[test]
fn a_workload_behind_an_actuator_is_a_target() {
    let text = policy("a", "").replace(
        "{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: a}",
        "{actuator: local, name: Check out}",
    );
    let target = Target::Webhook { actuator: "local".into(), name: "Check out".into() };
    assert_eq!(only(&text).target, target);
    for (actuators, hint) in [
        (vec!["local"], None),
        (vec!["locla", "other"], Some("did you mean `locla`?")),
        (vec![], Some("the settings have none; write it under scaling.actuators")),
    ] {
        let actuators = Some(actuators.into_iter().map(str::to_owned).collect());
        let loaded = load(&files(&[("a.yaml", format!("{text}{SLO}"))]), &Context { actuators, ..context() });
        let problem = loaded.problems().next();
        assert_eq!(problem.and_then(|problem| problem.hint.as_deref()), hint, "{problem:?}");
        assert_eq!(loaded.policies().count(), usize::from(hint.is_none()));
    }
}
