//! The command: reads, asks where a server is named, prints.

use std::io::{self, IsTerminal as _, Write as _};

use super::{Checked, Verdict, live, read, report, usage};
use crate::cli::CommandError;
use crate::cli::args::CheckArgs;
use crate::prometheus::{Client, SourceConfig, SourceSettings};
use crate::slo::Context;

/// SLOs from which a terminal shows how far it is.
const MANY: usize = 10;

/// Checks; gives the exit code.
pub(in crate::cli) async fn run(args: CheckArgs) -> Result<u8, CommandError> {
    let context = Context { step: args.step, sources: Vec::new() };
    let checked = match (read(&args.paths, &context), args.prometheus.as_deref().map(client).transpose()) {
        (Err(why), _) | (_, Err(why)) => Err(why),
        (Ok(checked), Ok(None)) => Ok(checked),
        (Ok(checked), Ok(Some(client))) => Ok(asked(checked, client, &args).await),
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

async fn asked(mut checked: Checked, client: Client, args: &CheckArgs) -> Checked {
    let shows = io::stderr().is_terminal();
    let mut told = |done: usize, all: usize| {
        if shows && all >= MANY {
            // Whoever looks at it sees that it is gone when stderr is.
            let _ = write!(io::stderr(), "\r\x1b[Kasked about {done} of {all} SLOs");
            let _ = if done == all { write!(io::stderr(), "\r\x1b[K") } else { io::stderr().flush() };
        }
    };
    live::ask(&mut checked, client, args.step, &mut told).await;
    checked
}

fn client(url: &str) -> Result<Client, String> {
    let config = SourceConfig::check(SourceSettings::new("prometheus", url)).map_err(|problems| {
        let all: Vec<String> = problems.iter().map(|p| format!("--prometheus {}", p.message)).collect();
        all.join("; ")
    })?;
    Client::new(config).map_err(|error| error.to_string())
}
