//! `damper check PATH…`: all problems of all definitions in one run.
//!
//! [`read`] gathers, [`report`] prints; [`live`] asks a Prometheus and adds its problems in between.

pub(super) mod command;
pub mod live;
mod policy;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::service::files;
use crate::slo::model::{Sli, Slo};
use crate::slo::problem::{Level, Problem, render};
use crate::slo::{Context, Loaded, SourceFile, load};

/// Problems shown on a terminal; the rest is counted.
const SHOWN: usize = 200;

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One object for programs.
    Json,
}

/// How the command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// No errors.
    Good,
    /// At least one error.
    Problems,
    /// Nothing to check: a path is missing, or no file was found.
    Usage,
}

impl Verdict {
    /// 0 good, 1 problems, 2 usage.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Problems => 1,
            Self::Usage => 2,
        }
    }
}

/// Everything that was read and what is known about it.
#[derive(Debug)]
pub struct Checked {
    /// The files, for showing lines.
    pub files: Vec<SourceFile>,
    /// Documents, SLOs and policies.
    pub loaded: Loaded,
    /// Problems outside of documents: unreadable files, answers of a live server.
    pub more: Vec<Problem>,
    /// What a live server said; `None` when none was asked.
    pub live: Option<live::Live>,
}

/// Reads and checks; the error says why there is nothing to check.
pub fn read(paths: &[PathBuf], context: &Context) -> Result<Checked, String> {
    let found = files::files(paths);
    if !found.missing.is_empty() {
        let missing: Vec<String> = found.missing.iter().map(|p| p.display().to_string()).collect();
        return Err(format!("no such file or folder: {}", missing.join(", ")));
    }
    if found.files.is_empty() && found.problems.is_empty() {
        let given: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        return Err(format!("no *.yaml or *.yml in: {}", given.join(", ")));
    }
    let loaded = load(&found.files, context);
    Ok(Checked { files: found.files, loaded, more: found.problems, live: None })
}

/// Prints problems, SLOs and policies where asked, and a summary.
pub fn report(checked: &Checked, output: Output, verbose: bool, out: &mut dyn Write) -> io::Result<Verdict> {
    let problems: Vec<&Problem> = checked.loaded.problems().chain(&checked.more).collect();
    let errors = problems.iter().filter(|p| p.level == Level::Error).count();
    match output {
        Output::Json => as_json(checked, &problems, out)?,
        Output::Text => as_text(checked, &problems, errors, verbose, out)?,
    }
    let gave_up = checked.live.as_ref().is_some_and(|live| live.gave_up.is_some());
    Ok(if errors == 0 && !gave_up { Verdict::Good } else { Verdict::Problems })
}

fn usage(why: &str, output: Output, out: &mut dyn Write) -> io::Result<Verdict> {
    match output {
        Output::Json => writeln!(out, "{}", json!({ "error": why }))?,
        Output::Text => writeln!(out, "error: {why}")?,
    }
    Ok(Verdict::Usage)
}

fn as_text(
    checked: &Checked,
    problems: &[&Problem],
    errors: usize,
    verbose: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let texts: HashMap<&str, &str> =
        checked.files.iter().map(|f| (f.path.as_str(), f.text.as_str())).collect();
    for problem in problems.iter().take(SHOWN) {
        writeln!(out, "{}", render(problem, texts.get(problem.file.as_str()).copied().unwrap_or_default()))?;
    }
    if problems.len() > SHOWN {
        writeln!(out, "… and {} more\n", problems.len() - SHOWN)?;
    }
    let mut slos = 0;
    for slo in checked.loaded.slos() {
        slos += 1;
        if verbose {
            describe(slo, checked.live.as_ref().and_then(|live| live.slos.get(&slo.id.to_string())), out)?;
        }
    }
    let mut policies = 0;
    for policy in checked.loaded.policies() {
        policies += 1;
        if verbose {
            policy::describe(policy, out)?;
        }
    }
    let notices = match problems.len() - errors {
        0 => String::new(),
        n => format!(", {}", counted(n, "notice")),
    };
    let policies = match policies {
        0 => String::new(),
        1 => " and 1 policy".to_owned(),
        n => format!(" and {n} policies"),
    };
    let (slos, files) = (counted(slos, "SLO"), counted(checked.files.len(), "file"));
    writeln!(out, "{slos}{policies} in {files}, {}{notices}", counted(errors, "problem"))?;
    if let Some(why) = checked.live.as_ref().and_then(|live| live.gave_up.as_ref()) {
        writeln!(
            out,
            "error: {why}\n  the files were checked; what needs the live server was not, or not in whole"
        )?;
    }
    Ok(())
}

/// `1 file`, `2 files`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn describe(slo: &Slo, found: Option<&live::Found>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}  {} over {}  ({}:{})",
        slo.id, slo.objective, slo.period, slo.place.file, slo.place.line
    )?;
    if matches!(slo.sli, Sli::Direct { .. }) {
        writeln!(out, "  asked per window, weighted by time")?;
    }
    if let Some(found) = found {
        let groups = found.groups.map_or(String::new(), |n| format!(", {n} groups"));
        let pace = found.scrape_seconds.map_or(String::new(), |n| format!(", scraped about every {n}s"));
        writeln!(out, "  {} series{groups}{pace}", found.series)?;
    }
    for rule in &slo.alerting.rules {
        writeln!(out, "  {}", rule.name())?;
    }
    writeln!(out)
}

fn as_json(checked: &Checked, problems: &[&Problem], out: &mut dyn Write) -> io::Result<()> {
    let slo = |slo: &Slo| {
        let rules: Vec<String> = slo.alerting.rules.iter().map(crate::slo::model::Rule::name).collect();
        json!({
            "id": slo.id.to_string(),
            "objective": slo.objective.to_string().trim_end_matches('%'),
            "window": slo.period.to_string(),
            "rules": rules,
            "file": slo.place.file,
            "line": slo.place.line,
            "live": checked.live.as_ref().and_then(|live| live.slos.get(&slo.id.to_string())),
        })
    };
    let slos: Vec<Value> = checked.loaded.slos().map(slo).collect();
    let policies: Vec<Value> = checked.loaded.policies().map(policy::as_json).collect();
    let gave_up = checked.live.as_ref().and_then(|live| live.gave_up.as_ref());
    let all = json!({
        "files": checked.files.len(),
        "slos": slos,
        "policies": policies,
        "problems": problems,
        "error": gave_up,
    });
    writeln!(out, "{all:#}")
}

#[cfg(test)]
mod tests {
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
    fn problems_of_all_files_are_told_with_their_lines() {
        let bad = GOOD.replace("NAME", "b").replace("99.9", "100").replace("query", "qeury");
        let (code, text) =
            run(&[("a.yaml", &GOOD.replace("NAME", "a")), ("b.yaml", &bad)], Output::Text, false);
        assert_eq!(code, 1);
        assert!(text.contains("--> b.yaml:6:14\n  |\n6 |   objective: 100\n"), "{text}");
        assert!(text.contains("did you mean `query`?"), "{text}");
        assert!(text.ends_with("1 SLO in 2 files, 3 problems\n"), "{text}");
    }

    #[test]
    fn programs_get_one_object() {
        let bad = GOOD.replace("NAME", "b").replace("99.9", "100");
        let (code, text) =
            run(&[("a.yaml", &GOOD.replace("NAME", "a")), ("b.yaml", &bad)], Output::Json, false);
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
    fn missing_paths_and_empty_folders_are_usage_errors() {
        let (code, text) = run_at(&[PathBuf::from("/nowhere/at/all")], Output::Text, false);
        assert_eq!((code, text.as_str()), (2, "error: no such file or folder: /nowhere/at/all\n"));
        assert_eq!(run(&[("readme.md", "x")], Output::Text, false).0, 2);
    }
}
