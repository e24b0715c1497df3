//! From a decision to the people it is for: what is owed arrives, whatever dies, hangs or lies in between.

mod crash;
mod told;

use std::time::Duration;

/// Long enough for a page or a resolve on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
