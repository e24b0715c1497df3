//! What only all documents together can tell of policies.

use super::*;

/// An SLO `shop/name` with these lines in its `spec`, each indented by two.
fn slo(name: &str, lines: &str) -> String {
    let indented: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "---\napiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {name}}}\nspec:\n  service: shop\n{indented}"
    )
}

/// A counted one, with a rule that fires whatever the objective.
fn counted(name: &str, more: &str) -> String {
    let sli = "sli: {events: {bad: 'r{code=\"5\"}', total: r}}";
    slo(name, &format!("{sli}\nalerting: {{rules: [{{severity: ticket, burnRate: 1, long: 1h}}]}}\n{more}"))
}

fn watching(slos: &str, lines: &str) -> String {
    policy("a", lines).replace("[shop/pay]", slos)
}

const GROUPED: &str =
    "objective: 99.9\ngroupBy: {labels: [route, az], objectives: [{match: {route: bulk}, objective: 50}]}";
const RATIO: &str = "objective: 99\nsli: {ratio: {query: 'rate(x[{{.window}}])'}}";
const SLICES: &str = "objective: 99\nsli: {timeslice: {query: q, good: '< 1', slice: 1m}}";

#[test]
fn an_slo_that_is_nowhere_is_told_with_the_nearest_name() {
    let text = format!("{}{SLO}", watching("[shop/pya]", ""));
    let loaded = loaded(&text);
    let problem = loaded.problems().next().unwrap();
    assert_eq!((problem.line, problem.column), (6, 10));
    assert_eq!(problem.what, "`shop/pya` is no SLO of these definitions");
    assert_eq!(problem.hint.as_deref(), Some("did you mean `shop/pay`?"));
    assert_eq!(loaded.policies().count(), 0);
    // In another file is near enough.
    let apart = load(&files(&[("a.yaml", policy("a", "")), ("b.yaml", SLO.to_owned())]), &context());
    assert_eq!((names(&apart), apart.problems().count()), (vec!["a"], 0));
}

#[test]
fn an_slo_that_is_broken_elsewhere_is_no_mistake_of_the_policy() {
    let latency = slo(
        "slow",
        "sli: {latency: {histogram: h, objectives: [{percent: 99, within: 300ms}, {percent: 99.9, within: 1.5s}]}}",
    );
    for (broken, watched) in [
        (SLO.replace("99.9", "100"), "[shop/pay]"),
        (SLO.replace("sli:", "sli: ["), "[{slo: shop/pay, group: {route: x}}]"),
        (latency.replace("percent: 99.9", "percent: 100"), "[shop/slow.300ms, shop/slow.1.5s]"),
    ] {
        let set = files(&[("a.yaml", watching(watched, "")), ("b.yaml", broken)]);
        let loaded = load(&set, &context());
        assert_eq!(names(&loaded), ["a"], "{watched}");
        assert!(loaded.problems().all(|problem| problem.file == "b.yaml"));
    }
    // A bound that a good document does not have is one.
    assert_eq!(errors(&format!("{latency}{}", watching("[shop/slow.2s]", ""))).len(), 1);
}

#[test]
fn what_does_not_fit_the_slos_is_told_at_its_place() {
    let up = "up:\n  - {burnRate: 12, add: 2, cooldown: 3m}\n  - {burnRate: 3, add: 1, cooldown: 2m}\n";
    let few = "minBadEvents: 5\n";
    let group = |labels: &str| format!("[{{slo: shop/x, group: {{{labels}}}}}]");
    for (spec, watched, lines, expected) in [
        (GROUPED, "[shop/x]".to_owned(), "", vec![]),
        (GROUPED, group("route: /pay, az: b"), "", vec![]),
        (GROUPED, group("route: /pay"), "", vec!["6:10 the groups of `shop/x` are by: az, route"]),
        (
            GROUPED,
            group("route: /pay, az: b, pod: c"),
            "",
            vec!["6:10 the groups of `shop/x` are by: az, route"],
        ),
        ("objective: 99", group("route: /pay"), "", vec!["6:10 `shop/x` has no groups"]),
        // 12 · 0.1 ≥ 1: with 90 % not even an outage burns so fast.
        (
            "objective: 90",
            "[shop/x]".into(),
            up,
            vec!["10:7 no SLO of this policy can burn 12 times as fast"],
        ),
        ("objective: 90", "[shop/pay, shop/x]".into(), up, vec![]),
        ("objective: 60", "[shop/x]".into(), up, vec!["10:7 no SLO", "11:7 no SLO"]),
        // Only the named group's objective counts, and of all groups the strictest.
        (
            GROUPED,
            group("route: bulk, az: b"),
            "",
            vec!["6:3 no SLO of this policy can burn 2 times as fast"],
        ),
        (GROUPED, group("route: bulk2, az: b"), "", vec![]),
        (RATIO, "[shop/x]".into(), "", vec![]),
        (
            RATIO,
            "[shop/x]".into(),
            "mode: auto\nsaturation: none\n",
            vec!["6:10 `shop/x` is a ratio without"],
        ),
        (
            SLICES,
            "[shop/x]".into(),
            "",
            vec!["6:3 nothing is ever added: 20 bad events are needed, and 5m holds"],
        ),
        (SLICES, "[shop/x, shop/pay]".into(), "", vec![]),
        (SLICES, "[shop/x]".into(), few, vec![]),
        (SLICES, "[shop/x]".into(), "minBadEvents: 6\n", vec!["9:17 nothing is ever added: 6 bad events"]),
    ] {
        let definition = if spec.contains("sli:") { slo("x", spec) } else { counted("x", spec) };
        let text = format!("{}{definition}{SLO}", watching(&watched, lines));
        let problems = listed(&text);
        assert_eq!(problems.len(), expected.len(), "{problems:?}\n{text}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem} / {expected}\n{text}");
        }
    }
}

#[test]
fn a_window_shorter_than_a_time_slice_never_says_anything() {
    let long = SLICES.replace("1m", "5m");
    let text = format!("{}{}", watching("[shop/x]", "minBadEvents: 1\n"), slo("x", &long));
    assert_eq!(errors(&text), ["spec.windows.short is 2m, shorter than a time slice of 5m"]);
}

#[test]
fn two_policies_on_one_target_are_both_refused() {
    let one = policy("one", "").replace("name: one}\n  replicas", "name: web}\n  replicas");
    let two = policy("two", "").replace("name: two}\n  replicas", "name: web}\n  replicas");
    // The same deployment, whatever version of its group it is called by.
    for version in ["apps/v1", "apps/v1beta2"] {
        let two = two.replace("apps/v1", version);
        let set = files(&[("1.yaml", one.clone()), ("2.yaml", two), ("s.yaml", SLO.to_owned())]);
        let loaded = load(&set, &context());
        let problems: Vec<String> =
            loaded.problems().map(|p| format!("{}:{}:{} {}", p.file, p.line, p.column, p.what)).collect();
        assert_eq!(
            problems,
            [
                "1.yaml:7:11 policy two at 2.yaml:2 scales this target too",
                "2.yaml:7:11 policy one at 1.yaml:2 scales this target too"
            ]
        );
        assert!(names(&loaded).is_empty() && loaded.slos().count() == 1);
    }
    let elsewhere = two.replace("namespace: shop", "namespace: stage");
    let set = files(&[("1.yaml", one.clone()), ("2.yaml", elsewhere), ("s.yaml", SLO.to_owned())]);
    assert_eq!(names(&load(&set, &context())), ["one", "two"]);
    // One that is refused anyway takes nothing from the other.
    let broken = files(&[("1.yaml", one), ("2.yaml", two + "  typo: 1\n"), ("s.yaml", SLO.to_owned())]);
    assert_eq!(names(&load(&broken, &context())), ["one"]);
}

#[test]
fn a_name_belongs_to_the_first_policy_and_to_no_slo() {
    let set = [
        ("1.yaml", policy("pay", "")),
        ("2.yaml", policy("pay", "mode: dryRun")),
        ("s.yaml", SLO.to_owned()),
    ];
    let loaded = load(&files(&set), &context());
    let problem = loaded.problems().next().unwrap();
    assert_eq!((problem.file.as_str(), problem.what.as_str()), ("2.yaml", "policy pay is defined twice"));
    assert_eq!(problem.hint.as_deref(), Some("the first is at 1.yaml:2; rename or remove one"));
    assert_eq!((names(&loaded), loaded.slos().count(), loaded.problems().count()), (vec!["pay"], 1, 1));
}

#[test]
fn problems_of_the_set_stand_in_the_order_of_the_file() {
    let text = format!("{}{SLO}", watching("[shop/x]", "windwos: {}"));
    let lines: Vec<String> = listed(&text).iter().map(|p| p.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["6:10", "9:3"]);
}

#[test]
fn thousands_of_unknown_slos_are_told_in_time() {
    let slos: String =
        (0..2000).map(|i| counted(&format!("objective-number-{i}"), "objective: 99")).collect();
    let unknown = (0..20).map(|i| format!("shop/objective-numbre-{i}")).collect::<Vec<_>>().join(", ");
    let policies: String =
        (0..500).map(|i| policy(&format!("p{i}"), "").replace("shop/pay", &unknown)).collect();
    let loaded = load(&files(&[("a.yaml", policies), ("s.yaml", slos)]), &context());
    assert_eq!(loaded.problems().count(), 10_000);
}
