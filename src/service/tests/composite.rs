//! Composites of SLOs of which one has no answer.

use crate::engine::alert::Subject;
use crate::service::testing::{Rig, Source, document, slo};

const WHOLE: &str = "  objective: 90\n  sli:\n    composite: {of: [shop/cart, shop/pay], as: worst}\n  \
    alerting: {rules: [{severity: page, burnRate: 2, long: 2m, short: 1m}]}\n";

#[tokio::test]
async fn a_part_that_burns_pages_although_another_has_no_answer_which_is_told() {
    // Whatever is counted fails.
    let source = Source::start(|_, part, t| match part {
        "a" | "m" => Some(t * 10),
        "" | "d" => Some(0),
        _ => Some(1),
    })
    .await;
    source.refuse(|query| query.contains("pay") && query.contains("r_total"));
    let definitions = [slo("cart"), slo("pay"), document("whole", WHOLE)].join("---\n");
    let mut rig = Rig::of(&definitions, &source.url).await;
    for _ in 0..8 {
        rig.tick().await;
    }
    let firing = |rig: &Rig| -> Vec<Subject> {
        let world = rig.shared.world.read();
        let alerts = world.control.of_slo("shop/whole").into_iter().flatten();
        alerts.filter(|(_, state)| state.firing.is_some()).map(|(key, _)| key.subject.clone()).collect()
    };
    assert!(matches!(firing(&rig)[..], [Subject::Burn { .. }]), "{:?}", firing(&rig));
    {
        let world = rig.shared.world.read();
        let unanswered: Vec<&str> = world.observed.unanswered.keys().map(String::as_str).collect();
        assert_eq!(unanswered, ["shop/pay"], "the composite is judged by what is known");
        assert_eq!(world.judged.get("shop/whole"), Some(&rig.at));
    }
    for _ in 0..6 {
        rig.tick().await;
    }
    assert!(firing(&rig).iter().any(|subject| matches!(subject, Subject::Unknown { .. })));
    source.refuse(|_| false);
    for _ in 0..12 {
        rig.tick().await;
    }
    assert!(matches!(firing(&rig)[..], [Subject::Burn { .. }]), "{:?}", firing(&rig));
}
