//! THE SHELL: tick, delivery, reload, shutdown; the only place with a clock.

use crate::settings::Settings;

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Not there yet.
    #[error("this version of Damper cannot run yet; `damper check` works")]
    Unfinished,
}

/// Runs until it is told to stop.
///
/// # Errors
/// What it cannot go on with.
pub async fn run(_: Settings) -> Result<(), ServiceError> {
    Err(ServiceError::Unfinished)
}
