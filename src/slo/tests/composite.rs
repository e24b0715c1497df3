//! Composites: what is read of them, and what is refused, by itself and beside other documents.

use super::*;
use crate::slo::composite::{Combine, Composite};
use crate::slo::load_accepted;
use crate::slo::problem::Level;

/// An SLO `shop/name` with these lines in its `spec`.
fn slo(name: &str, lines: &str) -> String {
    let indented: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "---\napiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {name}}}\nspec:\n  service: shop\n{indented}"
    )
}

fn counted(name: &str, more: &str) -> String {
    slo(name, &format!("objective: 99.9\nsli: {{events: {{bad: 'r{{code=\"5\"}}', total: r}}}}\n{more}"))
}

/// What the composite is made of: a counted one, one with groups, and time slices.
fn others() -> String {
    let slices = "objective: 99\nsli: {timeslice: {query: q, good: '< 1', slice: 5m}}";
    counted("pay", "") + &counted("cart", "groupBy: [route, az]") + &slo("probe", slices)
}

/// The composite `shop/whole`; in a text that begins with it its parts stand on line 9, its `as` on line 10.
fn composite(of: &str, how: &str, more: &str) -> String {
    slo("whole", &format!("objective: 99.9\nsli:\n  composite:\n    of: {of}\n    as: {how}\n{more}"))
}

fn made_of(text: &str) -> Composite {
    let slo = good(&format!("{text}{}", others())).remove(0);
    let Sli::Composite(composite) = slo.sli else { panic!("{:?}", slo.sli) };
    composite
}

#[test]
fn parts_are_named_with_groups_and_weights() {
    let worst = made_of(&composite("[shop/pay, {slo: shop/cart, group: {route: /x, az: b}}]", "worst", ""));
    let names: Vec<String> = worst.of.iter().map(ToString::to_string).collect();
    assert_eq!(
        (worst.how, names),
        (Combine::Worst, vec!["shop/pay".into(), "shop/cart (az=b, route=/x)".into()])
    );
    let of = "[{slo: shop/pay, weight: 2.5}, shop/cart, {slo: shop/probe, weight: 0.000001}]";
    let weighted = made_of(&composite(of, "weighted", ""));
    let weights: Vec<u64> = weighted.of.iter().map(|part| part.weight.millionths()).collect();
    assert_eq!((weighted.how, weights), (Combine::Weighted, vec![2_500_000, 1_000_000, 1]));
}

#[test]
fn rules_are_those_of_any_slo_and_pages_ask_for_three_bad_events() {
    let text = composite("[shop/pay]", "worst", "window: {calendar: month}") + &others();
    let slo = good(&text).remove(0);
    let least: Vec<f64> = slo.alerting.rules.iter().map(|rule| rule.min_bad_events.as_f64()).collect();
    assert_eq!(least, [3.0, 3.0, 1.0, 1.0]);
    assert_eq!(names(&slo.alerting.rules)[0], "page 14.4 over 1h and 5m");
    assert_eq!((slo.alive, slo.source, slo.group_by), (None, None, None));
}

#[test]
fn what_a_composite_cannot_be_is_told_at_its_place() {
    let ratio = slo("ratio", "objective: 99\nsli: {ratio: {query: 'rate(x[{{.window}}])'}}");
    let inner = slo("inner", "objective: 99\nsli: {composite: {of: [shop/pay], as: worst}}");
    let long = slo("long", "objective: 99\nsli: {timeslice: {query: q, good: '< 1', slice: 10m}}");
    let rules = "alerting: {rules: [{severity: page, burnRate: 2, long: 1h, short: 10m}]}";
    for (of, how, more, expected) in [
        ("[shop/pay]", "best", "", vec!["10:11 `spec.sli.composite.as` cannot be `best`"]),
        ("[]", "worst", "", vec!["9:11 `spec.sli.composite.of` needs 1 to 20 SLOs"]),
        ("shop/pay", "worst", "", vec!["9:11 `spec.sli.composite.of` must be a list"]),
        ("[pay]", "worst", "", vec!["9:12 `spec.sli.composite.of[0]: pay` is not an SLO"]),
        ("[{slo: shop/pay, wieght: 2}]", "weighted", "", vec!["9:28 unknown field `wieght`"]),
        (
            "[{slo: shop/pay, weight: 2}]",
            "worst",
            "",
            vec!["9:36 `spec.sli.composite.of[0].weight`: the worst"],
        ),
        (
            "[{slo: shop/pay, weight: 0}]",
            "weighted",
            "",
            vec!["9:36 `spec.sli.composite.of[0].weight: 0`: a weight"],
        ),
        (
            "[{slo: shop/pay, weight: -1}]",
            "weighted",
            "",
            vec!["9:36 `spec.sli.composite.of[0].weight: -1`: not"],
        ),
        (
            "[{slo: shop/pay, weight: .inf}]",
            "weighted",
            "",
            vec!["9:36 `spec.sli.composite.of[0].weight: .inf`: not"],
        ),
        ("[shop/pay, {slo: shop/pay, weight: 2}]", "weighted", "", vec!["9:22 `shop/pay` is written twice"]),
        ("[shop/pay]", "worst", "source: global\n", vec!["11:11 `spec.source` cannot stand beside"]),
        ("[shop/pay]", "worst", "groupBy: [route]\n", vec!["11:12 `spec.groupBy` cannot stand beside"]),
        ("[shop/pay]", "worst", "  alive: up\n", vec!["11:12 `spec.sli.alive` cannot stand beside"]),
        (
            "[shop/pay]",
            "worst",
            "  absent: {means: good}\n",
            vec!["11:13 `spec.sli.absent` cannot stand beside"],
        ),
        ("[shop/pya]", "worst", "", vec!["9:12 `shop/pya` is no SLO of these definitions"]),
        ("[shop/pay, shop/whole]", "worst", "", vec!["9:22 `shop/whole` cannot be made of itself"]),
        ("[shop/inner]", "worst", "", vec!["9:12 `shop/inner` is a composite itself"]),
        ("[shop/ratio]", "worst", "", vec!["9:12 `shop/ratio` is a ratio asked per window"]),
        ("[{slo: shop/pay, group: {route: x}}]", "worst", "", vec!["9:12 `shop/pay` has no groups"]),
        (
            "[{slo: shop/cart, group: {route: x}}]",
            "worst",
            "",
            vec!["9:12 the groups of `shop/cart` are by: az, route"],
        ),
        (
            "[shop/long]",
            "worst",
            "",
            vec!["9:12 a time slice of `shop/long` is 10m, longer than the window of 5m"],
        ),
        ("[shop/long]", "worst", rules, vec![]),
        (
            "[shop/nope, shop/inner]",
            "worst",
            "",
            vec!["9:12 `shop/nope` is no SLO", "9:23 `shop/inner` is a composite"],
        ),
    ] {
        let text = format!("{}{}{ratio}{inner}{long}", composite(of, how, more), others());
        let text = text.replacen("---\n", "", 1);
        let problems = listed(&text);
        assert_eq!(problems.len(), expected.len(), "{problems:?}\n{text}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem} / {expected}\n{text}");
        }
    }
}

#[test]
fn composites_of_each_other_are_both_refused() {
    let of = |name: &str, other: &str| {
        slo(name, &format!("objective: 99\nsli: {{composite: {{of: [shop/{other}], as: worst}}}}"))
    };
    let text = of("a", "b") + &of("b", "a");
    let whats: Vec<String> = loaded(&text).problems().map(|p| p.what.clone()).collect();
    assert_eq!(whats, ["`shop/b` is a composite itself", "`shop/a` is a composite itself"]);
    assert_eq!(loaded(&text).slos().count(), 0);
}

#[test]
fn a_part_that_is_broken_elsewhere_is_no_mistake_of_the_composite() {
    let broken = counted("pay", "").replace("99.9", "100");
    let loaded = loaded(&(composite("[shop/pay]", "worst", "") + &broken));
    let ids: Vec<String> = loaded.slos().map(|slo| slo.id.to_string()).collect();
    assert_eq!(ids, ["shop/whole"]);
    assert!(loaded.problems().all(|problem| problem.what.contains("100")));
}

#[test]
fn a_composite_that_was_accepted_is_loaded_by_itself() {
    let file = SourceFile { path: "a.yaml".into(), text: composite("[shop/pay]", "worst", "") };
    assert_eq!(load_accepted(&file, &context()).slos().count(), 1);
    assert_eq!(load(&[file], &context()).slos().count(), 0);
}

#[test]
fn a_composite_drives_no_replicas_but_may_be_looked_at() {
    let policy = |mode: &str| {
        format!(
            "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: a}}\nspec:\n  slos: [shop/whole]\n  target: {{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: a}}\n  replicas: {{min: 3, max: 20}}\n{mode}{}{}",
            composite("[shop/pay]", "worst", ""),
            others()
        )
    };
    let auto = loaded(&policy("  mode: auto\n  saturation: none\n"));
    let problem = auto.problems().next().unwrap();
    assert_eq!((problem.line, problem.column, problem.level), (5, 10, Level::Error));
    assert_eq!(problem.what, "`shop/whole` is a composite without event counts, which drives no replicas");
    assert_eq!((auto.policies().count(), auto.slos().count()), (0, 4));
    assert_eq!(loaded(&policy("")).problems().count(), 0);
}
