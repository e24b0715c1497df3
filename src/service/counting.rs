//! Questions of a tick that count events: query groups, or parts of them where some member fails.
//! Each answer is handed on as it comes. Only a bucket waits for its count, and then, where there is
//! doubt about slow requests, for what settles it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, Stream, StreamExt, unfold};
use tokio::time::Instant;

use super::asking::Asked;
use super::clock::left;
use super::doubts::{question, raise};
use super::gather::{Gathered, gather, knows};
use super::parts::Part;
use super::reach::Reach;
use super::shared::Shared;
use super::waits::Question;
use crate::engine::collect::Doubt;
use crate::engine::fact::{Facts, SeriesIx, Tier};
use crate::engine::plan::{BucketPair, Form, Plan, QueryGroup};
use crate::engine::sample::Answer;
use crate::prometheus::Priority;
use crate::slo::time::Ts;

/// Queries asked besides to find members at fault, in one tick and of all parts of one [`Task`].
const MOST_MORE: usize = 16;

/// What to ask of one source.
pub(super) struct Task {
    /// Query groups, or parts of such, that are linked.
    pub parts: Vec<Part>,
    /// From where.
    pub reach: Reach,
    /// Up to where.
    pub at: Ts,
    /// When the answers must be there.
    pub end: Instant,
    /// Says what is linked.
    pub plan: Arc<Plan>,
}

/// A part that rests: nothing is known, and nothing is asked.
pub(super) fn at_rest(part: &Part, at: Ts) -> Asked {
    let settles = part.group.series().map(|series| (Question::Series(series), false)).collect();
    Asked { source: part.group.source.clone(), at, settles, ..Asked::default() }
}

/// Asks all parts at once, within the same time. One that its source refuses is asked in halves.
pub(super) fn ask(shared: &Shared, task: Task) -> impl Stream<Item = Asked> + Send {
    unfold(Counting::begin(shared, task), async |mut counting| Some((counting.next().await?, counting)))
}

/// A task under way.
struct Counting<'a> {
    shared: &'a Shared,
    source: String,
    reach: Reach,
    at: Ts,
    end: Instant,
    running: FuturesUnordered<BoxFuture<'a, Answered>>,
    /// How many queries may be added.
    more: usize,
    /// Pairs by their bucket.
    pairs: BTreeMap<SeriesIx, BucketPair>,
    /// Series without an answer so far.
    awaited: BTreeSet<SeriesIx>,
    /// Their counts, once answered.
    counts: BTreeMap<SeriesIx, Option<Facts>>,
    /// Buckets that wait for their count.
    held: Vec<(BucketPair, Series)>,
}

/// What one question came to.
enum Answered {
    Part(Part, Gathered),
    Doubt(BucketPair, Series, Doubt, Answer),
}

/// What is known of one series.
struct Series {
    group: Arc<QueryGroup>,
    facts: Facts,
    /// Slots left open.
    open: Vec<(SeriesIx, Ts)>,
    /// Whether the main question was answered.
    answered: bool,
}

impl<'a> Counting<'a> {
    fn begin(shared: &'a Shared, task: Task) -> Self {
        let Task { parts, reach, at, end, plan } = task;
        let awaited: BTreeSet<SeriesIx> = parts.iter().flat_map(|part| part.group.series()).collect();
        let pairs = awaited.iter().filter_map(|series| plan.pair_of(*series));
        let pairs: BTreeMap<_, _> = pairs.map(|pair| (pair.bucket, pair.clone())).collect();
        let counting = Self {
            shared,
            source: parts.first().map(|part| part.group.source.clone()).unwrap_or_default(),
            reach,
            at,
            end,
            running: FuturesUnordered::new(),
            more: MOST_MORE,
            counts: pairs.values().map(|pair| (pair.count, None)).collect(),
            pairs,
            awaited,
            held: Vec::new(),
        };
        parts.into_iter().for_each(|part| counting.ask(part));
        counting
    }

    fn ask(&self, part: Part) {
        let (shared, range, end) = (self.shared, (self.reach.from, self.at), self.end);
        let tier =
            if matches!(part.group.form, Form::Direct { .. }) { Tier::FiveMinutes } else { Tier::Fine };
        let asking = async move {
            let gathered = gather(shared, &part.group, tier, range, Priority::Tick, left(end)).await;
            Answered::Part(part, gathered)
        };
        self.running.push(asking.boxed());
    }

    /// What the next answer came to; `None` when all is answered.
    async fn next(&mut self) -> Option<Asked> {
        let answered = self.running.next().await?;
        let (source, at) = (self.source.clone(), self.at);
        let mut asked = Asked { source, at, wide: self.reach.wide, ..Asked::default() };
        match answered {
            Answered::Part(part, gathered) => self.take(part, gathered, &mut asked),
            Answered::Doubt(pair, mut bucket, doubt, answer) => {
                doubt.settle(&pair, &answer, &mut bucket.facts);
                if let Answer::Failed(failure) = &answer {
                    let (what, why) = (&pair.selectors.1, &failure.message);
                    let told = format!("whether no series lacks {what} is not known: {why}");
                    asked.unsettled = Some((pair.bucket, told.clone()));
                    asked.left_open = Some(told);
                }
                self.hand_on(bucket, &mut asked);
            }
        }
        Some(asked)
    }

    fn take(&mut self, part: Part, gathered: Gathered, asked: &mut Asked) {
        let refused = gathered.failure.as_ref().is_some_and(|failure| !failure.kind.is_of_source());
        if let Some(halves) = part.halves().filter(|_| refused) {
            asked.split.push(part.id);
            if self.more >= halves.len() && !left(self.end).is_zero() {
                self.more -= halves.len();
                halves.into_iter().for_each(|half| self.ask(half));
                return;
            }
        }
        let Gathered { facts, failure, left_open, open } = gathered;
        asked.tally.count(part.group.series().count(), failure.as_ref());
        asked.left_open = left_open.map(|failure| {
            let what = part.group.selector();
            format!("what is new among {what} is left out and asked for again: {}", failure.message)
        });
        for series in part.group.series() {
            self.awaited.remove(&series);
        }
        for facts in facts {
            let series = facts.series;
            let answered = failure.is_none();
            let open = open.iter().filter(|(of, _)| *of == series).copied().collect();
            let known = Series { group: Arc::clone(&part.group), facts, open, answered };
            if let Some(count) = self.counts.get_mut(&series) {
                *count = Some(known.facts.clone());
            }
            match self.pairs.get(&series) {
                Some(pair) => self.held.push((pair.clone(), known)),
                None => self.hand_on(known, asked),
            }
        }
        asked.outcomes.push((part, failure));
        self.release(asked);
    }

    /// Hands on the buckets that wait for nothing more, or asks what is to be asked about them.
    fn release(&mut self, asked: &mut Asked) {
        let held = std::mem::take(&mut self.held).into_iter();
        let (held, due) = held.partition(|(pair, _)| self.awaited.contains(&pair.count));
        self.held = held;
        let (shared, end) = (self.shared, self.end);
        for (pair, mut bucket) in due {
            let count = self.counts.get(&pair.count).and_then(Option::as_ref);
            let doubt = raise(&shared.world.read().ledger, &pair, count, &mut bucket.facts);
            let Some(doubt) = doubt else {
                self.hand_on(bucket, asked);
                continue;
            };
            let asking = async move {
                let answer = question(shared, &pair, &doubt, Priority::FollowUp, left(end)).await;
                Answered::Doubt(pair, bucket, doubt, answer)
            };
            self.running.push(asking.boxed());
        }
    }

    /// Each series counts for itself: one that is not known blinds no SLO but its own.
    fn hand_on(&self, series: Series, asked: &mut Asked) {
        let Series { group, facts, open, answered } = series;
        let known = answered && knows(&group, &facts, (self.reach.from, self.at));
        asked.settles.push((Question::Series(facts.series), known));
        asked.open.extend(open);
        asked.facts.push(facts);
    }
}
