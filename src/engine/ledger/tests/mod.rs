//! Sequences of facts, told in any order, with gaps, restarts and changes of plan.

mod cuts;
mod doubted;
mod excluded;
mod gaps;
mod groups;
mod held;
mod image;
mod pieces;
mod windows;

use super::*;
use crate::engine::fact::{GroupFact, SlotState, Trust, What};
use crate::engine::testing;
use crate::slo::model::Overflow;
use crate::slo::time::Span;
use crate::slo::unit::Events;

const S: i64 = 30;

fn keep(metric: &str, days: u32) -> Keep {
    let what = What::Atom(testing::atom(metric));
    Keep { span: Span::from_days(days), limit: 3, ..testing::keep(what, &["route".into()]) }
}

fn route(name: &str) -> Labels {
    Labels::from([("route".to_owned(), name.to_owned())])
}

fn fact(group: &str, events: i64, trust: Trust) -> GroupFact {
    GroupFact { group: route(group), raw: Events::whole(events), withheld: Events::ZERO, trust }
}

fn tell(ledger: &mut Ledger, end: i64, state: SlotState) -> bool {
    let facts =
        Facts { series: SeriesIx(0), tier: Tier::Fine, slots: vec![SlotFact { end: Ts(end), state }] };
    !ledger.apply(&facts).is_empty()
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.adopt(vec![keep("x_total", 28)]);
    ledger
}

fn image(ledger: &Ledger) -> Vec<u8> {
    SeriesImage::of(ledger.series(SeriesIx(0)).unwrap()).to_bytes()
}

/// What a restart makes of it.
fn restored(before: &Ledger) -> Ledger {
    let mut after = ledger();
    assert!(after.restore(SeriesImage::from_bytes(&image(before)).unwrap()).unwrap());
    after
}
