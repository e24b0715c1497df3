//! What the documents and the ready files say is true: every example loads, every rule is tested.

use std::path::{Path, PathBuf};
use std::process::Command;

use damper::settings::Settings;
use damper::slo::time::Step;
use damper::slo::{Context, SourceFile, load};

use crate::support::prometheus::Version;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and docs, with their text.
fn documents() -> Vec<(PathBuf, String)> {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let all =
        docs.chain([root().join("README.md")]).filter(|path| path.extension().is_some_and(|e| e == "md"));
    all.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The YAML blocks of a document.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match &mut block {
            None if line == "```yaml" => block = Some(String::new()),
            Some(_) if line == "```" => found.extend(block.take()),
            Some(text) => text.push_str(&format!("{line}\n")),
            None => {}
        }
    }
    found
}

#[test]
fn every_definition_in_the_documents_loads() {
    let mut seen = 0;
    for (path, text) in documents() {
        let mut slo = String::new();
        for mut block in blocks(&text).into_iter().filter(|block| block.contains("apiVersion: damper.dev/v1"))
        {
            match block.contains("kind: ServiceLevelObjective") {
                true => slo.clone_from(&block),
                // A policy by itself is about the SLO that the document showed before.
                false => block.insert_str(0, &format!("{slo}---\n")),
            }
            let file = SourceFile { path: path.display().to_string(), text: block.clone() };
            let loaded = load(&[file], &Context::without_settings(Step::DEFAULT));
            let problems: Vec<_> = loaded.problems().collect();
            assert!(problems.is_empty(), "{block}\n{problems:#?}");
            seen += loaded.slos().count();
        }
    }
    assert!(seen >= 8, "only {seen} SLOs were found in the documents");
}

#[test]
fn the_settings_that_the_readme_begins_with_load() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for block in blocks(&text).into_iter().filter(|block| block.contains("definitions:")) {
        let file = folder.path().join("damper.yaml");
        std::fs::write(&file, &block).unwrap();
        Settings::load(&file, &[]).unwrap_or_else(|error| panic!("{block}\n{error}"));
        seen += 1;
    }
    assert_eq!(seen, 1);
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    for (path, text) in documents() {
        // What stands in back ticks is no link.
        let prose: String = text.split('`').step_by(2).collect();
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if target.starts_with("http") || target.is_empty() {
                continue;
            }
            assert!(path.parent().unwrap().join(target).exists(), "{}: {link}", path.display());
        }
    }
}

#[test]
fn the_ready_definitions_have_no_problems() {
    let output = Command::new(env!("CARGO_BIN_EXE_damper"))
        .args(["check", "slos", "examples/demo/slos", "--output", "json", "--step", "5s"])
        .current_dir(root())
        .output()
        .unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{answer:#}");
    assert_eq!(answer["problems"], serde_json::json!([]));
    assert!(answer["slos"].as_array().unwrap().len() >= 8);
}

#[test]
fn the_rules_that_watch_damper_fire_when_they_should() {
    for version in Version::ALL {
        let folder = root().join("deploy");
        version.promtool().run(&["check", "rules", "prometheus-rules.yaml"], &folder);
        version.promtool().run(&["test", "rules", "prometheus-rules.test.yaml"], &folder);
    }
}

#[test]
fn rules_and_definitions_use_metrics_that_damper_has() {
    let known = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    for file in ["deploy/prometheus-rules.yaml", "slos/damper.yaml"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let mut seen = 0;
        for metric in words.filter(|word| word.starts_with("damper_")) {
            assert!(known.contains(&format!("`{metric}`")), "{file}: {metric} is not in docs/metrics.md");
            seen += 1;
        }
        assert!(seen > 0, "{file}");
    }
}
