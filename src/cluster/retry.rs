//! Trying again: what may pass, a few times, with growing pauses and jitter, within a limit.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use super::fault::Fault;

/// Attempts after the first.
const AGAIN: usize = 2;

/// What an attempt asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asks {
    /// Nothing is changed by it.
    Read,
    /// An attempt that had no answer may have been made.
    Write,
}

/// Makes attempts until one brings something or cannot be mended by repeating it. Ends within `limit`,
/// an attempt that hangs included. `who` names the API for people.
///
/// Once a write had no answer, no later refusal says that it was not made: the fault stays
/// [`Fault::Unreachable`], but for those after which the caller looks where the lever stands.
pub(super) async fn persist<T, F: Future<Output = Result<T, Fault>>>(
    who: &str,
    limit: Duration,
    asks: Asks,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Fault> {
    let end = Instant::now() + limit;
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_factor(3.0)
        .with_max_times(AGAIN)
        .with_jitter()
        .build();
    let mut last: Option<Fault> = None;
    let mut doubted = false;
    loop {
        // What went wrong before says more than that there was no time left.
        let Ok(outcome) = tokio::time::timeout_at(end, attempt()).await else {
            let why = || format!("{who} did not answer within {limit:?}");
            return Err(Fault::unreachable(last.map_or_else(why, |last| last.to_string())));
        };
        let fault = match outcome {
            Ok(found) => return Ok(found),
            Err(fault) => fault,
        };
        let wish = match &fault {
            Fault::Unreachable { .. } => Duration::ZERO,
            Fault::Throttled { after, .. } => after.unwrap_or_default(),
            Fault::Conflict { .. } | Fault::Refused { .. } => return Err(in_doubt(fault, doubted)),
        };
        let fault = in_doubt(fault, doubted);
        doubted = asks == Asks::Write && matches!(fault, Fault::Unreachable { .. });
        match pauses.next().map(|pause| Instant::now() + pause.max(wish)) {
            Some(again) if again < end => tokio::time::sleep_until(again).await,
            _ => return Err(fault),
        }
        last = Some(fault);
    }
}

/// What a fault says after an attempt that may have been made.
fn in_doubt(fault: Fault, doubted: bool) -> Fault {
    // 422 is a failed test of a patch, too.
    let is_plain = matches!(fault, Fault::Conflict { .. } | Fault::Unreachable { .. });
    if !doubted || is_plain || fault.status() == Some(422) {
        return fault;
    }
    Fault::unreachable(format!("an attempt had no answer, and may have been made; the next: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    async fn tried(fault: Fault) -> (usize, Duration, Result<(), Fault>) {
        let mut attempts = 0;
        let began = Instant::now();
        let outcome = persist("x", LIMIT, Asks::Read, || {
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
        let outcome: Result<(), _> = persist("x", LIMIT, Asks::Read, || {
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

    /// A write whose attempts end one after the other with these faults.
    async fn written(faults: &[Fault]) -> Fault {
        let mut attempts = 0;
        let outcome: Result<(), _> = persist("x", LIMIT, Asks::Write, || {
            let fault = faults[attempts.min(faults.len() - 1)].clone();
            attempts += 1;
            std::future::ready(Err(fault))
        })
        .await;
        outcome.unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_may_have_been_made_is_not_said_to_be_refused() {
        let lost = Fault::unreachable("no answer");
        let busy = Fault::Throttled { after: None, why: "busy".into() };
        let forbidden = Fault::Refused { status: Some(403), why: "no".into() };
        for after in [&busy, &forbidden] {
            let fault = written(&[lost.clone(), after.clone()]).await;
            assert!(matches!(&fault, Fault::Unreachable { .. }), "{fault:?}");
            assert!(fault.to_string().contains(&after.to_string()), "{fault}");
        }
        let fault = written(&[lost.clone(), busy.clone(), forbidden.clone()]).await;
        assert!(matches!(fault, Fault::Unreachable { .. }), "{fault:?}");
        assert_eq!(written(&[busy.clone(), forbidden.clone()]).await, forbidden);
        let conflict = Fault::Conflict { at: Some(5), why: String::new() };
        assert_eq!(written(&[lost, conflict.clone()]).await, conflict, "looked into");
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_hangs_after_it_was_throttled_may_have_been_made() {
        let mut attempts = 0;
        let outcome: Result<(), _> = persist("x", LIMIT, Asks::Write, || {
            attempts += 1;
            let hangs = attempts > 1;
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Err(Fault::Throttled { after: None, why: "busy".into() })
            }
        })
        .await;
        assert_eq!(outcome, Err(Fault::unreachable("busy")));
    }
}
