//! A small service in memory: SLOs of every kind, their plan, an empty ledger; and what must hold of
//! it, whatever it was told.

use std::sync::{Arc, LazyLock};

use damper::doors;
use damper::engine::ledger::Ledger;
use damper::engine::plan::{Plan, SourceKind};
use damper::engine::recipient::Shadow;
use damper::engine::step::{Control, Inputs, Observed, groups, step};
use damper::engine::view::{Look, slo_view};
use damper::engine::window::Book;
use damper::slo::model::Labels;
use damper::slo::time::{Span, Step, Ts};

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

/// A ledger that knows nothing yet.
pub fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.adopt(doors::keeps(&PLAN, NOW));
    ledger
}

/// Judges everything at some moments: nothing panics, no sum is negative, no window is covered by more
/// than itself, and what would be told and shown can be written.
pub fn is_sound(ledger: &Ledger, control: &mut Control) {
    let observed = Observed::default();
    let (external, receivers) = (Labels::new(), ["oncall".to_owned()]);
    for at in [NOW, NOW.plus(Span::from_secs(30))] {
        books(ledger, at);
        let inputs = Inputs {
            at,
            step: Step::DEFAULT.span(),
            observed: &observed,
            external: &external,
            receivers: &receivers,
            shadow: Shadow { all: false, receiver: None },
        };
        let delta = step(&PLAN.slos, ledger, control, &inputs);
        for transition in &delta.transitions {
            assert!(serde_json::to_string(&transition.alert).is_ok());
        }
        control.apply(&delta);
        let look = Look { ledger, control, observed: &observed, external: &external, at };
        for planned in &PLAN.slos {
            assert!(serde_json::to_string(&slo_view(planned, &look)).is_ok());
        }
    }
}

fn books(ledger: &Ledger, at: Ts) {
    for planned in PLAN.slos.iter().filter(|planned| planned.parts.is_none()) {
        for group in groups(planned, ledger) {
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
}
