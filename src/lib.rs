//! Damper regulates how fast a service burns its error budget.
//!
//! ```text
//!  definitions        plan            answers          ledger          burn, alerts
//!  slo ──────────▶ engine::plan ─▶ prometheus ─▶ engine::ledger ─▶ engine::step
//!                                                                       │ Delta + outbox, one transaction
//!                              notify, cluster ◀── service ◀── store ◀──┘
//! ```
//!
//! What may depend on what: `slo` ← `engine` ← {`prometheus`, `notify`, `cluster`, `store`} ← `service`
//! ← {`api`, `cli`} ← `main`. The I/O modules never name each other; `slo` and `engine` have no
//! clock, no I/O and no async. `tests/layering.rs` enforces it.

#[macro_use]
pub mod failpoint;

pub mod api;
pub mod cli;
pub mod cluster;
#[doc(hidden)]
pub mod doors;
pub mod engine;
pub mod http;
pub mod notify;
pub mod prometheus;
pub mod secret;
pub mod service;
pub mod settings;
pub mod slo;
pub mod store;
pub mod telemetry;
