//! What every edge-triggered receiver can do.

use futures_util::future::BoxFuture;

use super::outcome::Outcome;
use crate::engine::notice::Notice;
use crate::slo::time::Ts;

/// A receiver that is told each transition once: webhook, email. Alertmanager is told the present
/// state again and again instead, see [`super::alertmanager`].
pub trait Receiver: Send + Sync {
    /// One attempt. Ends within the receiver's own timeout and a few seconds for secrets and
    /// good-byes, whatever the other side does. `now` is the time of the attempt: for signatures, the mail's date and a `Retry-After` given as a date.
    fn deliver<'a>(&'a self, notice: &'a Notice, now: Ts) -> BoxFuture<'a, Outcome>;
}
