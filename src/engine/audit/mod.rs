//! Self-audit: settled slices are asked again, and must be what is booked.
//!
//! Pure: [`stretch`] says which slots of a query group are asked in one visit, [`same`] stands for the
//! ledger while the answers are read, so that nothing is asked but what counted them, [`compare`] holds
//! the answers against what is booked, and [`Findings`] remembers what differs.
//!
//! What may differ is left out: slots that are still settling, that are not known whole, the first of
//! a series, those of all groups beyond the limit together, and those that only their five minutes or
//! hour holds. What rulings on births changed is compared before that change. A source that has no
//! answer for a slot any more has lost it, which is no drift; a different answer is.

mod compare;
mod findings;
mod turns;

pub use compare::{Compared, Drift, Slice, compare, same};
pub use findings::{Finding, Findings};
pub use turns::{Visit, stretch};
