//! `damper generate --safety-net PATH…`: rules for people's own Prometheus, on stdout.
//!
//! | file     | does                                                              |
//! |----------|-------------------------------------------------------------------|
//! | `net`    | one rule for each SLO, in force while no Damper sees what it does |
//! | `events` | bad and total events of a window, as plain PromQL                 |

mod events;
mod net;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::CommandError;
use super::check::{Checked, Output, Verdict, read, report, usage};
use crate::settings::Settings;
use crate::slo::Context;
use crate::slo::listed::{counted, listed};
use crate::slo::model::{Labels, Slo};
use crate::slo::nearest;
use crate::slo::time::Step;
use net::Without;

/// The rules that watch Damper itself; what is generated is added to their groups.
const WATCH: &str = include_str!("../../../deploy/prometheus-rules.yaml");
/// The job that [`WATCH`] names.
const JOB: &str = "damper";
/// SLOs in one line.
const LISTED: usize = 20;

/// `damper generate`
#[derive(Args, Debug)]
pub(super) struct GenerateArgs {
    /// Rules for your own Prometheus, which scrapes Damper: they page when Damper is down or blind, and
    /// while it is down also for each SLO that burns fast
    #[arg(long, required = true)]
    safety_net: bool,
    /// Definition files, and folders with *.yaml and *.yml
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Settings file of the Damper that the net is for: its step, sources and external labels
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only SLOs of this source; by default those of the first one
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// The job as which your Prometheus scrapes Damper
    #[arg(long, value_name = "NAME", default_value = JOB, value_parser = job)]
    job: String,
    /// YAML, or JSON for programs
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// A name that stands in rules as it is.
fn job(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("write letters, digits and any of _-./:@".to_owned())
    }
}

/// Prints the rules; gives the exit code. Definitions with errors give none: a net with holes that
/// nobody sees is worse than none.
pub(super) fn run(args: &GenerateArgs) -> Result<u8, CommandError> {
    let wanted = match Wanted::of(args) {
        Ok(wanted) => wanted,
        Err(why) => return refuse(&why),
    };
    let checked = match read(&args.paths, &wanted.context) {
        Ok(checked) => checked,
        Err(why) => return refuse(&why),
    };
    let mut told = Vec::new();
    let verdict = report(&checked, args.output, false, &mut told)?;
    if verdict != Verdict::Good {
        io::stderr().write_all(&told)?;
        return Ok(verdict.exit_code());
    }
    if let Some(why) = wanted.lack(&checked) {
        return refuse(&why);
    }
    let text = rules(&checked, &wanted, args)?;
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Verdict::Good.exit_code()),
    }
}

fn refuse(why: &str) -> Result<u8, CommandError> {
    Ok(usage(why, Output::Text, &mut io::stderr())?.exit_code())
}

/// For which Damper, and for which of its sources.
struct Wanted {
    context: Context,
    external: Labels,
    /// It tells nobody of any alert, and neither must its net.
    shadow: bool,
    /// SLOs that name no source are asked of this one; `None` while its name is not known.
    first: Option<String>,
    source: Option<String>,
}

impl Wanted {
    fn of(args: &GenerateArgs) -> Result<Self, String> {
        let (context, external, shadow) = match &args.config {
            Some(file) => {
                let settings = Settings::load(file, &[]).map_err(|error| error.to_string())?;
                let shadow = settings.alerting.shadow().all;
                (settings.context(), settings.external_labels, shadow)
            }
            None => (Context::without_settings(Step::DEFAULT), Labels::new(), false),
        };
        let first = context.sources.first().cloned();
        if let Some(name) =
            args.source.as_ref().filter(|name| first.is_some() && !context.sources.contains(name))
        {
            return Err(format!(
                "no source {name} in the settings; there are {}",
                context.sources.join(", ")
            ));
        }
        Ok(Self { context, external, shadow, source: args.source.clone().or_else(|| first.clone()), first })
    }

    fn has(&self, slo: &Slo) -> bool {
        slo.source.as_ref().or(self.first.as_ref()) == self.source.as_ref()
    }

    /// Why there would be no rule for any SLO, where that is hardly meant: a net that holds nothing.
    fn lack(&self, checked: &Checked) -> Option<String> {
        if checked.loaded.slos().any(|slo| self.has(slo)) {
            return None;
        }
        if checked.loaded.slos().next().is_none() {
            return Some("no SLO is defined there, so that there is nothing to make a net for".to_owned());
        }
        let named: BTreeSet<&str> = checked.loaded.slos().filter_map(|slo| slo.source.as_deref()).collect();
        let named: Vec<&str> = named.into_iter().collect();
        match (&self.first, &self.source) {
            // Of a source that the settings name there need not be any.
            (Some(_), _) => None,
            (None, None) => {
                Some(format!("each SLO names a source: choose one with --source ({})", named.join(", ")))
            }
            (None, Some(source)) if named.is_empty() => Some(format!(
                "no SLO names the source {source}, nor any other: leave --source out, or add --config"
            )),
            (None, Some(source)) => {
                Some(format!("no SLO names the source {source}; {}", nearest::hint(source, &named)))
            }
        }
    }
}

fn rules(checked: &Checked, wanted: &Wanted, args: &GenerateArgs) -> Result<String, CommandError> {
    let (own, others): (Vec<&Slo>, Vec<&Slo>) = checked.loaded.slos().partition(|slo| wanted.has(slo));
    if wanted.shadow {
        let what = "the settings say `alerting.mode: shadow`: nobody is paged for an SLO, so there are only the rules that watch Damper itself";
        writeln!(io::stderr(), "{what}")?;
        return printed(text_for(&args.job, Vec::new())?, args.output);
    }
    let step = wanted.context.step;
    let watched = net::watched(&args.job, wanted.source.as_deref());
    let (mut rules, mut quiet) = (Vec::new(), Vec::new());
    for slo in &own {
        match net::alert(slo, &wanted.external, step, &watched) {
            Ok(rule) => rules.push(rule),
            Err(why) => quiet.push((why, slo.id.to_string())),
        }
    }
    for line in without_rule(&quiet) {
        writeln!(io::stderr(), "{line}")?;
    }
    if let Some(source) = wanted.source.as_ref().filter(|_| own.is_empty()) {
        let what = "there are only the rules that watch Damper itself";
        writeln!(io::stderr(), "no SLO is of the source {source}: {what}")?;
    }
    if !others.is_empty() {
        let names: BTreeSet<&str> =
            others.iter().map(|slo| slo.source.as_deref().unwrap_or("the first source")).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        writeln!(io::stderr(), "{} SLOs are of other sources, see --source: {names}", others.len())?;
    }
    printed(text_for(&args.job, rules)?, args.output)
}

/// Which SLOs have no rule, and why.
fn without_rule(quiet: &[(Without, String)]) -> Vec<String> {
    let of = |wanted: Without| -> Vec<&String> {
        quiet.iter().filter(|(why, _)| *why == wanted).map(|(_, slo)| slo).collect()
    };
    let (silent, composites) = (of(Without::Pages), of(Without::Events));
    let mut lines = Vec::new();
    if !silent.is_empty() {
        let n = counted(silent.len(), "SLO");
        lines.push(format!("without a rule, because nobody is paged ({n}): {}", listed(&silent, LISTED)));
    }
    if !composites.is_empty() {
        let (n, names) = (counted(composites.len(), "composite"), listed(&composites, LISTED));
        lines.push(format!("without a rule, but for those of the parts that page ({n}): {names}"));
    }
    lines
}

fn text_for(job: &str, rules: Vec<net::Alert>) -> Result<String, CommandError> {
    let mut text = WATCH.replace(&format!("job=\"{JOB}\""), &format!("job=\"{job}\""));
    text = text.replace(&format!("job `{JOB}`"), &format!("job `{job}`"));
    if !rules.is_empty() {
        text.push_str(&indented(&serde_saphyr::to_string(&net::groups(rules))?));
    }
    Ok(text)
}

fn printed(text: String, output: Output) -> Result<String, CommandError> {
    match output {
        Output::Text => Ok(text),
        Output::Json => {
            let rules: serde_json::Value = serde_saphyr::from_str(&text)?;
            Ok(format!("{rules:#}\n"))
        }
    }
}

/// As further entries of the list that the file ends with.
fn indented(groups: &str) -> String {
    groups.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}
