//! THE CORE, pure: no clock, no I/O, no async.
//!
//! Answers become facts, facts fill the [`ledger`], and [`step`](step::step) turns the ledger and
//! the present [`Control`](step::Control) into a [`Delta`](step::Delta): the whole decision of one
//! tick, which the shell commits in one transaction before anything is remembered or told.

pub mod alert;
pub mod audit;
pub mod burn;
pub mod collect;
pub mod composite;
pub mod condition;
pub mod digest;
pub mod fact;
pub mod ledger;
pub mod notice;
pub mod plan;
pub mod reason;
pub mod recipient;
pub mod sample;
pub mod scale;
pub mod status;
pub mod step;
#[cfg(test)]
mod testing;
pub mod view;
pub mod window;
pub mod words;
