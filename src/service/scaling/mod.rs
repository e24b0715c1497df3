//! The scaling loop: after each tick it asks what policies need to know, decides, commits, and only
//! then moves levers.
//!
//! ```text
//!  tick done ─▶ look ─────────▶ decide ─▶ commit ─▶ act ─▶ commit what came of it
//!               burns, answers,  pure      states, alerts,
//!               workloads                  history: one transaction
//! ```
//!
//! A loop of its own: a cluster that hangs delays no page. Nothing is decided after a tick whose own
//! decisions were not committed, nor while it is in doubt what the store holds.

mod act;
mod commands;
mod expired;
mod fair;
mod fits;
mod inherit;
mod keep;
mod look;
mod news;
mod removed;
mod round;
mod state;

use std::sync::Arc;

use super::shared::Shared;
use crate::cluster::Actuators;

pub use commands::{COMMAND, Command, Word};
pub(crate) use keep::is_readable;
pub(super) use keep::{PREFIX, restore, stop};
pub use keep::{id, names};
pub use state::{Kept, Last, Scaling, Seen, SeenBurn, SeenWorkload};

/// Who or what stopped all scaling, if anything.
pub fn stopped(shared: &Shared) -> Option<String> {
    let by_command = shared.scaling.read().stopped.clone();
    round::stop_of(shared, by_command.as_ref())
}

/// Runs until shutdown; finishes the round it is in.
pub(super) async fn run(shared: Arc<Shared>, actuators: Arc<Actuators>) {
    let mut ticked = shared.ticked.subscribe();
    let mut expired_at = None;
    loop {
        tokio::select! {
            () = shared.shutdown.cancelled() => break,
            changed = ticked.changed() => if changed.is_err() { break },
        }
        let at = *ticked.borrow_and_update();
        if let Err(error) = Box::pin(round::round(&shared, &actuators, at)).await {
            tracing::error!(%error, "scaling decisions were not committed; the next tick decides again");
            shared.trouble("scaling", Some(error.to_string()));
        } else {
            shared.trouble("scaling", None);
            expired::put_back(&shared, &actuators, &mut expired_at).await;
        }
    }
    if shared.settings.scaling.release_on_shutdown {
        removed::release_all(&shared, &actuators).await;
    }
}
