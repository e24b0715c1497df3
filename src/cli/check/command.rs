//! The command: reads, asks where a server is named, prints.

use std::io::{self, IsTerminal as _, Write as _};

use super::{Checked, Verdict, kube, live, read, report, usage};
use crate::cli::CommandError;
use crate::cli::args::CheckArgs;
use crate::cluster::KubernetesSettings;
use crate::prometheus::{BasicAuthSettings, Client, SourceConfig, SourceSettings};
use crate::settings::Settings;
use crate::slo::Context;
use crate::slo::policy::ScaleMode;
use crate::slo::time::Step;

/// SLOs from which a terminal shows how far it is.
const MANY: usize = 10;

/// Checks; gives the exit code.
pub(in crate::cli) async fn run(args: CheckArgs) -> Result<u8, CommandError> {
    let checked = match asks(&args) {
        Ok(asks) => match read(&args.paths, &asks.context) {
            Ok(checked) => Ok(asked(checked, asks).await),
            Err(why) => Err(why),
        },
        Err(why) => Err(why),
    };
    let mut out = io::stdout().lock();
    let verdict = match checked {
        Ok(checked) => report(&checked, args.output, args.verbose, &mut out),
        Err(why) => usage(&why, args.output, &mut out),
    };
    match verdict {
        Ok(verdict) => Ok(verdict.exit_code()),
        // `damper check … | head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Verdict::Problems.exit_code()),
        Err(error) => Err(error.into()),
    }
}

async fn asked(mut checked: Checked, asks: Asks) -> Checked {
    if !asks.clients.is_empty() {
        let shows = io::stderr().is_terminal();
        let mut told = |done: usize, all: usize| {
            if shows && all >= MANY {
                // Whoever looks at it sees that it is gone when stderr is.
                let _ = write!(io::stderr(), "\r\x1b[Kasked about {done} of {all} SLOs");
                let _ = if done == all { write!(io::stderr(), "\r\x1b[K") } else { io::stderr().flush() };
            }
        };
        live::ask(&mut checked, asks.clients, asks.context.step, &mut told).await;
    }
    if let Some(asks) = &asks.kube {
        Box::pin(kube::ask(&mut checked, asks)).await;
    }
    checked
}

/// What definitions are checked against, and whom to ask.
struct Asks {
    context: Context,
    /// Nobody, one server for all, or the sources of the settings.
    clients: Vec<Client>,
    kube: Option<kube::Asks>,
}

fn asks(args: &CheckArgs) -> Result<Asks, String> {
    let mut context = Context::without_settings(args.step.unwrap_or(Step::DEFAULT));
    let (mut kubernetes, mut actuators, mut most) = (KubernetesSettings::default(), None, ScaleMode::Auto);
    let clients = match (&args.prometheus, &args.config) {
        (Some(url), _) => vec![client(server(url, args)?)?],
        (None, Some(file)) => {
            let settings = Settings::load(file, &[]).map_err(|error| error.to_string())?;
            context = settings.context();
            context.step = args.step.unwrap_or(settings.step);
            (kubernetes, most) = (settings.scaling.kubernetes, settings.scaling.mode);
            actuators = Some(settings.scaling.actuators);
            settings.sources.into_iter().map(client).collect::<Result<_, _>>()?
        }
        (None, None) => Vec::new(),
    };
    let at = if args.config.is_some() { "scaling.kubernetes" } else { "--kube" };
    let at = if args.kubeconfig.is_some() { "--kubeconfig" } else { at };
    if args.kubeconfig.is_some() {
        kubernetes = KubernetesSettings { kubeconfig: args.kubeconfig.clone(), context: None };
    }
    kubernetes.context = args.context.clone().or(kubernetes.context);
    let kube = args.kube.then_some(kube::Asks { at, kubernetes, actuators, most });
    Ok(Asks { context, clients, kube })
}

fn server(url: &str, args: &CheckArgs) -> Result<SourceConfig, String> {
    let mut settings = SourceSettings::new("prometheus", url);
    settings.bearer_token_file.clone_from(&args.bearer_token_file);
    settings.basic_auth = args.username.clone().map(|username| BasicAuthSettings {
        username,
        password: None,
        password_file: args.password_file.clone(),
    });
    SourceConfig::check(settings).map_err(|problems| {
        let all: Vec<String> = problems.iter().map(|p| format!("--prometheus {}", p.message)).collect();
        all.join("; ")
    })
}

fn client(config: SourceConfig) -> Result<Client, String> {
    Client::new(config).map_err(|error| error.to_string())
}
