//! What is refused of a policy by itself, and how it is told.

use super::*;

const MANY: &str = r"apiVersion: damper.dev/v1
kind: ScalePolcy
metadata:
  name: Checkout
  labels: {policy: x}
spec:
  slo: [shop/pay]
  slos: [shop/pya, shop, {slo: shop/pay, group: {}}, shop/pya]
  target: {apiVersion: apps, kind: deployment, namespace: Shop, name: a..b}
  mode: auto
  replicas: {min: 5, max: 3}
  up:
    - {burnRate: 1.5, add: 0, cooldown: 0s}
    - {burnRate: 1.5, add: 1, cooldown: 2m}
    - {burnRate: 2.0, add: 2, cooldown: 3m}
  down: {burnRate: 1.5, remove: 2, calm: 5, cooldown: 0s}
  windows: {short: 5m, long: 5m}
  minBadEvents: -1
  settle: 2h
  maxActionsPerHour: 0
  respectOverride: 0s
  unless: [{query: 'a[', above: 1}, {query: a, above: much}, {query: a}]
";

#[test]
fn a_policy_with_many_mistakes_tells_all_of_them_in_one_run() {
    let problems = listed(&format!("{MANY}{SLO}"));
    let expected = [
        (2, "`kind: ScalePolcy` is not known"),
        (4, "`metadata.name: Checkout` is not a name"),
        (5, "`metadata.labels.policy` cannot be set here"),
        (7, "unknown field `slo` in spec"),
        (8, "`shop/pya` is no SLO of these definitions"),
        (8, "`spec.slos[1]: shop` is not an SLO"),
        (8, "`spec.slos[2].group` names no label"),
        (8, "`shop/pya` is written twice"),
        (8, "`shop/pya` is no SLO of these definitions"),
        (9, "`spec.target.apiVersion: apps` is not well-formed"),
        (9, "`spec.target.kind: deployment` is not well-formed"),
        (9, "`spec.target.namespace: Shop` is not well-formed"),
        (9, "`spec.target.name: a..b` is not well-formed"),
        (10, "`spec.mode: auto` needs `spec.saturation`"),
        (11, "`spec.replicas.max: 3` is below min: 5"),
        (13, "`spec.up[0].add: 0` is not a whole number from 1 to 1000"),
        (13, "`spec.up[0].cooldown: 0s` is not between 1s and 1d"),
        (15, "`spec.up[2]` can never match"),
        (16, "down.burnRate 1.5 is not below 1.5"),
        (16, "`spec.down.remove` can only be 1"),
        (16, "`spec.down.calm: 5`"),
        (16, "`spec.down.cooldown: 0s` is not between 1s and 1d"),
        (17, "`spec.windows.short: 5m` is not shorter than long: 5m"),
        (18, "`spec.minBadEvents: -1` is not a whole number"),
        (19, "`spec.settle: 2h` is not between 0s and 1h"),
        (20, "`spec.maxActionsPerHour: 0` is not a whole number from 1 to 120"),
        (21, "`spec.respectOverride: 0s` is not between 1m and 30d"),
        (22, "`spec.unless[0].query`: not PromQL"),
        (22, "`spec.unless[1].above: much` is not a number"),
        (22, "`spec.unless[2].above` is missing"),
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, (line, what)) in problems.iter().zip(expected) {
        assert!(problem.starts_with(&format!("{line}:")) && problem.contains(what), "{problem} / {what}");
    }
}

#[test]
fn a_step_that_can_never_match_is_told_with_its_line_and_a_hint() {
    let text = policy(
        "a",
        "up:\n  - {burnRate: 1.5, add: 1, cooldown: 2m}\n  - {burnRate: 2.0, add: 2, cooldown: 3m}\n",
    );
    insta::assert_snapshot!(rendered(&format!("{text}{SLO}")), @r"
    error: `spec.up[1]` can never match: burnRate 1.5 is asked first, and 2 is not below it
      --> slos/checkout.yaml:11:7
       |
    11 |     - {burnRate: 2.0, add: 2, cooldown: 3m}
       |       ^
       = hint: order the steps from the highest burnRate to the lowest
    ");
}

#[test]
fn each_of_these_is_one_clear_problem() {
    let target = |flow: &str| {
        let whole = "{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: a}";
        policy("a", "").replace(whole, flow)
    };
    for (text, what) in [
        (policy("a", "").replace("  slos: [shop/pay]\n", ""), "`spec.slos` is missing"),
        (policy("a", "").replace("[shop/pay]", "[]"), "`spec.slos` needs 1 to 20 SLOs"),
        (policy("a", "").replace("[shop/pay]", "shop/pay"), "`spec.slos` must be a list"),
        (policy("a", "").replace("[shop/pay]", "[shop/pay/x]"), "`spec.slos[0]: shop/pay/x` is not an SLO"),
        (policy("a", "").replace("[shop/pay]", "[{slo: shop/pay, grup: {}}]"), "unknown field `grup`"),
        (policy("a", "").replace("  replicas: {min: 3, max: 20}\n", ""), "`spec.replicas` is missing"),
        (policy("a", "").replace("min: 3", "min: 0"), "`spec.replicas.min: 0` is not a whole number from 1"),
        (policy("a", "").replace("max: 20", "max: 10001"), "is not a whole number from 1 to 10000"),
        (
            policy("a", "").replace("min: 3, max: 20", "min: 20, max: 19"),
            "`spec.replicas.max: 19` is below min: 20",
        ),
        (policy("a", "").replace("min: 3, max: 20", "max: 20"), "`spec.replicas.min` is missing"),
        (target(""), "`spec.target` is empty"),
        (target("{kind: Deployment, namespace: shop, name: a}"), "`spec.target.apiVersion` is missing"),
        (target("{actuator: x}"), "`spec.target.name` is missing"),
        (
            target("{actuator: x, name: a, kind: Deployment}"),
            "`spec.target.kind` cannot stand beside `actuator`",
        ),
        (target("{actuator: \"x\\n\", name: a}"), "`spec.target.actuator` is not a name"),
        (target("{actuator: x, name: \"\\e[2J\"}"), "is not well-formed"),
        (policy("a", "mode: automatic"), "`spec.mode` cannot be `automatic`"),
        (policy("a", "up: []"), "`spec.up` needs 1 to 10 steps"),
        (
            policy("a", "up: [{burnRate: 2, add: 2, cooldown: 1m}, {burnRate: 2.0, add: 1, cooldown: 1m}]"),
            "`spec.up[1]` can never match: burnRate 2 is asked first",
        ),
        (policy("a", "up: [{burnRate: 2, add: 1}]"), "`spec.up[0].cooldown` is missing"),
        (policy("a", "up: [{burnRate: 0, add: 1, cooldown: 1m}]"), "a burn rate must be above 0"),
        (policy("a", "up: [{burnRate: 0.7, add: 1, cooldown: 1m}]"), "down.burnRate 0.8 is not below 0.7"),
        (policy("a", "down: {burnRate: 1.5}"), "down.burnRate 1.5 is not below 1.5"),
        (policy("a", "down: {remove: one}"), "`spec.down.remove` can only be 1"),
        (policy("a", "down: {remove: 0}"), "`spec.down.remove` can only be 1"),
        (policy("a", "windows: {short: 75s}"), "is not a multiple of the step 30s"),
        (policy("a", "windows: {short: 30s}"), "is not between 1m and 6h"),
        (policy("a", "windows: {short: 10m}"), "`spec.windows.short: 10m` is not shorter than long: 5m"),
        (policy("a", "windows: {long: 2m}"), "`spec.windows.short: 2m` is not shorter than long: 2m"),
        (policy("a", "windows: {long: 7h}"), "is not between 1m and 6h"),
        (policy("a", "saturation: no"), "`spec.saturation` cannot be `no`"),
        (policy("a", "saturation: {scaleAbove: 0.7}"), "`spec.saturation.query` is missing"),
        (policy("a", "saturation: {query: 'rate(x[{{.window}}])'}"), "has no meaning here"),
        (policy("a", "saturation: {query: x, scaleAbove: 0}"), "must be above zero"),
        (policy("a", "saturation: {query: x, scaleAbove: .inf}"), "is not a number"),
        (
            policy("a", "saturation: {query: x, scaleAbove: 0.6}"),
            "`spec.saturation.shrinkBelow: 0.65` is not below",
        ),
        (policy("a", "saturation: {query: x, shrinkBelow: 0.7}"), "is not below scaleAbove: 0.7"),
        (policy("a", &format!("saturation: {{query: '{}x'}}", "(".repeat(100))), "brackets are nested"),
        (policy("a", "unless: {query: x, above: 1}"), "`spec.unless` must be a list"),
        (policy("a", "unless: [{query: 'x[5m]', above: 1}]"), "has no single value"),
        (policy("a", "service: shop"), "unknown field `service` in spec"),
        (policy("a", "").replace("kind: ScalePolicy\n", ""), "`kind` is missing"),
        (
            policy("a", "").replace("damper.dev/v1", "damper.dev/v2"),
            "`apiVersion: damper.dev/v2` is not known",
        ),
    ] {
        let errors = errors(&text);
        assert!(errors.len() == 1 && errors[0].contains(what), "{what}: {errors:?}\n{text}");
    }
}

#[test]
fn a_broken_policy_is_still_known_by_its_name() {
    for text in [policy("a", "windwos: {}"), policy("a", "up: [")] {
        let loaded = loaded(&text);
        let document = &loaded.documents[0];
        assert_eq!(document.id.as_ref().unwrap().to_string(), "ScalePolicy a");
        assert_eq!((document.slos.is_some(), document.policies.len()), (false, 0));
    }
}
