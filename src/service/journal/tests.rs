//! What is kept, shed, and read back.

use super::back::{IMAGES, replay};
use super::*;
use crate::engine::fact::SeriesIx;
use crate::engine::fact::{GroupFact, Trust};
use crate::engine::ledger::Ledger;
use crate::engine::plan::Plan;
use crate::service::planner::keeps;
use crate::service::testing::{Service, plan, slo};
use crate::slo::model::Labels;
use crate::slo::unit::Events;

/// A slot with so many groups, each with a label of a hundred bytes.
fn wide(end: i64, groups: usize) -> SlotFact {
    let fact = |group: usize| GroupFact {
        group: Labels::from([("route".to_owned(), format!("{group:0100}"))]),
        raw: Events::ZERO,
        withheld: Events::ZERO,
        trust: Trust::Counted,
    };
    SlotFact { end: Ts(end), state: SlotState::Known((0..groups).map(fact).collect()) }
}

#[test]
fn what_cannot_be_written_is_bounded_and_the_newest_is_kept() {
    let mut journal = Journal::default();
    for end in 0..30_i64 {
        journal.note((end.cast_unsigned(), Tier::Fine, vec![wide(end, PAGE)]));
    }
    let bytes: usize = journal.pages.iter().map(|page| page.blob.len()).sum();
    assert!(journal.facts.is_empty() && bytes <= MOST_BYTES, "{bytes}");
    let ids = |page: &SliceBlob| page::unpack(&page.blob).unwrap()[0].0;
    assert_eq!(journal.pages.back().map(ids), Some(29));
    let first = journal.pages.front().map(ids).unwrap();
    assert_eq!(journal.pages.len(), usize::try_from(30 - first).unwrap(), "the oldest went");
    assert!(journal.pages.len() > 5);
}

fn put(service: &Service, plan: &Arc<Plan>) {
    let mut world = service.shared.world.write();
    world.ledger = Ledger::default();
    world.ledger.adopt(keeps(plan, Ts(1_800_000_000)));
    world.plan = Arc::clone(plan);
}

#[tokio::test]
async fn what_was_held_back_is_written_page_by_page_and_read_back() {
    let service = Service::start().await;
    let plan = Arc::new(plan(&slo("cart")));
    put(&service, &plan);
    let mut journal = Journal::default();
    let facts = |ix: u32, slots: i64| {
        let slot = |n: i64| SlotFact { end: Ts(1_800_000_000 + n * 30), state: SlotState::Absent };
        Facts { series: SeriesIx(ix), tier: Tier::Fine, slots: (0..slots).map(slot).collect() }
    };
    journal.book(&service.shared, &plan, &[facts(0, 700), facts(1, 700)]);
    journal.pack();
    journal.book(&service.shared, &plan, &[facts(0, 900)]);
    let epoch = service.shared.epoch();
    service.shared.set_epoch(epoch.map(|epoch| epoch + 1));
    assert!(journal.write_facts(&service.shared).await.is_err());
    assert_eq!(journal.pages.len(), 2);
    service.shared.set_epoch(epoch);
    journal.write_facts(&service.shared).await.unwrap();
    assert!(journal.pages.is_empty());
    let before: Vec<_> =
        service.shared.world.read().ledger.all().iter().map(|s| s.answered().clone()).collect();

    put(&service, &plan);
    let mut ledger = std::mem::take(&mut service.shared.world.write().ledger);
    assert_eq!(replay(&service.shared, &mut ledger).await.unwrap(), 2);
    let after: Vec<_> = ledger.all().iter().map(|s| s.answered().clone()).collect();
    assert_eq!(before, after);
}

#[tokio::test]
async fn series_that_are_counted_again_get_their_images_back_together() {
    let service = Service::start().await;
    let names: Vec<String> = (0..IMAGES).map(|i| slo(&format!("job{i}"))).collect();
    let plan = Arc::new(plan(&names.join("---\n")));
    put(&service, &plan);
    let mut journal = Journal::default();
    let all: Vec<SeriesIx> = (0..plan.series.len()).map(|ix| SeriesIx(u32::try_from(ix).unwrap())).collect();
    assert!(all.len() > IMAGES, "more than one reading");
    let slots = vec![SlotFact { end: Ts(1_800_000_000), state: SlotState::Absent }];
    let facts: Vec<Facts> =
        all.iter().map(|ix| Facts { series: *ix, tier: Tier::Fine, slots: slots.clone() }).collect();
    journal.book(&service.shared, &plan, &facts);
    let images: Vec<ImageRow> = {
        let world = service.shared.world.read();
        let image =
            |image: SeriesImage| ImageRow { id: image.id().cast_signed(), at: 0, blob: image.to_bytes() };
        world.ledger.all().iter().map(SeriesImage::of).map(image).collect()
    };
    service.shared.store.append_slices(service.shared.epoch().unwrap(), &[], &images).await.unwrap();
    put(&service, &plan);
    revive(&service.shared, &all).await.unwrap();
    let world = service.shared.world.read();
    assert!(world.ledger.all().iter().all(|series| !series.answered().is_empty()));
}
