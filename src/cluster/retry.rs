//! Trying again: what may pass, a few times, with growing pauses and jitter, within a limit.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use super::fault::Fault;

/// Attempts after the first.
const AGAIN: usize = 2;

/// Makes attempts until one brings something or cannot be mended by repeating it. Ends within `limit`,
/// an attempt that hangs included. `who` names the API for people.
pub(super) async fn persist<T, F: Future<Output = Result<T, Fault>>>(
    who: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Fault> {
    let end = Instant::now() + limit;
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_factor(3.0)
        .with_max_times(AGAIN)
        .with_jitter()
        .build();
    let mut last = None;
    loop {
        // What went wrong before says more than that there was no time left.
        let Ok(outcome) = tokio::time::timeout_at(end, attempt()).await else {
            let why = || Fault::unreachable(format!("{who} did not answer within {limit:?}"));
            return Err(last.unwrap_or_else(why));
        };
        let fault = match outcome {
            Err(fault @ (Fault::Unreachable { .. } | Fault::Throttled { .. })) => fault,
            outcome => return outcome,
        };
        let wish = match fault {
            Fault::Throttled { after, .. } => after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        match pauses.next().map(|pause| Instant::now() + pause.max(wish)) {
            Some(again) if again < end => tokio::time::sleep_until(again).await,
            _ => return Err(fault),
        }
        last = Some(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    async fn tried(fault: Fault) -> (usize, Duration, Result<(), Fault>) {
        let mut attempts = 0;
        let began = Instant::now();
        let outcome = persist("x", LIMIT, || {
            attempts += 1;
            std::future::ready(Err(fault.clone()))
        });
        let outcome = outcome.await;
        (attempts, began.elapsed(), outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_three_times_and_nothing_else() {
        assert_eq!(tried(Fault::unreachable("down")).await.0, 3);
        assert_eq!(tried(Fault::refused("no")).await.0, 1);
        assert_eq!(tried(Fault::Conflict { at: None, why: String::new() }).await.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_is_honoured_where_it_fits_into_the_limit() {
        let throttled =
            |secs| Fault::Throttled { after: Some(Duration::from_secs(secs)), why: "busy".into() };
        let (attempts, took, _) = tried(throttled(2)).await;
        assert!(attempts == 3 && took >= Duration::from_secs(4), "{attempts} {took:?}");
        let (attempts, took, outcome) = tried(throttled(60)).await;
        assert!(attempts == 1 && took < Duration::from_secs(1), "{attempts} {took:?}");
        assert_eq!(outcome, Err(throttled(60)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_ends_with_the_limit_and_says_what_was_wrong_before() {
        let mut attempts = 0;
        let outcome: Result<(), _> = persist("x", LIMIT, || {
            attempts += 1;
            let hangs = attempts > 1;
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Err(Fault::unreachable("refused"))
            }
        })
        .await;
        assert_eq!(outcome, Err(Fault::unreachable("refused")));
    }
}
