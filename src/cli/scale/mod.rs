//! `damper scale`: how policies stand, and what people ask of them.
//!
//! | file      | does                                                                       |
//! |-----------|----------------------------------------------------------------------------|
//! | `status`  | a table of policies                                                        |
//! | `ask`     | pause, resume, release, stop, start, through the API                       |
//! | `floors`  | puts raised floors back without Damper, from what the cluster itself says  |

mod ask;
mod floors;
mod status;

use clap::{Args, Subcommand};

use super::CommandError;
use super::args::RemoteArgs;
use crate::service::scaling::Word;

/// `damper scale`
#[derive(Args, Debug)]
pub(super) struct ScaleArgs {
    #[command(subcommand)]
    command: ScaleCommand,
}

#[derive(Subcommand, Debug)]
enum ScaleCommand {
    /// Shows policies: where they stand, what was decided last and why
    Status(StatusArgs),
    /// Has a policy decide nothing until it is told to resume
    Pause(OneArgs),
    /// Has a policy go on: after a pause, somebody else's count, steps that did not help, a new version
    Resume(OneArgs),
    /// Puts a raised floor back and leaves it alone for a while; --all without a Damper that runs
    Release(floors::ReleaseArgs),
    /// Stops all scaling
    Stop(RemoteArgs),
    /// Scales again
    Start(RemoteArgs),
}

/// `damper scale status`
#[derive(Args, Debug)]
struct StatusArgs {
    /// One policy; by default all of them
    #[arg(value_name = "POLICY")]
    policy: Option<String>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// `damper scale pause`, `damper scale resume`
#[derive(Args, Debug)]
struct OneArgs {
    /// The policy's name
    #[arg(value_name = "POLICY")]
    policy: String,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// Does what was asked; gives the exit code.
pub(super) async fn run(args: ScaleArgs) -> Result<u8, CommandError> {
    match args.command {
        ScaleCommand::Status(args) => status::status(&args.remote, args.policy.as_deref()).await,
        ScaleCommand::Pause(args) => ask::one(&args.remote, Word::Pause, &args.policy).await,
        ScaleCommand::Resume(args) => ask::one(&args.remote, Word::Resume, &args.policy).await,
        ScaleCommand::Stop(remote) => ask::all(&remote, Word::Stop).await,
        ScaleCommand::Start(remote) => ask::all(&remote, Word::Start).await,
        ScaleCommand::Release(args) => match &args.policy {
            Some(policy) => ask::one(&args.remote, Word::Release, policy).await,
            None => floors::release_all(args).await,
        },
    }
}
