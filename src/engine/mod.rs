//! THE CORE, pure: no clock, no I/O, no async. Facts and commands in, a [`Delta`](step) out.

pub mod alert;
pub mod burn;
pub mod condition;
pub mod digest;
pub mod fact;
pub mod ledger;
pub mod notice;
pub mod reason;
pub mod sample;
pub mod status;
pub mod window;
