//! `damper ledger`: time that is taken out of an SLO's budget and windows by hand, and put back.

mod change;
mod show;

use clap::{Args, Subcommand};

use super::CommandError;
use super::args::RemoteArgs;
use super::remote::segment;

/// `damper ledger`
#[derive(Args, Debug)]
pub(super) struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Subcommand, Debug)]
enum LedgerCommand {
    /// Takes a stretch of time out: neither its bad events nor its total count for this SLO any more
    Exclude(ExcludeArgs),
    /// Lets a stretch count again
    Include(IncludeArgs),
    /// Shows what is booked, what of it is taken out, and what counts; slot by slot for a range
    Show(ShowArgs),
}

/// `damper ledger exclude`
#[derive(Args, Debug)]
struct ExcludeArgs {
    /// The SLO, as service/name
    #[arg(value_name = "SLO")]
    slo: String,
    /// Where it begins: 2026-11-22T09:00:00Z, '2026-11-22 10:00' or 10:00 on this machine's clock,
    /// 90m for so long ago, or seconds since the epoch
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: String,
    /// Where it ends, in the same forms, or `now`
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: String,
    /// Why, for whoever asks later
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// `damper ledger include`
#[derive(Args, Debug)]
struct IncludeArgs {
    /// Its number, which `damper ledger show` lists
    #[arg(value_name = "ID")]
    id: i64,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Args, Debug)]
struct By {
    /// Who says so; by default the user of this shell
    #[arg(long, value_name = "NAME", env = "USER", default_value = "somebody")]
    by: String,
}

/// `damper ledger show`
#[derive(Args, Debug)]
struct ShowArgs {
    /// The SLO, as service/name
    #[arg(value_name = "SLO")]
    slo: String,
    /// Lists slots from here on; an hour before --to by default
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Lists slots up to here; now by default
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
    /// Only this group of a grouped SLO, needed for its slots: route=/pay; once for each label
    #[arg(long, value_name = "LABEL=VALUE")]
    group: Vec<String>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Does what was asked; gives the exit code.
pub(super) async fn run(args: LedgerArgs) -> Result<u8, CommandError> {
    match args.command {
        LedgerCommand::Exclude(args) => change::exclude(&args).await,
        LedgerCommand::Include(args) => change::include(&args).await,
        LedgerCommand::Show(args) => show::show(&args).await,
    }
}

/// Where an SLO is in the API.
fn path(slo: &str) -> Result<String, CommandError> {
    let (service, name) =
        slo.split_once('/').ok_or_else(|| format!("{slo:?} is no SLO; write it as service/name"))?;
    Ok(format!("api/v1/slos/{}/{}", segment(service)?, segment(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_slo_is_named_by_its_service_and_name() {
        assert_eq!(path("shop/availability").unwrap(), "api/v1/slos/shop/availability");
        assert_eq!(path("shop/a/b").unwrap(), "api/v1/slos/shop/a%2Fb");
        assert!(path("availability").unwrap_err().to_string().contains("service/name"));
    }
}
