//! `damper store`: looks through the store, backs it up, restores it. It speaks to the store itself,
//! not to a Damper: these commands are for when none runs.
//!
//! | file      | does                                                                     |
//! |-----------|--------------------------------------------------------------------------|
//! | `check`   | tells what is wrong with a store, what it means and what to do            |
//! | `backup`  | copies a SQLite store, also beside a Damper that uses it                  |
//! | `restore` | puts a backup in the store's place, or what can be read of it             |

mod backup;
mod check;
mod restore;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::CommandError;
use super::check::Output;
use crate::settings::{Settings, StoreAddress};
use crate::store::Options;

/// `damper store`
#[derive(Args, Debug)]
pub(super) struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Subcommand, Debug)]
enum StoreCommand {
    /// Tells what is wrong with the store, what it means and what to do; changes nothing
    Check(PlaceArgs),
    /// Writes a whole copy of a SQLite store, also while Damper uses it
    Backup(BackupArgs),
    /// Puts a backup in the place of a SQLite store, while no Damper runs
    Restore(RestoreArgs),
}

/// Which store.
#[derive(Args, Debug)]
struct PlaceArgs {
    /// Settings file that names the store
    #[arg(long, value_name = "FILE", env = "DAMPER_CONFIG", default_value = "damper.yaml")]
    config: PathBuf,
    /// The store itself, such as sqlite:/var/lib/damper/damper.db; no settings are read then
    #[arg(long, value_name = "ADDRESS")]
    store: Option<String>,
    /// For people or for programs
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// `damper store backup`
#[derive(Args, Debug)]
struct BackupArgs {
    /// A file that does not exist yet, or a folder, in which it is named by the time
    #[arg(value_name = "TO")]
    to: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
}

/// `damper store restore`
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("source").args(["from", "salvage"]).required(true)))]
struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FROM")]
    from: Option<PathBuf>,
    /// Without a backup: keeps what can be read of the damaged store itself
    #[arg(long)]
    salvage: bool,
    /// Takes alerts, deliveries, policies and exclusions from the backup too, although the present store can
    /// tell them
    #[arg(long, conflicts_with = "salvage")]
    as_it_was: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Does what was asked; gives the exit code.
pub(super) async fn run(args: StoreArgs) -> Result<u8, CommandError> {
    match args.command {
        StoreCommand::Check(args) => check::run(&args).await,
        StoreCommand::Backup(args) => backup::run(&args).await,
        StoreCommand::Restore(args) => restore::run(&args).await,
    }
}

/// The store that is meant, and its limits.
struct Place {
    address: StoreAddress,
    options: Options,
}

impl PlaceArgs {
    /// Which store it is, or why that is not known.
    fn place(&self) -> Result<Place, String> {
        let mut options = Options::default();
        if let Some(address) = &self.store {
            let address = address.parse().map_err(|why| format!("--store {why}"))?;
            return Ok(Place { address, options });
        }
        if !self.config.exists() {
            return Err(format!(
                "which store? There is no {}: name the settings with --config FILE, or the store with --store \
                 sqlite:PATH",
                self.config.display()
            ));
        }
        let settings = Settings::load(&self.config, &[]).map_err(|error| error.to_string())?;
        options.backups = settings.backups.folder;
        Ok(Place { address: settings.store, options })
    }

    /// Tells why nothing was done, and gives the exit code for it.
    fn refuse(&self, code: u8, why: &str) -> Result<u8, CommandError> {
        let text = match self.output {
            Output::Json => format!("{:#}\n", json!({ "error": why })),
            Output::Text => format!("error: {why}\n"),
        };
        match self.output {
            Output::Json => io::stdout().write_all(text.as_bytes())?,
            Output::Text => io::stderr().write_all(text.as_bytes())?,
        }
        Ok(code)
    }

    /// Tells what was done.
    fn tell(&self, text: &str, value: &Value) -> Result<(), CommandError> {
        match self.output {
            Output::Json => writeln!(io::stdout(), "{value:#}")?,
            Output::Text => io::stdout().write_all(text.as_bytes())?,
        }
        Ok(())
    }
}

/// Exit code of what could not be done.
const PROBLEMS: u8 = 1;
/// Exit code of what was not said as it should be.
const USAGE: u8 = 2;

/// `41 MB`; what is smaller in kB.
fn size(bytes: u64) -> String {
    if bytes < 10_000_000 {
        format!("{} kB", bytes.div_ceil(1000))
    } else {
        format!("{} MB", bytes / 1_000_000)
    }
}
