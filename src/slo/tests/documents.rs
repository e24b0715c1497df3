//! Files of many documents, other formats, and what is left of a broken one.

use super::*;
use crate::slo::MAX_FILE;

fn doc(name: &str) -> String {
    counted("").replace("{name: a}", &format!("{{name: {name}}}"))
}

#[test]
fn a_syntax_error_in_one_document_loses_no_other() {
    let text =
        format!("{}---\nmetadata: {{name: broken}}\nspec: {{service: s, sli: [\n---\n{}", doc("a"), doc("b"));
    let loaded = loaded(&text);
    let outcomes: Vec<bool> = loaded.documents.iter().map(|d| d.slos.is_some()).collect();
    assert_eq!(outcomes, [true, false, true]);
    let broken = &loaded.documents[1];
    assert_eq!(broken.id.as_ref().unwrap().to_string(), "ServiceLevelObjective s/broken");
    assert!((7..=10).contains(&broken.problems[0].line), "{:?}", broken.problems);
    assert!(broken.text.contains("broken"));
}

#[test]
fn lines_are_those_of_the_file_with_a_mark_and_windows_line_ends() {
    let text =
        format!("\u{feff}# head\n{}---\n{}", doc("a"), doc("b").replace("99.9", "100")).replace('\n', "\r\n");
    let problems = listed(&text);
    let line = text.lines().position(|l| l.contains("objective: 100")).unwrap() + 1;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with(&format!("{line}:14 ")), "{problems:?}");
    assert_eq!(loaded(&text).documents[0].place.line, 2);
}

#[test]
fn an_id_belongs_to_the_first_document_over_all_files() {
    let file = |path: &str, text: String| SourceFile { path: path.into(), text };
    let loaded =
        load(&[file("a.yaml", doc("x")), file("b.yaml", doc("y") + "---\n" + &doc("x"))], &context());
    let ids: Vec<String> = loaded.slos().map(|s| s.id.to_string()).collect();
    assert_eq!(ids, ["s/x", "s/y"]);
    let problem = loaded.problems().next().unwrap();
    assert_eq!((problem.file.as_str(), problem.what.as_str()), ("b.yaml", "s/x is defined twice"));
    assert_eq!(problem.hint.as_deref(), Some("the first is at a.yaml:1; rename or remove one"));
}

#[test]
fn a_broken_document_is_still_known_by_its_id() {
    let broken = doc("x").replace("service: s", "service: s\n  typo: 1");
    let loaded = loaded(&broken);
    assert_eq!(loaded.documents[0].slos, None);
    assert_eq!(loaded.documents[0].id.as_ref().unwrap().to_string(), "ServiceLevelObjective s/x");
}

#[test]
fn other_formats_are_named() {
    for (text, name) in [
        ("version: prometheus/v1\nservice: a\nslos: []\n", "Sloth"),
        ("apiVersion: sloth.slok.dev/v1\nkind: PrometheusServiceLevel\n", "Sloth"),
        ("apiVersion: pyrra.dev/v1alpha1\nkind: ServiceLevelObjective\n", "Pyrra"),
        ("apiVersion: openslo/v1\nkind: SLO\n", "OpenSLO"),
    ] {
        let problems = listed(text);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].contains(&format!("a definition of {name}")), "{problems:?}");
    }
    assert!(
        listed("apiVersion: damper.dev/v1\nkind: ScaledObject\n")[0]
            .contains("`kind: ScaledObject` is not known")
    );
    assert!(listed("apiVersion: v1\nkind: ConfigMap\n")[0].contains("`apiVersion: v1` is not known"));
    assert!(listed("just words")[0].contains("`apiVersion` is missing"));
    assert!(listed(&counted("").replace("damper.dev/v1", "damper.dev/v2"))[0].contains("is not known"));
}

#[test]
fn files_are_bounded() {
    let large = format!("# {}\n", "x".repeat(MAX_FILE));
    assert!(listed(&large)[0].contains("larger than"));
    assert!(listed("a: 1\rb: 2")[0].contains("carriage return"));
    let many = "---\na: 1\n".repeat(5001);
    let loaded = loaded(&many);
    assert_eq!(loaded.documents.len(), 5001);
    assert!(loaded.documents[5000].problems[0].what.contains("more than 5000 documents"));
}

#[test]
fn empty_files_hold_nothing() {
    for text in ["", "\n", "# a\n---\n# b\n", "---\n...\n", "~\n"] {
        assert!(loaded(text).documents.is_empty(), "{text:?}");
    }
}
