//! No text panics, and every policy that comes out keeps the rules.

use proptest::prelude::*;

use super::super::properties::mutated;
use super::*;
use crate::slo::time::Step;

const SEEDS: [&str; 2] = [
    "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {name: a, labels: {x: y}}\nspec:\n  slos: [shop/pay]\n  target: {apiVersion: apps/v1, kind: Deployment, namespace: n, name: a}\n  mode: auto\n  replicas: {min: 3, max: 20}\n  up:\n    - {burnRate: 2.0, add: 2, cooldown: 3m}\n    - {burnRate: 1.5, add: 1, cooldown: 2m}\n  down: {burnRate: 0.8, remove: 1, calm: 5m, cooldown: 5m}\n  windows: {short: 2m, long: 5m}\n  saturation: {query: 'max(x)', scaleAbove: 0.7, shrinkBelow: 0.65}\n  unless: [{query: 'a / b', above: 0.9}]\n",
    "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata:\n  name: b\nspec:\n  slos:\n    - slo: shop/pay\n  target:\n    actuator: local\n    name: b\n  replicas: &r {min: 1, max: 2}\n  minBadEvents: 1\n  settle: 30s\n  maxActionsPerHour: 6\n  respectOverride: 2h\n  saturation: none\n",
];

/// Pieces that mean something to YAML or to us.
const PIECES: [&str; 26] = [
    "---\n",
    "\n",
    "  ",
    "\t",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "&a ",
    "*r",
    "<<: ",
    "| ",
    "#",
    "\u{0}",
    "99999999999999999999",
    "-1",
    "0",
    "0s",
    "1e999",
    "none",
    "shop/pay",
    "slos: ",
];

fn keeps_the_rules(policy: &ScalePolicy) {
    let step = Step::DEFAULT.secs();
    assert!(!policy.name.is_empty() && !policy.slos.is_empty() && policy.place.line > 0);
    assert!(policy.replicas.min() >= 1 && policy.replicas.min() <= policy.replicas.max());
    assert!(!policy.up.is_empty());
    assert!(policy.up.windows(2).all(|pair| pair[1].burn_rate < pair[0].burn_rate));
    assert!(policy.up.iter().all(|up| up.add >= 1 && !up.cooldown.is_zero()));
    assert!(policy.up.iter().all(|up| policy.down.burn_rate < up.burn_rate));
    assert!(!policy.down.cooldown.is_zero() && policy.max_actions_per_hour >= 1);
    let (short, long) = (policy.windows.short, policy.windows.long);
    assert!(short < long && short.secs() >= 2 * step && short.secs() % step == 0 && long.secs() % step == 0);
    assert!(policy.target.workload()[3].trim() != "" && !policy.respect_override.is_zero());
    if let Some(saturation) = &policy.saturation {
        assert!(saturation.shrink_below < saturation.scale_above && saturation.shrink_below.get() > 0.0);
    }
}

fn holds(text: &str) {
    let text = format!("{text}\n{SLO}");
    let loaded = loaded(&text);
    loaded.policies().for_each(keeps_the_rules);
    for problem in loaded.problems() {
        assert!(problem.line > 0 && problem.column > 0, "{problem:?}");
        let _ = crate::slo::problem::render(problem, &text);
    }
    for document in &loaded.documents {
        let refused = document.problems.iter().any(|p| p.level == Level::Error);
        assert_eq!(document.slos.is_none(), refused);
        let holds = document.slos.as_ref().map_or(0, Vec::len) + document.policies.len();
        assert_eq!(holds == 0, refused, "{document:?}");
    }
}

#[test]
fn the_seeds_are_policies() {
    for seed in SEEDS {
        assert_eq!(good(seed).len(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutations_of_policies_never_panic_and_keep_the_rules(text in mutated(&SEEDS, &PIECES)) {
        holds(&text);
    }

    #[test]
    fn swapped_scalars_never_panic_and_keep_the_rules(
        words in prop::collection::vec("([0-9]{1,4}[sm]?)|([0-9]\\.[0-9]{1,7})|([a-z0-9./:{}\\[\\]\"'-]{0,12})", 12),
    ) {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = words.as_slice() else { unreachable!() };
        holds(&format!(
            "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: {a}}}\nspec:\n  slos: [shop/pay]\n  target: {{actuator: {b}, name: {c}}}\n  replicas: {{min: {d}, max: {e}}}\n  up: [{{burnRate: {f}, add: {g}, cooldown: {h}}}]\n  down: {{burnRate: {i}, calm: {j}}}\n  windows: {{short: {k}, long: {l}}}\n"
        ));
    }
}
