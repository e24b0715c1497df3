//! Logs and Damper's own metrics.
