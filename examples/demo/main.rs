//! The demo: a shop whose errors are switched on and off, a real Prometheus that scrapes it, and
//! Damper, which pages when the error budget burns and tells when it stopped.
//!
//! Ends by itself in about three minutes: 0 when the page and its resolve arrived in time, 1 otherwise.
//! `make demo` runs it; `make demo STAY=1` leaves everything up to play with.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to the terminal")]

mod cast;
mod process;
mod watch;
mod webhook;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use cast::Cast;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use watch::Watch;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Half of all checkouts fail: at an objective of 99 % the budget burns fifty times too fast.
const ERROR_RATIO: f64 = 0.5;

#[derive(Parser)]
#[command(about = "Shows Damper working: errors, burn rate, page, resolve")]
struct Arguments {
    /// Keeps everything running afterwards, until Ctrl-C.
    #[arg(long)]
    stay: bool,
}

/// Every way out of here drops what was started, which ends it: the end, an error, Ctrl-C, SIGTERM.
/// Should this process be killed, the kernel ends the others.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse().stay).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(stay: bool) -> Result<()> {
    let (mut cast, mut watch) = tokio::select! {
        played = play() => played?,
        told = told_to_end() => return Err(told?.into()),
    };
    println!("\nPaged when the budget burned, and told when it stopped: that is all of it.");
    if stay {
        println!("{}", cast.what_to_try());
        tokio::select! {
            ended = watch.forever(&mut cast) => ended?,
            told = told_to_end() => drop(told?),
        }
    }
    cast.end().await
}

async fn play() -> Result<(Cast, Watch)> {
    let mut cast = Cast::start().await?;
    let mut watch = Watch::new(&cast)?;
    println!("\nThe shop sells; Damper fills its windows, for a new SLO pages only on full ones.\n");
    watch
        .until("the windows to be full", Duration::from_secs(100), &mut cast, Watch::windows_are_full)
        .await?;

    println!("\nEvery second checkout fails from now on.\n");
    cast.shop_errors(ERROR_RATIO).await?;
    let page = ("page", "firing");
    watch.until("the page", Duration::from_secs(60), &mut cast, |w| w.told(page)).await?;

    println!("\nThe shop is repaired.\n");
    cast.shop_errors(0.0).await?;
    let resolve = ("page", "resolved");
    watch.until("the resolve", Duration::from_secs(60), &mut cast, |w| w.told(resolve)).await?;
    // The ticket looks at longer windows, so it may begin late and ends later.
    let ticket = |w: &Watch| !w.told(("ticket", "firing")) || w.told(("ticket", "resolved"));
    watch.until("the ticket's resolve", Duration::from_secs(120), &mut cast, ticket).await?;
    Ok((cast, watch))
}

/// Returns when somebody wants this to end, with the word for it.
async fn told_to_end() -> Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.map(|()| "interrupted").map_err(Into::into),
        _ = terminate.recv() => Ok("terminated"),
    }
}
