//! Damper as a whole: the real binary, a real Prometheus, a service that fails, a receiver.

mod absence;
mod audit;
mod backfill;
mod blindness;
mod composite;
mod corrections;
mod detection;
mod hanging;
mod input;
mod reload;
mod restart;
pub mod shop;
mod shutdown;
mod sources;
mod truth;
