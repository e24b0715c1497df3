//! What Damper tells about itself: logs on stderr and metrics as a value.

pub mod labels;
pub mod logs;
pub mod metrics;

pub use logs::{LogFilter, LogFormat, LogSettings};
pub use metrics::Metrics;
