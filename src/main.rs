//! Installs the TLS provider, parses the command line, maps errors to exit codes.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use damper::cli::Cli;

/// Answers come and go by the megabyte beside a ledger that stays: the C library's allocator joins what
/// is free anew for each of them, which takes longer than to decide (docs/reliability.md, "Load").
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For threads that do not end by themselves.
const END: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One provider for every connection; to install it twice is the only way this fails.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let code = match runtime.block_on(cli.run()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(error.as_ref()),
    };
    // A thread that waits for something outside, a name or a file that does not come, would wait on.
    runtime.shutdown_timeout(END);
    code
}

/// The error and what caused it, in one line each.
fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("  because: {error}\n"));
        cause = error.source();
    }
    // Nobody is left to tell when stderr is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(1)
}
