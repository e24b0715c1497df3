//! Commands and their flags.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use reqwest::Url;

use super::check::Output;
use crate::settings::{Settings, SettingsError};
use crate::slo::time::{Span, Step};

/// Why a command failed.
pub type CommandError = Box<dyn std::error::Error + Send + Sync>;

/// SLO burn-rate alerting on Prometheus.
#[derive(Parser, Debug)]
#[command(name = "damper", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Watches the SLOs and tells the receivers
    Run(RunArgs),
    /// Tells every problem of definition files
    Check(CheckArgs),
    /// Shows how a running Damper fares
    Status(RemoteArgs),
    /// Has a running Damper read its definitions again
    Reload(ReloadArgs),
    /// Shows and steers what moves replicas
    Scale(super::scale::ScaleArgs),
    /// Shows what is booked of an SLO, and takes time out of it by hand
    Ledger(super::ledger::LedgerArgs),
    /// Compares the pages of Damper with those of the rules it is to follow
    CompareAlerts(super::compare::CompareArgs),
    /// Looks through the store, backs it up, restores it
    Store(super::store::StoreArgs),
    /// Tells why
    Explain(super::explain::ExplainArgs),
    /// Prints rules for your own Prometheus
    Generate(super::generate::GenerateArgs),
}

/// `damper run`
#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// Settings file
    #[arg(long, value_name = "FILE", env = "DAMPER_CONFIG", default_value = "damper.yaml")]
    pub(super) config: PathBuf,
    /// Address of the API, in place of the setting
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<String>,
    /// Where state is kept, in place of the setting
    #[arg(long, value_name = "ADDRESS")]
    pub(super) store: Option<String>,
    /// Level of the logs, in place of the setting
    #[arg(long, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
    /// text or json, in place of the setting
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<String>,
}

/// `damper check`
#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// Definition files, and folders with *.yaml and *.yml
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Length of a slice that the definitions must fit; by default that of the settings, or 30s
    #[arg(long, value_parser = step)]
    pub(super) step: Option<Step>,
    /// Also asks this server whether metrics, labels and bounds exist, such as http://127.0.0.1:9090
    #[arg(long, value_name = "URL")]
    pub(super) prometheus: Option<String>,
    /// Asks the sources of this settings file instead, each SLO its own, with their logins
    #[arg(long, value_name = "FILE", conflicts_with = "prometheus")]
    pub(super) config: Option<PathBuf>,
    /// File with a bearer token for --prometheus
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub(super) bearer_token_file: Option<PathBuf>,
    /// User of --prometheus
    #[arg(long, value_name = "NAME", requires = "prometheus", conflicts_with = "bearer_token_file")]
    pub(super) username: Option<String>,
    /// File with the user's password
    #[arg(long, value_name = "FILE", requires = "username")]
    pub(super) password_file: Option<PathBuf>,
    /// Also asks the Kubernetes cluster, and with --config the actuators, about targets of scale policies:
    /// whether they are there, who owns their replicas, and whether Damper may move them
    #[arg(long)]
    pub(super) kube: bool,
    /// Kubeconfig for --kube; by default that of the settings, $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE", requires = "kube")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", requires = "kube")]
    pub(super) context: Option<String>,
    /// For people or for programs
    #[arg(long, value_enum, default_value = "text")]
    pub(super) output: Output,
    /// Shows every SLO with its rules
    #[arg(long, short)]
    pub(super) verbose: bool,
}

/// `damper status`, and whom every command for operators asks
#[derive(Args, Debug)]
pub(super) struct RemoteArgs {
    /// Where Damper listens; by default `listen` of the settings file, or http://127.0.0.1:9095
    #[arg(long, value_name = "URL", value_parser = super::remote::address)]
    pub(super) url: Option<Url>,
    /// Settings file; by default damper.yaml, where there is one
    #[arg(long, value_name = "FILE", env = "DAMPER_CONFIG")]
    config: Option<PathBuf>,
    /// For people or for programs
    #[arg(long, value_enum, default_value = "text")]
    pub(super) output: Output,
}

impl RemoteArgs {
    /// The settings; `None` where nobody named any and there is no damper.yaml.
    pub(super) fn settings(&self) -> Result<Option<Settings>, SettingsError> {
        let default = Path::new("damper.yaml");
        let file = self.config.as_deref();
        // One that cannot be looked at says why when it is read.
        let file = file.or_else(|| default.try_exists().unwrap_or(true).then_some(default));
        file.map(|file| Settings::load(file, &[])).transpose()
    }
}

/// `damper reload`
#[derive(Args, Debug)]
pub(super) struct ReloadArgs {
    /// Carries out a reload that waits because it removes many SLOs, or one that is firing
    #[arg(long)]
    pub(super) accept: bool,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

fn step(text: &str) -> Result<Step, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    Step::new(span).ok_or_else(|| {
        let allowed: Vec<String> = Step::ALLOWED.iter().map(|secs| format!("{secs}s")).collect();
        format!("a step divides five minutes: one of {}", allowed.join(", "))
    })
}

impl Cli {
    /// Does what was asked; gives the exit code.
    ///
    /// # Errors
    /// What kept the command from doing it; the exit code is then 1.
    pub async fn run(self) -> Result<u8, CommandError> {
        match self.command {
            Command::Run(args) => Box::pin(super::run::run(args)).await,
            Command::Status(args) => super::status::status(args).await,
            Command::Reload(args) => super::remote::reload(args).await,
            Command::Scale(args) => Box::pin(super::scale::run(args)).await,
            Command::Ledger(args) => Box::pin(super::ledger::run(args)).await,
            Command::CompareAlerts(args) => Box::pin(super::compare::run(args)).await,
            Command::Store(args) => Box::pin(super::store::run(args)).await,
            Command::Explain(args) => super::explain::run(args).await,
            Command::Generate(args) => super::generate::run(&args),
            Command::Check(args) => super::check::command::run(args).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn usage_errors_end_with_two() {
        for wrong in [
            "damper",
            "damper check",
            "damper check a --step 7s",
            "damper status --url localhost",
            "damper scale stop --url ftp://a",
            "damper compare-alerts --alertmanager foo",
            "damper compare-alerts --prometheus foo",
            "damper compare-alerts --labels a,b,c",
        ] {
            let error = Cli::try_parse_from(wrong.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{wrong}: {error}");
        }
        assert_eq!(Cli::try_parse_from(["damper", "--version"]).unwrap_err().exit_code(), 0);
    }

    #[test]
    fn flags_are_read() {
        let cli =
            Cli::try_parse_from(["damper", "run", "--config", "a.yaml", "--log-format", "json"]).unwrap();
        let Command::Run(args) = cli.command else { panic!("{cli:?}") };
        assert_eq!((args.config, args.log_format.as_deref()), (PathBuf::from("a.yaml"), Some("json")));
        let cli = Cli::try_parse_from(["damper", "status", "--url", "http://a/damper"]).unwrap();
        let Command::Status(args) = cli.command else { panic!("{cli:?}") };
        assert_eq!(args.url.unwrap().as_str(), "http://a/damper/");
        let cli = Cli::try_parse_from(["damper", "check", "a", "b", "--step=15s", "--output=json"]).unwrap();
        let Command::Check(args) = cli.command else { panic!("{cli:?}") };
        assert_eq!((args.paths.len(), args.step.map(Step::secs), args.output), (2, Some(15), Output::Json));
        let wrong = ["damper", "check", "a", "--prometheus", "http://b", "--config", "c"];
        assert!(Cli::try_parse_from(wrong).is_err());
    }

    #[test]
    fn settings_that_are_named_must_be_there() {
        let cli = Cli::try_parse_from(["damper", "status", "--config", "/nowhere/damper.yaml"]).unwrap();
        let Command::Status(args) = cli.command else { panic!("{cli:?}") };
        let error = args.settings().unwrap_err().to_string();
        assert!(error.contains("/nowhere/damper.yaml") && error.contains("cannot be read"), "{error}");
    }
}
