//! `make scoreboard`: what Damper's scaling is worth beside others, in virtual time.
//!
//! Prints a table per scenario, and what does not hold of what is promised. With `--write`, the
//! tables go to `docs/scaling-scoreboard.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it fails by panicking and talks to the terminal"
)]
#![allow(unreachable_pub, reason = "nothing is exported from a program")]
#![allow(dead_code, reason = "the tests look at more than is printed")]

#[path = "mod.rs"]
mod scoreboard;

use std::process::ExitCode;

use scoreboard::{Compared, problems, scenario, table};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scaling-scoreboard.md");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut tables, mut broken) = (String::new(), Vec::new());
    for scenario in scenario::all() {
        let compared = Compared::of(&scenario);
        let table = table::markdown(&compared);
        println!("{table}");
        tables += &format!("{table}\n");
        broken.extend(problems(&compared));
    }
    if arguments.iter().any(|argument| argument == "--write") {
        let text = std::fs::read_to_string(DOCUMENT).unwrap();
        let (head, _) = text.split_once(table::BEGIN).expect("the document says where the tables begin");
        std::fs::write(DOCUMENT, format!("{head}{}\n\n{}\n", table::BEGIN, tables.trim_end())).unwrap();
    }
    for problem in &broken {
        eprintln!("broken: {problem}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
