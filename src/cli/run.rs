//! `damper run`: settings, logs, then the service until it is told to stop.

use super::CommandError;
use super::args::RunArgs;
use crate::settings::{Flag, Settings};
use crate::telemetry::logs;

pub(super) async fn run(args: RunArgs) -> Result<u8, CommandError> {
    let flags = [
        ("listen", "--listen", args.listen),
        ("store", "--store", args.store),
        ("log.level", "--log-level", args.log_level),
        ("log.format", "--log-format", args.log_format),
    ];
    let flags: Vec<Flag> =
        flags.into_iter().filter_map(|(key, name, text)| Some(Flag { key, name, text: text? })).collect();
    let settings = Settings::load(&args.config, &flags)?;
    logs::start(&settings.log)?;
    tracing::info!(version = logs::VERSION, config = %args.config.display(), "Damper begins");
    crate::service::run(settings, |shared, listener| async move {
        let end = shared.drained.clone();
        crate::api::serve(listener, crate::api::router(shared), end).await;
    })
    .await?;
    Ok(0)
}
