//! The answers of a tick, as they arrive. A question only goes on while somebody polls it, so they
//! are polled while decisions are committed, too: a slow store must not time the source out.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;

use futures_util::stream::{SelectAll, Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

/// Questions under way, and answers that nobody took yet.
pub(super) struct Answers<S: Stream + Unpin> {
    asked: SelectAll<S>,
    arrived: VecDeque<S::Item>,
}

/// What comes next.
#[derive(PartialEq, Debug)]
pub(super) enum Next<T> {
    /// An answer.
    Answer(T),
    /// It is time to judge what is ready.
    Due,
    /// All is answered.
    End,
}

impl<S: Stream + Unpin> Answers<S> {
    /// Each question gives its answers as they come. Nothing is asked before it is polled.
    pub(super) fn of(questions: Vec<S>) -> Self {
        Self { asked: questions.into_iter().collect(), arrived: VecDeque::new() }
    }

    /// The next answer, or that `due` has come: it comes however many answers wait.
    pub(super) async fn next(&mut self, due: Option<Instant>) -> Next<S::Item> {
        if due.is_some_and(|due| due <= Instant::now()) {
            return Next::Due;
        }
        if let Some(answer) = self.arrived.pop_front() {
            return Next::Answer(answer);
        }
        let next = match due {
            None => self.asked.next().await,
            Some(due) => match timeout_at(due, self.asked.next()).await {
                Ok(next) => next,
                Err(_) => return Next::Due,
            },
        };
        next.map_or(Next::End, Next::Answer)
    }

    /// Does something else, while the questions go on.
    pub(super) async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                Some(answer) = self.asked.next() => self.arrived.push_back(answer),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::stream::once;
    use tokio::time::sleep;

    use super::*;

    /// Asks twice, a second each; `None` if it took longer than it may.
    async fn question(number: u32) -> Option<u32> {
        let both = async {
            sleep(Duration::from_secs(1)).await;
            sleep(Duration::from_secs(1)).await;
        };
        tokio::time::timeout(Duration::from_secs(5), both).await.ok()?;
        Some(number)
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_commit_does_not_time_the_questions_out() {
        let mut answers = Answers::of((0..100).map(|number| Box::pin(once(question(number)))).collect());
        let committed = answers
            .meanwhile(async {
                sleep(Duration::from_secs(8)).await;
                "committed"
            })
            .await;
        assert_eq!(committed, "committed");
        let mut all = Vec::new();
        while let Next::Answer(answer) = answers.next(None).await {
            all.push(answer.expect("a question that timed out while nobody polled it"));
        }
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<u32>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_of_answers_does_not_put_off_what_is_due() {
        let trickle = |ms: u64| async move { sleep(Duration::from_millis(ms)).await };
        let mut answers = Answers::of((1..200).map(|i| Box::pin(once(trickle(i * 10)))).collect());
        let began = Instant::now();
        let due = began + Duration::from_millis(25);
        let mut before = 0;
        while answers.next(Some(due)).await != Next::Due {
            before += 1;
        }
        assert_eq!((before, began.elapsed()), (2, Duration::from_millis(25)));
        // Nor do answers that lie there already.
        answers.meanwhile(sleep(Duration::from_secs(1))).await;
        assert_eq!(answers.next(Some(due)).await, Next::Due);
    }
}
