//! Places: how many of a source's queries are in flight at once, and who may hold one for how long.
//!
//! A query that hangs must not keep the others from being asked. One that took long or had no answer
//! is *slow* from then on: half of the places at most are held by such, until it is answered quickly
//! again. One that was quick so far may hold its place for half of its time, and longer only if
//! nobody waits for one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::breaker::Answers;

/// Slow queries remembered at most; beyond it all are taken for quick again.
const MOST_SLOW: usize = 4096;

/// The places of one source.
pub(super) struct Places {
    number: usize,
    all: Semaphore,
    /// A slow query needs one of these as well.
    slow: Semaphore,
    /// A permit for each query that waits for a place which nobody has given up yet.
    wanted: Semaphore,
    /// Places given up that no waiting query has noticed yet.
    given_up: AtomicUsize,
    /// Slow queries, each with the source's answers when it was last found so.
    known: Mutex<HashMap<String, Answers>>,
}

/// Leave to ask one query; gives the place back when dropped.
pub(super) struct Place<'a> {
    places: &'a Places,
    promql: &'a str,
    slow: Option<Answers>,
    _all: SemaphorePermit<'a>,
    _slow: Option<SemaphorePermit<'a>>,
}

impl Places {
    pub(super) fn new(number: usize) -> Self {
        let number = number.max(1);
        Self {
            number,
            all: Semaphore::new(number),
            slow: Semaphore::new((number / 2).max(1)),
            wanted: Semaphore::new(0),
            given_up: AtomicUsize::new(0),
            known: Mutex::default(),
        }
    }

    /// Waits for a place; may be dropped at any time. `None` never happens: no semaphore is closed.
    pub(super) async fn take<'a>(&'a self, promql: &'a str) -> Option<Place<'a>> {
        let slow = self.known().get(promql).copied();
        let of_slow = match slow {
            Some(_) => Some(self.slow.acquire().await.ok()?),
            None => None,
        };
        let all = match self.all.try_acquire() {
            Ok(place) => place,
            Err(_) => {
                let _wants = Wants::a_place(self);
                self.all.acquire().await.ok()?
            }
        };
        Some(Place { places: self, promql, slow, _all: all, _slow: of_slow })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Answers>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// The source's answers when this query was last found slow.
    pub(super) fn slow_since(&self) -> Option<Answers> {
        self.slow
    }

    /// Asks, unless it takes longer than `patience` and somebody else waits: then there is no answer.
    pub(super) async fn hold<T>(&self, patience: Duration, asking: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(asking);
        let until = Instant::now() + patience;
        if let Ok(answer) = tokio::time::timeout_at(until, &mut asking).await {
            return Some(answer);
        }
        if self.slow.is_some() && self.places.number > 1 {
            // The other half of the places is free of such.
            return Some(asking.await);
        }
        tokio::select! {
            biased;
            answer = &mut asking => Some(answer),
            wanted = self.places.wanted.acquire() => {
                wanted.ok()?.forget();
                self.places.given_up.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// Remembers whether the query was quick.
    pub(super) fn was(&self, quick: bool, answers: Answers) {
        let mut known = self.places.known();
        if quick {
            if self.slow.is_some() {
                known.remove(self.promql);
            }
            return;
        }
        if known.len() >= MOST_SLOW {
            known.clear();
        }
        known.insert(self.promql.to_owned(), answers);
    }
}

/// Says that somebody waits, for as long as it lives.
struct Wants<'a>(&'a Places);

impl<'a> Wants<'a> {
    fn a_place(places: &'a Places) -> Self {
        places.wanted.add_permits(1);
        Self(places)
    }
}

impl Drop for Wants<'_> {
    fn drop(&mut self) {
        // Whoever gave up a place took the permit of one that waited.
        let given_up = &self.0.given_up;
        let taken = given_up.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if taken.is_err()
            && let Ok(wanted) = self.0.wanted.try_acquire()
        {
            wanted.forget();
        }
    }
}
