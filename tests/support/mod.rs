//! Real servers for tests: each on free loopback ports, in the test's own folder, gone with the test.
//!
//! Start them on the test's own thread (`#[tokio::test]` does): they die with the thread that
//! started them, so that even a killed test run leaves nothing behind.

pub mod alertmanager;
pub mod damper;
pub mod exporter;
// Only builds for tests can be told where to die.
#[cfg(debug_assertions)]
pub mod failpoint;
pub mod faketime;
pub mod kubernetes;
pub mod long;
pub mod native;
pub mod outage;
pub mod port;
pub mod postgres;
pub mod process;
pub mod program;
pub mod prometheus;
pub mod protobuf;
pub mod proxy;
pub mod query;
pub mod quiet;
pub mod random;
pub mod receiver;
pub mod remote_write;
pub mod server;
pub mod shop;
pub mod smtp;
pub mod tls;
pub mod traffic;
pub mod tsdb;
pub mod victoria;
pub mod wait;
pub mod workload;

pub use wait::{now_ms, wait_until};
