//! Quantities that cannot hold nonsense: once one of these values exists it is right.
//!
//! None can be NaN or infinite, and every comparison an alert depends on is made on
//! integers, because `(100 - 99.9) / 100` is not `0.001` in binary floating point.

mod decimal;
mod events;
mod rate;
mod weight;

pub use events::{Events, Finite};
pub use rate::{BurnRate, Objective, PPB, UnitError};
pub use weight::Weight;
