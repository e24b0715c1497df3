//! When to try a failed delivery again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The wait before the attempt after `attempts` failed ones: a second, doubling to two minutes,
/// with jitter so that many messages do not come back at once. A receiver's own wish is honoured,
/// but a message never waits less than the schedule says.
pub(super) fn delay(attempts: i64, wish: Option<Duration>) -> Duration {
    let schedule = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(60))
        .without_max_times()
        .with_jitter()
        .build();
    let nth = usize::try_from(attempts.clamp(0, 20)).unwrap_or(0);
    let own = schedule.into_iter().nth(nth).unwrap_or(Duration::from_secs(60));
    own.max(wish.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_a_wish_is_honoured() {
        assert!(
            delay(0, None) >= Duration::from_millis(500) && delay(0, None) <= Duration::from_millis(1000)
        );
        assert!(delay(3, None) >= Duration::from_secs(4));
        assert!(delay(1_000_000, None) <= Duration::from_secs(120));
        assert_eq!(delay(0, Some(Duration::from_secs(600))), Duration::from_secs(600));
    }
}
