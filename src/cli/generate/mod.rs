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

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::CommandError;
use super::check::{Checked, Output, Verdict, read, report, usage};
use crate::settings::Settings;
use crate::slo::Context;
use crate::slo::model::{Labels, Slo};
use crate::slo::time::Step;

/// The rules that watch Damper itself; what is generated is added to their groups.
const WATCH: &str = include_str!("../../../deploy/prometheus-rules.yaml");
/// The job that [`WATCH`] names.
const JOB: &str = "damper";

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
    #[arg(long, value_name = "NAME", default_value = JOB)]
    job: String,
    /// YAML, or JSON for programs
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
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
    /// SLOs that name no source are asked of this one; `None` while its name is not known.
    first: Option<String>,
    source: Option<String>,
}

impl Wanted {
    fn of(args: &GenerateArgs) -> Result<Self, String> {
        let (context, external) = match &args.config {
            Some(file) => {
                let settings = Settings::load(file, &[]).map_err(|error| error.to_string())?;
                (settings.context(), settings.external_labels)
            }
            None => (Context::without_settings(Step::DEFAULT), Labels::new()),
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
        Ok(Self { context, external, source: args.source.clone().or_else(|| first.clone()), first })
    }

    fn has(&self, slo: &Slo) -> bool {
        slo.source.as_ref().or(self.first.as_ref()) == self.source.as_ref()
    }
}

fn rules(checked: &Checked, wanted: &Wanted, args: &GenerateArgs) -> Result<String, CommandError> {
    let (own, others): (Vec<&Slo>, Vec<&Slo>) = checked.loaded.slos().partition(|slo| wanted.has(slo));
    let step = wanted.context.step;
    let watched = net::watched(&args.job, wanted.source.as_deref());
    let rules: Vec<_> =
        own.iter().filter_map(|slo| net::alert(slo, &wanted.external, step, &watched)).collect();
    let quiet = own.len() - rules.len();
    if quiet > 0 {
        writeln!(io::stderr(), "{quiet} SLOs page nobody, or are composites, and have no rule")?;
    }
    if !others.is_empty() {
        let names: std::collections::BTreeSet<&str> =
            others.iter().map(|slo| slo.source.as_deref().unwrap_or("the first source")).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        writeln!(io::stderr(), "{} SLOs are of other sources, see --source: {names}", others.len())?;
    }
    let mut text = WATCH.replace(&format!("job=\"{JOB}\""), &format!("job=\"{}\"", args.job));
    if !rules.is_empty() {
        text.push_str(&indented(&serde_saphyr::to_string(&net::groups(rules))?));
    }
    match args.output {
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
