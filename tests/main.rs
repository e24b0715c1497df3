//! All integration tests, as one binary: it links once, and the fixtures are compiled once.
//!
//! Each test starts the real servers it needs (`support`) in a folder of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::float_cmp,
    clippy::cognitive_complexity,
    reason = "fixtures fail a test by panicking, they live in real time, compare what is exact, and tell one story each"
)]
#![allow(unreachable_pub, reason = "nothing is exported from a test binary")]
#![allow(dead_code, reason = "fixtures offer what the next test will need")]

mod accuracy;
mod check;
mod check_kube;
mod cluster;
mod collect;
#[cfg(debug_assertions)]
mod crash;
mod delivery;
mod deploy;
mod docs;
mod e2e;
mod fixtures;
mod fuzz;
mod generate;
mod keep;
mod kubernetes;
mod layering;
mod remote;
mod scaling;
mod scoreboard;
mod support;
