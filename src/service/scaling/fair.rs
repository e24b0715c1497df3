//! Many questions to several that are asked: what hangs at one keeps no other waiting.

use std::collections::BTreeMap;
use std::future::Future;

use futures_util::StreamExt as _;
use futures_util::future::join_all;

/// Asked of one at once.
const AT_ONCE: usize = 8;

/// Awaits all of them, a few of each `K` at once; the answers in their order.
pub(super) async fn fairly<K: Ord, F: Future>(all: impl IntoIterator<Item = (K, F)>) -> Vec<F::Output> {
    let mut by: BTreeMap<K, Vec<_>> = BTreeMap::new();
    for (place, (of, one)) in all.into_iter().enumerate() {
        by.entry(of).or_default().push(async move { (place, one.await) });
    }
    let each = by.into_values().map(|ones| {
        let answers = futures_util::stream::iter(ones).buffer_unordered(AT_ONCE);
        answers.collect::<Vec<_>>()
    });
    let mut answers: Vec<_> = join_all(each).await.into_iter().flatten().collect();
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_hangs_at_one_delays_no_other_and_answers_keep_their_order() {
        let began = Instant::now();
        let one = |place: u64| {
            let (of, takes) = if place < 40 { ("hangs", 3) } else { ("well", 0) };
            (of, async move {
                sleep(Duration::from_secs(takes)).await;
                (place, began.elapsed().as_secs())
            })
        };
        let answers = fairly((0..80).map(one)).await;
        assert!(answers.iter().map(|(place, _)| *place).eq(0..80));
        assert!(answers[40..].iter().all(|(_, at)| *at == 0), "{answers:?}");
        assert_eq!(answers[39].1, 15, "eight at once");
    }
}
