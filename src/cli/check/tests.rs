//! What is printed of files.

use serde_json::{Value, json};

use super::*;
use crate::slo::time::Step;

const GOOD: &str = "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {name: NAME}\nspec:\n  service: s\n  objective: 99.9\n  sli: {timeslice: {query: up, good: '> 0'}}\n";

fn run(files: &[(&str, &str)], output: Output, verbose: bool) -> (u8, String) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let (code, text) = run_at(&[dir.path().to_owned()], output, verbose);
    (code, text.replace(&format!("{}/", dir.path().display()), ""))
}

fn run_at(paths: &[PathBuf], output: Output, verbose: bool) -> (u8, String) {
    let context = Context::without_settings(Step::DEFAULT);
    let mut out = Vec::new();
    let verdict = match read(paths, &context) {
        Ok(checked) => report(&checked, output, verbose, &mut out),
        Err(why) => usage(&why, output, &mut out),
    };
    let verdict = verdict.unwrap();
    (verdict.exit_code(), String::from_utf8(out).unwrap())
}

#[test]
fn good_files_end_with_zero_and_show_their_rules_when_asked() {
    let (code, text) = run(&[("a.yaml", &GOOD.replace("NAME", "a"))], Output::Text, true);
    assert_eq!(code, 0);
    insta::assert_snapshot!(text, @r"
    s/a  99.9% over 28d  (a.yaml:1)
      page 13.44 over 1h and 5m
      page 5.6 over 6h and 30m
      ticket 2.8 over 1d and 2h
      ticket 1 over 3d and 6h

    1 SLO in 1 file, 0 problems
    ");
}

#[test]
fn an_slo_in_shadow_mode_says_so() {
    let shadow = GOOD.replace("NAME", "a") + "  alerting: {mode: shadow}\n";
    let (_, text) = run(&[("a.yaml", &shadow)], Output::Text, true);
    assert!(
        text.contains("(a.yaml:1)\n  in shadow mode: nobody is told of its alerts\n  page 13.44"),
        "{text}"
    );
    let (_, text) = run(&[("a.yaml", &shadow)], Output::Json, false);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["slos"][0]["shadow"], json!(true));
}

#[test]
fn a_file_in_which_nothing_is_defined_is_told() {
    for text in ["", "# apiVersion: damper.dev/v1\n", "---\n---\n"] {
        let (code, told) =
            run(&[("a.yaml", &GOOD.replace("NAME", "a")), ("b.yaml", text)], Output::Text, false);
        assert_eq!(code, 0, "{told}");
        assert!(
            told.starts_with("notice: this file holds no document") && told.contains("b.yaml:1:1"),
            "{told}"
        );
        assert!(told.ends_with("1 SLO in 2 files, 0 problems, 1 notice\n"), "{told}");
    }
}

#[test]
fn problems_of_all_files_are_told_with_their_lines() {
    let bad = GOOD.replace("NAME", "b").replace("99.9", "100").replace("query", "qeury");
    let (code, text) = run(&[("a.yaml", &GOOD.replace("NAME", "a")), ("b.yaml", &bad)], Output::Text, false);
    assert_eq!(code, 1);
    assert!(text.contains("--> b.yaml:6:14\n  |\n6 |   objective: 100\n"), "{text}");
    assert!(text.contains("did you mean `query`?"), "{text}");
    assert!(text.ends_with("1 SLO in 2 files, 3 problems\n"), "{text}");
}

#[test]
fn programs_get_one_object() {
    let bad = GOOD.replace("NAME", "b").replace("99.9", "100");
    let (code, text) = run(&[("a.yaml", &GOOD.replace("NAME", "a")), ("b.yaml", &bad)], Output::Json, false);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 1);
    assert_eq!(answer["slos"][0]["id"], "s/a");
    assert_eq!(answer["slos"][0]["objective"], "99.9");
    assert_eq!(
        (&answer["problems"][0]["line"], &answer["problems"][0]["level"]),
        (&6.into(), &"error".into())
    );
}

#[test]
fn policies_are_counted_and_listed() {
    let policy = "---\napiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {name: a}\nspec:\n  slos: [s/a, {slo: s/b, group: {route: /pay}}]\n  target: {apiVersion: apps/v1, kind: Deployment, namespace: shop, name: a}\n  mode: auto\n  replicas: {min: 3, max: 20}\n  saturation: none\n  minBadEvents: 2\n";
    let files = format!(
        "{}---\n{}  groupBy: [route]\n{policy}",
        GOOD.replace("NAME", "a"),
        GOOD.replace("NAME", "b")
    );
    let (code, text) = run(&[("a.yaml", &files)], Output::Text, true);
    assert_eq!(code, 0, "{text}");
    let end = &text[text.find("policy a").unwrap()..];
    insta::assert_snapshot!(end, @r#"
    policy a  auto of apps/v1 Deployment shop/a, 3 to 20 replicas  (a.yaml:18)
      watches s/a
      watches s/b{route="/pay"}
      burn 2 adds 2, then waits 3m
      burn 1.5 adds 1, then waits 2m
      burn below 0.8 for 5m gives back 1, then waits 5m

    2 SLOs and 1 policy in 1 file, 0 problems
    "#);
    let (_, text) = run(&[("a.yaml", &files)], Output::Json, false);
    let answer: Value = serde_json::from_str(&text).unwrap();
    let listed = json!([{
        "name": "a",
        "slos": ["s/a", "s/b{route=\"/pay\"}"],
        "target": "apps/v1 Deployment shop/a",
        "mode": "auto",
        "replicas": { "min": 3, "max": 20 },
        "file": "a.yaml",
        "line": 18,
    }]);
    assert_eq!(answer["policies"], listed);
}

#[test]
fn composites_say_what_they_are_made_of() {
    let composite = |name: &str, sli: &str| {
        GOOD.replace("NAME", name).replace("{timeslice: {query: up, good: '> 0'}}", sli)
    };
    let files = [
        GOOD.replace("NAME", "a"),
        GOOD.replace("NAME", "b") + "  groupBy: [route]\n",
        composite(
            "mean",
            "{composite: {of: [{slo: s/a, weight: 3}, {slo: s/b, group: {route: /x}}], as: weighted}}",
        ),
        composite("most", "{composite: {of: [s/a, s/b], as: worst}}"),
    ];
    let files = files.join("---\n");
    let (code, text) = run(&[("a.yaml", &files)], Output::Text, true);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("\n  weighted: 75% s/a, 25% s/b (route=/x)\n  page 13.44"), "{text}");
    assert!(text.contains("\n  worst of s/a, s/b\n"), "{text}");
    let (_, text) = run(&[("a.yaml", &files)], Output::Json, false);
    let answer: Value = serde_json::from_str(&text).unwrap();
    let expected = json!({"as": "weighted", "of": [
        {"slo": "s/a", "group": null, "weight": 3.0}, {"slo": "s/b", "group": {"route": "/x"}, "weight": 1.0}
    ]});
    assert_eq!((&answer["slos"][2]["composite"], &answer["slos"][0]["composite"]), (&expected, &Value::Null));
}

#[test]
fn missing_paths_and_empty_folders_are_usage_errors() {
    let (code, text) = run_at(&[PathBuf::from("/nowhere/at/all")], Output::Text, false);
    assert_eq!((code, text.as_str()), (2, "error: no such file or folder: /nowhere/at/all\n"));
    assert_eq!(run(&[("readme.md", "x")], Output::Text, false).0, 2);
}
