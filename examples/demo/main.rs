//! The demo: a shop with too few replicas for a sale, a real Prometheus that scrapes it, and Damper,
//! which adds replicas while load burns the error budget, gives them back, and pages people when the
//! cause is another.
//!
//! Ends by itself in about three minutes: 0 when all of it happened, 1 otherwise. `make demo` runs it,
//! `make demo KUBE=1` on a real Kubernetes API; with `STAY=1` everything stays up to play with.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to the terminal")]
#![allow(clippy::disallowed_methods, reason = "it lives in real time")]

mod cast;
mod customers;
mod hints;
mod kubelet;
mod manager;
mod platform;
mod process;
mod replicas;
mod server;
mod story;
mod watch;
mod webhook;

/// The tests' Kubernetes.
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    reason = "it serves tests, which fail by panicking and use more of it"
)]
#[path = "../../tests/support"]
mod support {
    pub mod kubernetes;
    pub mod port;
    pub mod process;
    pub mod program;
    pub mod server;
    pub mod wait;

    pub use wait::{now_ms, wait_until};
}

use std::error::Error;
use std::process::ExitCode;
use std::sync::OnceLock;

use cast::Cast;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use watch::Watch;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Replicas at the beginning, which is also the least in `policy.yaml`.
const REPLICAS: usize = 2;
/// Checkouts a second that one can do.
const CAPACITY: usize = 20;
/// Customers a second on a quiet day, and in a sale.
const QUIET: usize = 20;
const SALE: usize = 70;

#[derive(Parser)]
#[command(
    about = "Shows Damper working: load, burn rate, replicas added and given back; a fault, the page, the resolve"
)]
struct Arguments {
    /// Keeps everything running afterwards, until Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// Runs the shop as a Deployment on a real Kubernetes API.
    #[arg(long)]
    kube: bool,
}

/// Every way out of here drops what was started, which ends it: the end, an error, Ctrl-C, SIGTERM.
/// Should this process be killed, the kernel ends the others.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    stamp();
    let (mut cast, mut watch) = tokio::select! {
        played = play(arguments.kube) => played?,
        told = told_to_end() => return Err(told?.into()),
    };
    println!(
        "\nLoad: replicas added while it burned, given back when it was calm. A fault: people paged, and told\n\
         when it was over. That is all of it."
    );
    if arguments.stay {
        println!("{}", hints::what_to_try(&cast)?);
        tokio::select! {
            ended = watch.forever(&mut cast) => ended?,
            told = told_to_end() => drop(told?),
        }
    }
    cast.end().await
}

async fn play(kube: bool) -> Result<(Cast, Watch)> {
    let mut cast = Cast::start(kube).await?;
    let mut watch = Watch::new(&cast)?;
    story::play(&mut cast, &mut watch).await?;
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

/// Prints an event, with the time since the beginning.
fn say(event: &str) {
    println!("{} {event}", stamp());
}

/// `  1:05`, minutes and seconds since the beginning.
fn stamp() -> String {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let seconds = BEGAN.get_or_init(Instant::now).elapsed().as_secs();
    format!("{:>3}:{:02}", seconds / 60, seconds % 60)
}
