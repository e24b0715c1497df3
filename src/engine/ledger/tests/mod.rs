//! Sequences of facts, told in any order, with gaps, restarts and changes of plan.

mod cuts;
mod gaps;
mod groups;
mod image;
mod windows;

use super::*;
use crate::engine::fact::{GroupFact, SeriesKey, SlotState, Trust, What};
use crate::slo::model::Overflow;
use crate::slo::query::{Atom, Counting, Selector};
use crate::slo::time::{Span, Step};
use crate::slo::unit::Events;

const S: i64 = 30;

fn keep(metric: &str, days: u32) -> Keep {
    let selector = Selector { metric: metric.into(), matchers: vec![] };
    Keep {
        key: SeriesKey {
            source: "local".into(),
            what: What::Atom(Atom { selector, counting: Counting::Counter }),
            by: vec!["route".into()],
            step: Step::new(Span::from_secs(30)).unwrap(),
        },
        span: Span::from_days(days),
        reach: Span::from_mins(10),
        limit: 3,
        overflow: Overflow::Other,
        follows: Vec::new(),
        cuts: Vec::new(),
    }
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
