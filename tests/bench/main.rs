//! `make bench`: what Damper costs, side by side with what it replaces, in one run.
//!
//! One part for each question: [`core`], processor and memory per SLO; [`cost`], what Prometheus
//! pays; [`delay`], how long a page takes. `cargo bench -- core` runs one part alone. Every figure is measured here and now; the table goes to the terminal and to `target/bench.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "it fails by panicking, lives in real time and talks to the terminal"
)]
#![allow(unreachable_pub, reason = "nothing is exported from a benchmark")]

mod core;
mod cost;
mod definitions;
mod delay;
mod measure;
#[expect(dead_code, reason = "the tests' own fixtures; only some are needed here")]
#[path = "../support/mod.rs"]
mod support;
mod table;

use support::prometheus::Version;
use table::Table;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [part, slos, rounds] = &arguments[..]
        && part == "core-of"
    {
        return core::measure_and_print(slos.parse().unwrap(), rounds.parse().unwrap());
    }
    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|a| a == part);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.install_default().expect("nothing installed one before");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut table = Table::default();
    if wanted("core") {
        table.add(core::rows());
    }
    if wanted("cost") {
        table.add(runtime.block_on(cost::rows(Version::New)));
    }
    if wanted("delay") {
        table.add(runtime.block_on(delay::rows()));
    }
    println!("{table}");
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench.md"), table.to_string()).unwrap();
}
