//! A composite goes on being judged while a part of it is not known; what that part did is told later.

use super::*;
use crate::engine::fact::{Facts, GroupFact, SlotFact, SlotState, Tier, Trust};
use crate::engine::notice::Event;
use crate::service::planner::keeps;
use crate::service::testing::{document, plan, slo};
use crate::slo::unit::Events;

struct Journey {
    plan: Plan,
    world: World,
    owed: Arrears,
    observed: Observed,
    now: i64,
    told: Vec<Event>,
}

impl Journey {
    fn new() -> Self {
        let whole = document(
            "whole",
            "  objective: 90\n  sli:\n    composite: {of: [shop/cart, shop/pay], as: worst}\n  \
             alerting: {rules: [{severity: page, burnRate: 2, long: 2m, short: 1m}]}\n",
        );
        let plan = plan(&[slo("cart"), slo("pay"), whole].join("---\n"));
        let mut world = World::default();
        let now = 1_790_002_800;
        world.ledger.adopt(keeps(&plan, Ts(now)));
        let (owed, observed) = (Arrears::new(), Observed::default());
        Self { plan, world, owed, observed, now, told: Vec::new() }
    }

    /// What happened of a hundred events in the slice that ends at `end`.
    fn tell(&mut self, place: usize, end: i64, bad: i64) {
        let planned = &self.plan.slos[place];
        for (ix, events) in [(planned.total[0].1, 100), (planned.bad[0].1, bad)] {
            let raw = Events::whole(events);
            let fact = GroupFact { group: Labels::new(), raw, withheld: Events::ZERO, trust: Trust::Counted };
            let slots = vec![SlotFact { end: Ts(end), state: SlotState::Known(vec![fact]) }];
            self.world.ledger.apply(&Facts { series: ix, tier: Tier::Fine, slots });
        }
    }

    /// A tick: `pay` is what is known of the second part.
    fn tick(&mut self, cart: i64, pay: Option<i64>) {
        self.now += S;
        self.tell(0, self.now, cart);
        if let Some(pay) = pay {
            self.tell(1, self.now, pay);
        }
        let (at, planned) = (Ts(self.now), &self.plan.slos[2]);
        let (none, told) = (Labels::new(), ["oncall".to_owned()]);
        let world = &mut self.world;
        let inputs = |moment| Shop::inputs(moment, &self.observed, &none, &told);
        let all = super::tick(&self.plan, planned, at, (world, &mut self.owed), inputs);
        let pages = all.into_iter().filter(|t| t.key.severity == Severity::Page);
        self.told.extend(pages.map(|t| t.event));
    }

    fn ticks(&mut self, count: usize, cart: i64, pay: Option<i64>) {
        (0..count).for_each(|_| self.tick(cart, pay));
    }
}

#[test]
fn what_an_unknown_part_did_is_told_once_it_is_known() {
    let mut journey = Journey::new();
    journey.ticks(10, 0, Some(0));
    assert!(journey.owed.is_empty());
    journey.ticks(8, 0, None);
    let gap: Vec<i64> = (0..8).map(|slice| journey.now - slice * S).collect();
    journey.ticks(4, 0, Some(0));
    assert_eq!((journey.told.as_slice(), journey.owed.len()), (&[][..], 1));
    // It burned for two minutes, and was well for two.
    for (slice, end) in gap.iter().rev().enumerate() {
        journey.tell(1, *end, if slice < 4 { 100 } else { 0 });
    }
    journey.ticks(3, 0, Some(0));
    assert_eq!(journey.told, [Event::Missed]);
    assert!(journey.owed.is_empty());
}

#[test]
fn a_known_part_that_burns_meanwhile_is_told_at_once_and_only_once() {
    let mut journey = Journey::new();
    journey.ticks(10, 0, Some(0));
    journey.ticks(4, 0, None);
    journey.ticks(4, 100, None);
    assert_eq!(journey.told, [Event::Firing]);
    journey.ticks(8, 0, None);
    assert_eq!(journey.told, [Event::Firing], "the other part is not known to be well");
    let gap: Vec<i64> = (0..16).map(|slice| journey.now - slice * S).collect();
    gap.iter().for_each(|end| journey.tell(1, *end, 0));
    journey.ticks(4, 0, Some(0));
    assert_eq!(journey.told, [Event::Firing, Event::Resolved]);
    assert!(journey.owed.is_empty());
}
