//! Damper as a whole: the real binary, a real Prometheus, a service that fails, a receiver.

mod absence;
mod backfill;
mod blindness;
mod detection;
mod hanging;
mod input;
mod reload;
mod restart;
pub mod shop;
mod shutdown;
mod sources;
mod truth;
