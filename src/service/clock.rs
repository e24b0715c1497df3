//! The one place that asks what time it is.

use chrono::{DateTime, Utc};

use crate::slo::time::Ts;

/// The wall clock in whole seconds.
pub fn now() -> Ts {
    Ts::from(now_precise())
}

/// The wall clock in milliseconds since the epoch.
pub fn now_ms() -> i64 {
    now_precise().timestamp_millis()
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "this is service::clock")]
pub fn now_precise() -> DateTime<Utc> {
    Utc::now()
}
