//! What was found, printed: for people or for programs.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Checked, Output, Verdict, live, policy};
use crate::engine::words::percent;
use crate::slo::composite::{Combine, Composite, Part};
use crate::slo::listed::counted;
use crate::slo::model::{AlertMode, Sli, Slo};
use crate::slo::problem::{Level, Problem, render};

/// Problems shown on a terminal; the rest is counted.
const SHOWN: usize = 200;

/// Prints problems, SLOs and policies where asked, and a summary.
pub fn report(checked: &Checked, output: Output, verbose: bool, out: &mut dyn Write) -> io::Result<Verdict> {
    let problems: Vec<&Problem> = checked.loaded.problems().chain(&checked.more).collect();
    let errors = problems.iter().filter(|p| p.level == Level::Error).count();
    match output {
        Output::Json => as_json(checked, &problems, out)?,
        Output::Text => as_text(checked, &problems, errors, verbose, out)?,
    }
    Ok(if errors == 0 && gave_up(checked).is_none() { Verdict::Good } else { Verdict::Problems })
}

/// Why a server that was to be asked was not, or not in whole.
fn gave_up(checked: &Checked) -> Option<&String> {
    let live = checked.live.as_ref().and_then(|live| live.gave_up.as_ref());
    live.or(checked.kube.as_ref().and_then(|kube| kube.gave_up.as_ref()))
}

pub(in crate::cli) fn usage(why: &str, output: Output, out: &mut dyn Write) -> io::Result<Verdict> {
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
        // Whoever asks the cluster wants to see what is there.
        if verbose || checked.kube.is_some() {
            let asked = checked.live.as_ref().and_then(|live| live.policies.get(&policy.name));
            let found = checked.kube.as_ref().and_then(|kube| kube.policies.get(&policy.name));
            policy::describe(policy, asked, found, verbose, out)?;
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
    let live = checked.live.as_ref().and_then(|live| live.gave_up.as_ref());
    let kube = checked.kube.as_ref().and_then(|kube| kube.gave_up.as_ref());
    for (why, what) in [(live, "the live server"), (kube, "the cluster")] {
        if let Some(why) = why {
            writeln!(
                out,
                "error: {why}\n  the files were checked; what needs {what} was not, or not in whole"
            )?;
        }
    }
    Ok(())
}

fn describe(slo: &Slo, found: Option<&live::Found>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}  {} over {}  ({}:{})",
        slo.id, slo.objective, slo.period, slo.place.file, slo.place.line
    )?;
    if slo.alerting.mode == AlertMode::Shadow {
        writeln!(out, "  in shadow mode: nobody is told of its alerts")?;
    }
    if matches!(slo.sli, Sli::Direct { .. }) {
        writeln!(out, "  asked per window, weighted by time")?;
    }
    if let Sli::Composite(composite) = &slo.sli {
        writeln!(out, "  {}", made_of(composite))?;
    }
    if let Some(found) = found {
        let groups = found.groups.map_or(String::new(), |n| format!(", {}", counted(n, "group")));
        let pace = found.scrape_seconds.map_or(String::new(), |n| format!(", scraped about every {n}s"));
        writeln!(out, "  {} series{groups}{pace}", found.series)?;
    }
    for rule in &slo.alerting.rules {
        writeln!(out, "  {}", rule.name())?;
    }
    writeln!(out)
}

/// `worst of shop/a, shop/b`, or `weighted: 75% shop/a, 25% shop/b (route=/pay)`.
fn made_of(composite: &Composite) -> String {
    let parts = composite.of.iter();
    match composite.how {
        Combine::Worst => {
            format!("worst of {}", parts.map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        Combine::Weighted => {
            let all: f64 = composite.of.iter().map(|part| part.weight.value()).sum();
            let part = |part: &Part| format!("{} {part}", percent(part.weight.value() / all));
            format!("weighted: {}", parts.map(part).collect::<Vec<_>>().join(", "))
        }
    }
}

fn parts_json(composite: &Composite) -> Value {
    let part = |part: &Part| json!({ "slo": part.slo.to_string(), "group": part.group, "weight": part.weight.value() });
    json!({ "as": composite.how.as_str(), "of": composite.of.iter().map(part).collect::<Vec<_>>() })
}

fn as_json(checked: &Checked, problems: &[&Problem], out: &mut dyn Write) -> io::Result<()> {
    let slo = |slo: &Slo| {
        let rules: Vec<String> = slo.alerting.rules.iter().map(crate::slo::model::Rule::name).collect();
        let composite = match &slo.sli {
            Sli::Composite(composite) => Some(parts_json(composite)),
            _ => None,
        };
        json!({
            "id": slo.id.to_string(),
            "composite": composite,
            "objective": slo.objective.to_string().trim_end_matches('%'),
            "window": slo.period.to_string(),
            "shadow": slo.alerting.mode == AlertMode::Shadow,
            "rules": rules,
            "file": slo.place.file,
            "line": slo.place.line,
            "live": checked.live.as_ref().and_then(|live| live.slos.get(&slo.id.to_string())),
        })
    };
    let slos: Vec<Value> = checked.loaded.slos().map(slo).collect();
    let policy = |policy: &crate::slo::policy::ScalePolicy| {
        let mut listed = policy::as_json(policy);
        if let Some(fields) = listed.as_object_mut() {
            let live = checked.live.as_ref().map(|live| json!(live.policies.get(&policy.name)));
            let kube = checked.kube.as_ref().map(|kube| json!(kube.policies.get(&policy.name)));
            fields.extend(live.map(|found| ("live".to_owned(), found)));
            fields.extend(kube.map(|found| ("cluster".to_owned(), found)));
        }
        listed
    };
    let policies: Vec<Value> = checked.loaded.policies().map(policy).collect();
    let all = json!({
        "files": checked.files.len(),
        "slos": slos,
        "policies": policies,
        "problems": problems,
        "error": gave_up(checked),
    });
    writeln!(out, "{all:#}")
}
