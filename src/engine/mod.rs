//! THE CORE, pure: no clock, no I/O, no async. Facts and commands in, a [`Delta`](step) out.

pub mod collect;
pub mod fact;
pub mod notice;
pub mod plan;
pub mod reason;
pub mod sample;
