//! The proof that Damper counts right, against real servers, old and new.
//!
//! [`Observer`](observer::Observer) is the product's own way from a definition to a window.
//! [`Truth`](truth::Truth) is what an ideal observer counts from the very same samples. The other
//! files are data sets, each with what must hold on it.

mod authored;
mod births;
mod churn;
mod edges;
mod fleet;
mod hazards;
mod observer;
mod retention;
mod rewrite;
mod truth;
