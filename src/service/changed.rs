//! Sources whose settings changed. A first start under a wrong tenant, address or login may be answered
//! with success and nothing in it, and what is answered as absent nobody asks again: without this the
//! history of SLOs would be missing for ever once the settings are right.
//!
//! The store keeps a number for the settings of each source. Where it is another one at a start, what the
//! ledger knows of SLOs whose total never had a series is forgotten, and backfill asks for it at its own
//! pace. Images and journal of before may still say otherwise, so that each further start forgets it again
//! until a process has lived long enough to have written them all anew.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock;
use super::shared::Shared;
use crate::engine::ledger::Ledger;
use crate::slo::time::{Span, Ts};
use crate::store::{Decisions, StatePut, StoreError};

/// What keys begin with.
pub(super) const PREFIX: &str = "source/";
/// Images are renewed hourly, and the journal is kept for three hours.
const SETTLES: Span = Span::from_hours(12);

/// How long reading the secrets of a source may take; the next start tries again.
const LIMIT: Duration = Duration::from_secs(5);

/// How a source is asked, and since when.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Row {
    /// Of its settings; see `SourceConfig::fingerprint`.
    fingerprint: u16,
    /// When the process began that asks so, or the last one that did.
    since: Ts,
    /// Whether nothing in the store is older than that.
    settled: bool,
}

/// Whether a row is what this reads.
pub(super) fn is_readable(body: &str) -> bool {
    serde_json::from_str::<Row>(body).is_ok()
}

/// Forgets what is to be asked again. That it cannot be noted stops nothing: the next start does it again.
pub(super) async fn forget(shared: &Shared, ledger: &mut Ledger) -> Result<(), StoreError> {
    let mut known = read(shared).await?;
    let mut decisions = Decisions::default();
    for source in &shared.settings.sources {
        let name = source.name();
        let before = known.remove(name);
        // Secrets may be in files that do not answer.
        let Ok(fingerprint) = tokio::time::timeout(LIMIT, source.fingerprint()).await else { continue };
        if before.is_some_and(|row| row.fingerprint == fingerprint && row.settled) {
            continue;
        }
        let series = ledger.forget_unborn(name);
        if series > 0 {
            tracing::info!(source = name, series, "asked again from the beginning, as its settings are new");
        }
        decisions.states.push(put(name, &Row { fingerprint, since: clock::now(), settled: false }));
    }
    decisions.removed.extend(known.into_keys().map(|name| format!("{PREFIX}{name}")));
    if let Err(error) = write(shared, &decisions).await {
        tracing::warn!(%error, "the settings of sources were not noted; the next start asks again");
    }
    Ok(())
}

/// Notes for which sources nothing of before is in the store any more.
pub(super) async fn settle(shared: &Shared) -> Result<(), StoreError> {
    let now = clock::now();
    let due = |row: &Row| !row.settled && now.since(row.since) >= SETTLES;
    let rows = read(shared).await?.into_iter().filter(|(_, row)| due(row));
    let states = rows.map(|(name, row)| put(&name, &Row { settled: true, ..row })).collect();
    write(shared, &Decisions { states, ..Decisions::default() }).await
}

async fn write(shared: &Shared, decisions: &Decisions) -> Result<(), StoreError> {
    match shared.epoch() {
        Some(epoch) if !decisions.states.is_empty() || !decisions.removed.is_empty() => {
            shared.store.commit(epoch, decisions).await.map(drop)
        }
        _ => Ok(()),
    }
}

/// By source. One that cannot be read is as good as none.
async fn read(shared: &Shared) -> Result<BTreeMap<String, Row>, StoreError> {
    let rows = shared.store.states_under(PREFIX).await?.into_iter();
    let row = |(key, body): (String, String)| {
        Some((key.strip_prefix(PREFIX)?.to_owned(), serde_json::from_str(&body).ok()?))
    };
    Ok(rows.filter_map(row).collect())
}

fn put(name: &str, row: &Row) -> StatePut {
    StatePut { key: format!("{PREFIX}{name}"), body: serde_json::to_string(row).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::engine::window::{Book, Counts};
    use crate::service::testing::{Rig, Source, document};
    use crate::slo::model::Labels;
    use crate::slo::time::Step;

    const SLO: &str = "  objective: 99\n  window: 1d\n  sli:\n    events: {bad: 'r_total{job=\"cart\",code=\"500\"}', \
        total: 'r_total{job=\"cart\"}'}\n";

    /// Ten requests a second, without errors, for whoever asks as the right tenant; nothing for others.
    async fn rig() -> (Rig, Source, Arc<AtomicBool>) {
        let right = Arc::new(AtomicBool::new(false));
        let says = Arc::clone(&right);
        let source = Source::start(move |query, part, t| match part {
            _ if !says.load(Ordering::Relaxed) || query.contains("500") => None,
            "a" | "m" => Some(t * 10),
            "d" => Some(0),
            _ => Some(1),
        })
        .await;
        let mut rig = Rig::of(&document("cart", SLO), &source.url).await;
        rig.at = Step::DEFAULT.floor(clock::now()).minus(Span::from_mins(2));
        rig.tick().await;
        rig.fill_all().await;
        rig.tick().await;
        (rig, source, right)
    }

    fn day(rig: &Rig) -> Counts {
        let world = rig.shared.world.read();
        let book = Book::of(&world.ledger, &world.plan.slos[0], &Labels::new()).unwrap();
        book.window(Span::from_days(1), rig.at)
    }

    /// Whether something of the past is to be asked for.
    async fn lacks(rig: &mut Rig) -> bool {
        let mut units = rig.units();
        rig.try_fill(&mut units).await.is_some()
    }

    #[tokio::test]
    async fn what_a_wrong_tenant_said_is_forgotten_when_the_settings_are_corrected() {
        let (mut rig, _source, right) = rig().await;
        assert!(day(&rig).absent > 86_000, "success, and nothing in it: {:?}", day(&rig));
        rig.settings("url:", "headers: {X-Scope-OrgID: shop}, url:");
        // It dies at once, and the next process does not hold what is left in the store for true either.
        rig = rig.die().await.die().await;
        right.store(true, Ordering::Relaxed);
        rig.tick().await;
        rig.fill_all().await;
        rig.tick().await;
        let counts = day(&rig);
        assert!(counts.covered > 86_000 && counts.absent == 0, "{counts:?}");
    }

    #[tokio::test]
    async fn under_the_same_settings_nothing_is_asked_twice_once_they_are_settled() {
        let (mut rig, _source, _right) = rig().await;
        rig = rig.die().await;
        assert!(lacks(&mut rig).await, "nobody knows under which settings it was asked");
        rig.fill_all().await;
        settle(&rig.shared).await.unwrap();
        rig = rig.die().await;
        assert!(lacks(&mut rig).await, "what was journaled before may still be there");
        rig.fill_all().await;
        let mut rows = read(&rig.shared).await.unwrap();
        let row = rows.get_mut("local").unwrap();
        row.since = row.since.minus(SETTLES);
        let states = vec![put("local", row)];
        write(&rig.shared, &Decisions { states, ..Decisions::default() }).await.unwrap();
        settle(&rig.shared).await.unwrap();
        rig = rig.die().await;
        assert!(!lacks(&mut rig).await);
        rig.settings("url:", "params: {tenant: shop}, url:");
        rig = rig.die().await;
        assert!(lacks(&mut rig).await);
    }
}
