//! What Damper tells about itself: logs on stderr and metrics as a value.

pub mod labels;
pub mod logs;
pub mod metrics;
mod slo_gauges;

pub use logs::{LogFilter, LogFormat, LogSettings};
pub use metrics::Metrics;
pub use slo_gauges::SloGauges;
