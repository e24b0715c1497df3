//! The tick loop: aligned to the wall clock, one tick at a time; what comes too late is skipped and
//! counted, and its slices are asked with the next one.

use std::sync::Arc;
use std::time::Duration;

use super::asking::Asking;
use super::backups;
use super::clock;
use super::journal::Journal;
use super::measure;
use super::planner::{cuts, expiries};
use super::round::{Done, round};
use super::shared::Shared;
use super::swap::swap_plan;
use crate::notify::heartbeat::Heartbeat;
use crate::slo::time::{Span, Ts};

/// How long after a slice's end it is asked for: a scrape needs a moment to be stored.
const MARGIN_MS: i64 = 250;
/// How often what is old is forgotten.
const HOUSEKEEPING: Span = Span::from_hours(1);

/// Runs until shutdown; finishes the tick it is in.
pub(super) async fn run(shared: Arc<Shared>, heartbeat: Option<Heartbeat>) {
    let step = shared.settings.step;
    let heartbeat = heartbeat.map(Arc::new);
    let mut asking = Asking::default();
    let mut journal = Journal::default();
    let mut last: Option<Ts> = None;
    let mut kept_house = clock::now();
    loop {
        swap_plan(&shared).await;
        let now = clock::now_ms();
        let newest = step.floor(Ts((now - MARGIN_MS).div_euclid(1000)));
        let due = match last {
            None => newest,
            // Either the next one or, after a late one, the newest; a clock that went back waits here.
            Some(last) => newest.max(last.plus(step.span())).min(newest.plus(step.span())),
        };
        let wait = (due.0 * 1000 + MARGIN_MS - now).max(0);
        tokio::select! {
            () = shared.shutdown.cancelled() => return,
            () = shared.plan_wake.notified() => continue,
            () = tokio::time::sleep(Duration::from_millis(u64::try_from(wait).unwrap_or(0))) => {}
        }
        if wait > 0 && clock::now_ms() + 5 < due.0 * 1000 + MARGIN_MS {
            continue;
        }
        if let Some(last) = last {
            let skipped = (due.since(last).secs() / step.secs() - 1).max(0);
            shared.ticks.write().skipped += u64::try_from(skipped).unwrap_or(0);
            shared.metrics.ticks_skipped.inc_by(u64::try_from(skipped).unwrap_or(0));
        }
        last = Some(due);
        let began = tokio::time::Instant::now();
        let done = tick(&shared, &mut asking, &mut journal, due).await;
        report(&shared, due, &done, began.elapsed());
        measure::standing(&shared);
        if done.uncommitted == 0 && store_is_well(&shared) {
            shared.ticked.send_replace(due);
        }
        if done.uncommitted == 0
            && store_is_well(&shared)
            && let Some(heartbeat) = heartbeat.clone()
        {
            let shared = Arc::clone(&shared);
            let tasks = shared.tasks.clone();
            tasks.spawn(async move { beat(&shared, &heartbeat).await });
        }
        if clock::now().since(kept_house) >= HOUSEKEEPING {
            kept_house = clock::now();
            keep_house(&shared).await;
        }
    }
}

async fn tick(shared: &Arc<Shared>, asking: &mut Asking, journal: &mut Journal, at: Ts) -> Done {
    use tracing::Instrument as _;
    if shared.epoch().is_none() {
        return Done { uncommitted: 1, ..Done::default() };
    }
    round(shared, asking, journal, at).instrument(crate::telemetry::logs::tick_span(at)).await
}

fn report(shared: &Shared, at: Ts, done: &Done, took: Duration) {
    let now = clock::now_ms();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a tick")]
    let lag = (now - at.0 * 1000) as f64 / 1000.0;
    let mut ticks = shared.ticks.write();
    ticks.completed += 1;
    ticks.uncommitted += u64::from(done.uncommitted > 0);
    ticks.at = at.0;
    ticks.done_at_ms = now;
    ticks.seconds = took.as_secs_f64();
    ticks.lag_seconds = lag;
    ticks.step_seconds = done.step_seconds;
    measure::tick(shared, took, lag, done.step_seconds, done.uncommitted > 0);
}

/// A tick with nothing to decide proves nothing: a page could not have been committed while the
/// ledger's journal or the lease cannot be written, nor delivered from a file that is gone or damaged.
fn store_is_well(shared: &Shared) -> bool {
    let troubles = shared.troubles.read();
    !["store", "journal", "lease", backups::TROUBLE].iter().any(|part| troubles.contains_key(part))
}

async fn beat(shared: &Shared, heartbeat: &Heartbeat) {
    let outcome = heartbeat.beat(clock::now()).await;
    shared.trouble("heartbeat", outcome.failure().map(|(_, error)| error.to_owned()));
}

async fn keep_house(shared: &Shared) {
    let now = {
        let mut world = shared.world.write();
        let plan = Arc::clone(&world.plan);
        let now = world.now();
        for (ix, start) in cuts(&plan, now) {
            world.ledger.note_cut(ix, start);
        }
        world.ledger.expire(now, &expiries(&plan));
        now
    };
    let Some(epoch) = shared.epoch().filter(|_| !shared.degraded.is_on()) else { return };
    let days = |days: u32| now.minus(Span::from_days(days)).0.saturating_mul(1000);
    let pruned = async {
        super::changed::settle(shared).await?;
        Journal::prune(shared).await?;
        shared.store.prune_outbox(epoch, days(14)).await?;
        shared.store.prune_history(epoch, days(400)).await
    };
    if let Err(error) = pruned.await {
        tracing::warn!(%error, "old rows were not pruned; tried again in an hour");
    }
}
