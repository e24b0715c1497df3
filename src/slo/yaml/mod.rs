//! YAML as people write it, read into a tree that remembers where everything stood.
//!
//! Deserialising straight into types stops at the first mistake; a file with ten mistakes must
//! show all ten in one run, so the checks walk this tree instead. Scalars keep the text that was
//! written: `99.9` must not pass through binary floating point.

mod build;
mod node;
mod split;

pub use build::{SyntaxError, parse};
pub use node::{Entry, Node, Value};
pub use split::{Chunk, split};
