//! Waiting on a condition, with a deadline. The only place in the tests that sleeps.

use std::time::Duration;

use tokio::time::Instant;

/// Asks until there is an answer; fails the test, naming `what`, once `limit` has passed.
pub async fn wait_until<T>(limit: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        // The last question begins before the deadline; a hanging one is cut off.
        match tokio::time::timeout_at(deadline + Duration::from_secs(1), ask()).await {
            Ok(Some(answer)) => return answer,
            Ok(None) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(20)).await,
            _ => panic!("after {limit:?} still waiting for: {what}"),
        }
    }
}

/// Lets time pass where time is what the test is about, such as the moment of a kill.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Milliseconds since the epoch, as Prometheus counts time.
pub fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}
