//! A small service in memory: SLOs of every kind, their plan, an empty ledger; and what must hold of
//! it, whatever it was told.

use std::sync::{Arc, LazyLock};

use damper::doors;
use damper::engine::fact::{Facts, GroupFact, SeriesIx, SlotFact, SlotState, Tier, Trust};
use damper::engine::ledger::Ledger;
use damper::engine::plan::{Plan, Planned, SourceKind};
use damper::engine::recipient::Shadow;
use damper::engine::step::{Control, Inputs, Observed, groups, step};
use damper::engine::view::{Look, slo_view};
use damper::engine::window::Book;
use damper::slo::model::Labels;
use damper::slo::time::{Span, Step, Ts};
use damper::slo::unit::Events;

use super::plans::{NOW, loaded, plan};

/// One SLO of every kind, with and without groups.
const SLOS: &str = include_str!("slos.yaml");

/// Their plan; the same for every input.
pub static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let loaded = loaded(SLOS);
    let problems: Vec<&str> = loaded.problems().map(|problem| &*problem.what).collect();
    assert!(problems.is_empty(), "{problems:?}");
    let slos: Vec<_> = loaded.slos().cloned().map(Arc::new).collect();
    plan(&slos, SourceKind::Prometheus)
});

static EMPTY: LazyLock<Ledger> = LazyLock::new(|| {
    let mut ledger = Ledger::default();
    ledger.adopt(doors::keeps(&PLAN, NOW));
    ledger
});

/// A ledger that knows nothing yet.
pub fn ledger() -> Ledger {
    EMPTY.clone()
}

static BEGUN: LazyLock<Ledger> = LazyLock::new(|| {
    let mut ledger = ledger();
    for (series, of) in (0..).map(SeriesIx).zip(&PLAN.series) {
        let group = of.key.by.iter().map(|label| (label.clone(), "a".to_owned())).collect();
        ledger.apply(&calm(series, &group));
    }
    ledger
});

/// A ledger that knows an hour of one event in each slice, up to some minutes ago.
pub fn begun() -> Ledger {
    BEGUN.clone()
}

fn calm(series: SeriesIx, group: &Labels) -> Facts {
    let one = GroupFact {
        group: group.clone(),
        raw: Events::whole(1),
        withheld: Events::ZERO,
        trust: Trust::Counted,
    };
    let slot =
        |slice: i64| SlotFact { end: Ts(NOW.0 - 30 * slice), state: SlotState::Known(vec![one.clone()]) };
    Facts { series, tier: Tier::Fine, slots: (5..125).rev().map(slot).collect() }
}

/// SLOs of which anything is known.
fn known<'a>(ledger: &Ledger, control: &Control) -> Vec<&'a Planned> {
    let told = |ix: SeriesIx| ledger.series(ix).is_some_and(|series| !series.answered().is_empty());
    let is_known = |planned: &&Planned| {
        let mut series = planned.bad.iter().chain(&planned.total).map(|(_, ix)| *ix);
        control.of_slo(&planned.id).is_some() || series.any(told)
    };
    PLAN.slos.iter().filter(is_known).collect()
}

/// Judges what is known at some moments: nothing panics, no sum is negative, no window is covered by more
/// than itself, and what would be told and shown can be written.
pub fn is_sound(ledger: &Ledger, control: &mut Control) {
    let observed = Observed::default();
    let (external, receivers) = (Labels::new(), ["oncall".to_owned()]);
    let known = known(ledger, control);
    for at in [NOW, NOW.plus(Span::from_secs(30))] {
        known.iter().for_each(|planned| books(ledger, planned, at));
        let inputs = Inputs {
            at,
            step: Step::DEFAULT.span(),
            observed: &observed,
            external: &external,
            receivers: &receivers,
            shadow: Shadow { all: false, receiver: None },
        };
        let delta = step(known.iter().copied(), ledger, control, &inputs);
        for transition in &delta.transitions {
            assert!(serde_json::to_string(&transition.alert).is_ok());
        }
        control.apply(&delta);
        let look = Look { ledger, control, observed: &observed, external: &external, at };
        for planned in &known {
            assert!(serde_json::to_string(&slo_view(planned, &look)).is_ok());
        }
    }
}

fn books(ledger: &Ledger, planned: &Planned, at: Ts) {
    for group in groups(planned, ledger).into_iter().filter(|_| planned.parts.is_none()) {
        let Some(book) = Book::of(ledger, planned, group) else { continue };
        let spans = [Span::from_mins(5), Span::from_hours(6), Span::from_days(3), Span::from_days(28)];
        for counts in spans.into_iter().map(|span| book.window(span, at)) {
            assert!(counts.bad.thousandths() >= 0 && counts.total.thousandths() >= 0, "{counts:?}");
            for part in [counts.covered, counts.summed, counts.absent, counts.excluded] {
                assert!((0..=counts.span()).contains(&part), "{counts:?} of {}", planned.id);
            }
        }
    }
}
