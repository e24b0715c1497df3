//! Every scenario.

use super::super::workload::Replicas;
use super::super::{BOUNDS, Bounds};
use super::{Fault, Kind, Scenario, Sees, late};

const MINUTE: i64 = 60;
const REPLICAS: Replicas =
    Replicas { capacity: 100.0, limit: f64::INFINITY, later: None, start: 60, leak: 0.0 };

/// 250 requests a second, 900 in the hour from the tenth minute on.
fn spike(_: u32, t: i64) -> f64 {
    if (10 * MINUTE..70 * MINUTE).contains(&t) { 900.0 } else { 250.0 }
}

/// 300 requests a second, three times what four replicas do from the tenth minute on.
fn triple(_: u32, t: i64) -> f64 {
    if (10 * MINUTE..100 * MINUTE).contains(&t) { 1200.0 } else { 300.0 }
}

/// A spike for half an hour, then as much as keeps what was added 70 to 75 % full.
fn settled(_: u32, t: i64) -> f64 {
    match t / MINUTE {
        0..10 => 250.0,
        10..40 => 700.0,
        _ => 590.0,
    }
}

fn steady(_: u32, _: i64) -> f64 {
    250.0
}

fn large(_: u32, _: i64) -> f64 {
    3600.0
}

fn busy(_: u32, _: i64) -> f64 {
    300.0
}

/// Three requests a minute, and none in every third quarter of an hour.
fn low(_: u32, t: i64) -> f64 {
    if t / (15 * MINUTE) % 3 == 2 { 0.0 } else { 0.05 }
}

fn pool(_: u32, t: i64) -> f64 {
    if (10 * MINUTE..70 * MINUTE).contains(&t) { 600.0 } else { 180.0 }
}

fn square(_: u32, t: i64) -> f64 {
    if t / (5 * MINUTE) % 2 == 0 { 250.0 } else { 700.0 }
}

fn slow_start(_: u32, t: i64) -> f64 {
    if (10 * MINUTE..90 * MINUTE).contains(&t) { 600.0 } else { 250.0 }
}

/// Services of different load. Each begins and ends to fail somewhat later than the one before, and
/// while it fails its clients ask again: a tenth more.
fn fleet(service: u32, t: i64) -> f64 {
    let rest = 200.0 + 25.0 * f64::from(service % 6);
    let late = late(service);
    if (4 * MINUTE + late..14 * MINUTE + late).contains(&t) { rest * 1.1 } else { rest }
}

impl Scenario {
    /// A spike of load at the tenth minute, for an hour.
    fn of(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            about,
            kind,
            minutes: 120,
            delay: 0,
            services: 1,
            load: spike,
            count: 4,
            bounds: BOUNDS,
            replicas: REPLICAS,
            faults: Vec::new(),
            sees: Sees::Both,
        }
    }

    fn with(self, fault: Fault) -> Self {
        let mut faults = self.faults;
        faults.push(fault);
        Self { faults, ..self }
    }

    fn load(self, load: fn(u32, i64) -> f64) -> Self {
        Self { load, ..self }
    }
}

/// Load that replicas help with.
fn loads() -> Vec<Scenario> {
    use Kind::{Load, Untold};
    let of = Scenario::of;
    let leak = Replicas { leak: 0.3, ..REPLICAS };
    // Connections are held three times as long.
    let pooled = Replicas { limit: 100.0, later: Some((10 * MINUTE, 33.0)), ..REPLICAS };
    let slow = Replicas { start: 300, ..REPLICAS };
    vec![
        of("spike", Load, "250 requests/s become 900 for an hour; a replica does 100 and starts in 60s."),
        Scenario {
            sees: Sees::Nothing,
            ..of(
                "three times the load, saturation unknown",
                Untold,
                "300 requests/s become 1200 for 90 minutes, with `saturation: none`.",
            )
        }
        .load(triple),
        Scenario {
            replicas: leak,
            ..of("slow leak", Load, "A replica loses 30 % of its capacity per hour of age; the load stays.")
        }
        .load(steady),
        Scenario {
            replicas: pooled,
            ..of(
                "non-CPU bottleneck",
                Load,
                "What a replica calls becomes slow: its pool of connections admits 33 requests/s instead of 100. CPU and load stay.",
            )
        }
        .load(steady),
        Scenario {
            replicas: pooled,
            sees: Sees::Cpu,
            ..of("non-CPU bottleneck, unseen", Load, "The same, with a saturation query that sees CPU alone.")
        }
        .load(steady),
        Scenario {
            count: 60,
            bounds: Bounds { min: 3, max: 100 },
            replicas: Replicas { limit: 100.0, later: Some((10 * MINUTE, 55.0)), ..REPLICAS },
            ..of(
                "60 replicas",
                Load,
                "60 replicas, of at most 100 and a floor of 3, at 3600 requests/s; their pools come to admit 55 requests/s instead of 100 each.",
            )
        }
        .load(large),
        Scenario {
            replicas: Replicas { limit: 75.0, ..REPLICAS },
            ..of("pool of 75", Load, "A pool admits 75 requests/s per replica; 180 become 600 for an hour.")
        }
        .load(pool),
        of("square wave", Load, "250 and 700 requests/s, five minutes each.").load(square),
        Scenario {
            replicas: slow,
            ..of(
                "5-minute start",
                Load,
                "250 requests/s become 600 for 80 minutes; a replica starts in five minutes.",
            )
        }
        .load(slow_start),
        of(
            "failover in a cooldown",
            Load,
            "The spike; whoever scales dies after two minutes of it, is replaced 30s later.",
        )
        .with(Fault::Failover(12 * MINUTE, 12 * MINUTE + 30)),
        of(
            "HPA restart",
            Load,
            "The spike; the controller manager is away for 45s, from half a minute into it.",
        )
        .with(Fault::Manager(10 * MINUTE + 30, 10 * MINUTE + 75)),
    ]
}

/// Replicas do not help.
fn no_helps() -> Vec<Scenario> {
    use Kind::NoHelp;
    let of = Scenario::of;
    let bug = Fault::Broken(10 * MINUTE, 90 * MINUTE, 0.05);
    vec![
        of("load-independent bug", NoHelp, "5 % of all requests fail for 80 minutes; replicas are 62 % full.")
            .load(steady)
            .with(bug),
        of("bug while busy", NoHelp, "The same, with replicas that are 75 % full.").load(busy).with(bug),
        Scenario {
            sees: Sees::Nothing,
            ..of("bug, saturation unknown", NoHelp, "The same bug, with `saturation: none`.")
        }
        .load(busy)
        .with(bug),
        of("bad rollout while busy", NoHelp, "A version is rolled out, and 5 % fail from a minute later on.")
            .load(busy)
            .with(Fault::Rollout(10 * MINUTE, 12 * MINUTE))
            .with(Fault::Broken(11 * MINUTE, 90 * MINUTE, 0.05)),
        of(
            "bug after a spike",
            NoHelp,
            "A spike is served; an hour later, with replicas that are 72 % full, 20 % of all requests fail.",
        )
        .load(settled)
        .with(Fault::Broken(95 * MINUTE, 115 * MINUTE, 0.2)),
        of("quota-blocked", NoHelp, "The spike, with a quota of 6 replicas.").with(Fault::Quota(6)),
        of("low traffic", NoHelp, "Three requests a minute, of which one in fifty fails, and pauses without any.")
            .load(low)
            .with(Fault::Broken(0, 120 * MINUTE, 0.02)),
        Scenario {
            minutes: 20,
            services: 300,
            ..of(
                "fleet outage",
                NoHelp,
                "300 services, 50 to 81 % full, call one dependency, which fails 30 % for ten minutes; clients retry.",
            )
        }
        .load(fleet)
        .with(Fault::Broken(4 * MINUTE, 14 * MINUTE, 0.3)),
    ]
}

/// Every scenario, in the order in which it is printed.
pub fn all() -> Vec<Scenario> {
    use Kind::{Blind, Fight, Open};
    let of = Scenario::of;
    let mut all = loads();
    all.extend(no_helps());
    all.extend([
        of(
            "series vanish",
            Blind,
            "The spike; 20 minutes into it the workload's series are gone for 20 minutes.",
        )
        .with(Fault::Vanish(30 * MINUTE, 50 * MINUTE)),
        of("Prometheus down", Blind, "The same, with Prometheus itself.")
            .with(Fault::Down(30 * MINUTE, 50 * MINUTE)),
        Scenario {
            replicas: Replicas { limit: 65.0, ..REPLICAS },
            ..of(
                "pool of 65",
                Open,
                "A pool admits 65 requests/s per replica, which CPU does not show; 180 become 600 for an hour. KEDA's 60 happen to be what it needs.",
            )
        }
        .load(pool),
        of("GitOps revert", Fight, "The spike; what Git says is put back every three minutes.")
            .with(Fault::Reverts(3 * MINUTE)),
    ]);
    all
}
