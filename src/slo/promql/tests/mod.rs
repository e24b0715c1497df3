//! What queries of every shape become, and properties over arbitrary ones.

mod events;
mod kept;
mod properties;
mod stack;
