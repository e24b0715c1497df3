//! One scenario under one controller.

use std::collections::BTreeMap;

use damper::engine::scale::Fleet;

use super::books::{Books, STEP};
use super::guard::decide_all;
use super::scenario::{Fault, Scenario};
use super::score::Score;
use super::service::Service;
use super::{Controller, TICK, moment};

/// Healthy months by the load that they had, for all runs of a scenario.
#[derive(Default)]
pub struct Healthy(BTreeMap<u64, Books>);

impl Healthy {
    fn at(&mut self, rate: f64) -> Books {
        self.0.entry(rate.to_bits()).or_insert_with(|| Books::healthy(rate)).clone()
    }
}

/// Runs it to its end; what was before its own beginning does not count.
pub fn run(scenario: &Scenario, controller: Controller, healthy: &mut Healthy) -> Score {
    let reads = controller == Controller::Basic || controller.without().is_some();
    let new = |index| {
        let books = reads.then(|| healthy.at(scenario.load_at(index, 0)));
        Service::new(index, scenario, controller, books)
    };
    let mut services: Vec<Service> = (0..scenario.services).map(new).collect();
    let mut fleet = Fleet::default();
    let end = scenario.delay + scenario.minutes * 60;
    let mut t = 0;
    while t < end {
        tick(t, scenario, &mut services, &mut fleet);
        t += TICK;
    }
    Score::of(services.into_iter().map(|service| service.tally), end)
}

fn tick(t: i64, scenario: &Scenario, services: &mut [Service], fleet: &mut Fleet) {
    let is_manager_away = scenario.during(t, |fault| match fault {
        Fault::Manager(from, to) => Some((from, to)),
        _ => None,
    });
    let is_leader_away = scenario.during(t, |fault| match fault {
        Fault::Failover(from, to) => Some((from, to)),
        _ => None,
    });
    // A slice is judged one tick after its end.
    let is_slice = t > TICK && t % STEP.secs() == TICK;
    for service in &mut *services {
        service.happens(t, scenario);
        if !is_manager_away && !is_leader_away {
            service.autoscale(t, scenario);
        }
        if is_slice {
            service.slice(t, scenario, is_leader_away);
        }
    }
    if is_slice && !is_leader_away {
        damper(t, scenario, services, fleet);
    }
    for service in services {
        service.works(t, scenario, !is_manager_away);
    }
}

/// All policies of Damper, decided together and then written.
fn damper(t: i64, scenario: &Scenario, services: &mut [Service], fleet: &mut Fleet) {
    let looks: Vec<_> = services.iter().map(|service| service.look(t, scenario)).collect();
    let guards = services.iter_mut().zip(looks);
    let mut all: Vec<_> =
        guards.filter_map(|(service, look)| Some((service.guard.as_mut()?, look?))).collect();
    let orders = decide_all(moment(t), fleet, &mut all);
    for (service, order) in services.iter_mut().zip(orders) {
        if let Some(to) = order {
            service.write(t, scenario, to);
        }
    }
}
