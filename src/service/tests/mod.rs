//! Ticks, history and deliveries over a real store, with a source that is not there or says what a
//! test wants.

mod composite;
mod doubt;
mod follow_ups;
mod handed_on;
mod killed;
mod latency;
mod restored;
mod single;
