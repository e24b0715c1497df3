//! ACT: looks at workloads and moves their levers.
//!
//! ```text
//!             look ─▶ engine::scale::Workload          kubernetes   any resource with a scale subresource
//!  Actuators  write, release, tell ─▶ done or Fault    webhook      everything else, over HTTP
//! ```
//!
//! Nothing here decides or remembers a decision. A write names where the lever stood when it was
//! decided, and the API makes it only while it stands there. Every request has a timeout, every
//! retry a bound, every answer a longest length.

mod actuators;
mod fault;
pub mod kubernetes;
mod order;
mod retry;
mod settings;
pub mod webhook;

pub use actuators::Actuators;
pub use fault::Fault;
pub use order::{Order, Raised, Released, Remark};
pub use settings::{ActuatorConfig, ActuatorSettings, KubernetesSettings};
