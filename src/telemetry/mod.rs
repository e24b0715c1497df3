//! What Damper tells about itself: logs on stderr and metrics as a value.

pub mod labels;
pub mod logs;
pub mod metrics;
mod scale_gauges;
mod slo_gauges;

pub use logs::{LogFilter, LogFormat, LogSettings};
pub use metrics::Metrics;
pub use scale_gauges::ScaleGauges;
pub use slo_gauges::SloGauges;
