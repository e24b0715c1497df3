//! `kill -9` at any moment moves nothing twice, nothing too early, and loses nothing from history.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::account::{self, Rules};
use super::lenient;
use crate::e2e::shop::{Shop, until_whole};
use crate::support::damper::Damper;
use crate::support::long::either;
use crate::support::postgres;
use crate::support::prometheus::Version;
use crate::support::random::Random;
use crate::support::wait::pass;
use crate::support::wait_until;
use crate::support::workload::{Trap, Workload};

/// Each has a workload and a policy of its own.
const SERVICES: [&str; 5] = ["cart", "login", "pay", "search", "ship"];
/// How many Dampers share the moments, each with a shop and workloads of its own.
const LANES: usize = 3;
/// Where every workload begins, and ends.
const BASE: u32 = 3;
/// The cooldowns are longer than it takes to start again and see all replicas ready: one that was
/// lost would be seen.
const RULES: Rules = Rules {
    min: 2,
    max: 5,
    up: Duration::from_secs(20),
    down: Duration::from_secs(10),
    valid: Duration::from_secs(5),
};
/// How much later the load of each workload begins than that of the one before.
const APART: Duration = Duration::from_secs(5);
/// How long a moment may take to come, before any is as good.
const REACHED: Duration = Duration::from_secs(80);
/// For everything to be calm and given back.
const SETTLED: Duration = Duration::from_secs(180);

/// When Damper is killed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Moment {
    /// The order has left, and is never carried out.
    BeforeTheWrite,
    /// The order has left, and is carried out after Damper has started again.
    WhileItIsOnItsWay,
    /// It is carried out, and Damper was not told.
    BeforeTheRecord,
    /// While Damper asks for the count.
    InALook,
    /// At any moment, nearly always within a cooldown.
    InACooldown,
    /// At a fail point.
    At(&'static str),
}

const MOMENTS: [Moment; 18] = [
    Moment::BeforeTheWrite,
    Moment::At("inside/scaling up"),
    Moment::WhileItIsOnItsWay,
    Moment::At("begin/recording a move"),
    Moment::At("send/a move down"),
    Moment::BeforeTheRecord,
    Moment::At("committed/scaling up"),
    Moment::At("inside/recording a move"),
    Moment::At("begin/scaling down"),
    Moment::InALook,
    Moment::At("taken/a move up"),
    Moment::At("inside/scaling down"),
    Moment::InACooldown,
    Moment::At("begin/scaling up"),
    Moment::At("committed/scaling down"),
    Moment::At("send/a move up"),
    Moment::At("committed/recording a move"),
    Moment::At("taken/a move down"),
];

impl Moment {
    const fn trap(self) -> Option<Trap> {
        match self {
            Self::BeforeTheWrite => Some(Trap::Lost),
            Self::WhileItIsOnItsWay => Some(Trap::Late(Duration::from_millis(1500))),
            Self::BeforeTheRecord => Some(Trap::Made),
            Self::InALook => Some(Trap::Look),
            Self::InACooldown | Self::At(_) => None,
        }
    }
}

/// Several workloads, each with a service that fails for want of replicas.
struct Fleet {
    shop: Shop,
    workloads: Vec<Workload>,
    /// By workload: whether its load rises.
    rising: Vec<bool>,
    began: Instant,
}

#[tokio::test]
async fn kills_while_replicas_come_and_go_move_nothing_twice_and_nothing_too_early() {
    let seed = Random::seed();
    let lanes = (0..LANES).map(|lane| async move {
        let of = |place: &usize| place % LANES == lane;
        let moments: Vec<Moment> = (0..MOMENTS.len()).filter(of).map(|place| MOMENTS[place]).collect();
        let mut random = Random::of(seed + u64::try_from(lane).unwrap());
        walk(&moments, &mut random).await
    });
    let (mut reached, mut ups, mut downs) = (Vec::new(), 0, 0);
    for (moments, up, down) in futures_util::future::join_all(lanes).await {
        reached.extend(moments);
        (ups, downs) = (ups + up, downs + down);
    }
    let count = |moment: Moment| reached.iter().filter(|one| **one == moment).count();
    let counts: Vec<_> = MOMENTS.iter().map(|moment| (*moment, count(*moment))).collect();
    eprintln!("{ups} up, {downs} down; killed");
    counts.iter().for_each(|(moment, count)| eprintln!("| {moment:?} | {count} |"));
    assert!(counts.iter().all(|(_, count)| *count > 0) && ups > 1 && downs > 1, "too little happened");
}

/// One Damper and its workloads, killed at these moments: those that came, and the moves up and down.
async fn walk(kills: &[Moment], random: &mut Random) -> (Vec<Moment>, usize, usize) {
    let mut fleet = Fleet::open(&SERVICES).await;
    let mut damper = fleet.damper(&SERVICES, "", &RULES);
    damper.mortal();
    damper.start().await;
    until_whole(&damper, SERVICES[0]).await;
    let (mut moments, mut seen) = (Vec::new(), BTreeSet::new());
    for moment in kills.iter().cycle().take(kills.len() * either(1, 8)) {
        seen.extend(fleet.lines(&damper).await);
        match moment {
            Moment::At(point) => {
                fleet.die(&mut damper, point).await;
                moments.push(*moment);
            }
            _ => moments.extend(fleet.reach(*moment, random).await),
        }
        seen.extend(fleet.lines(&damper).await);
        damper.kill();
        fleet.workloads.iter().for_each(|workload| workload.trap(None));
        damper.spawn();
    }
    fleet.calm(&damper).await;
    damper.stop().await;

    let store = account::store(&format!("sqlite:{}", damper.path("damper.db").display())).await;
    let (mut ups, mut downs) = (0, 0);
    for (service, workload) in SERVICES.iter().zip(&fleet.workloads) {
        let (lines, moves) = (account::history(&store, service).await, workload.moves());
        account::check(service, &moves, &lines, &RULES);
        ups += moves.iter().filter(|one| one.to > one.from).count();
        downs += moves.iter().filter(|one| one.to < one.from).count();
        let body = |text: &str| serde_json::from_str::<Value>(text).unwrap().to_string();
        let kept: BTreeSet<String> = lines.iter().map(|line| body(&line.body)).collect();
        let told = seen.iter().filter(|(of, _)| of == service);
        let lost: Vec<_> = told.filter(|(_, body)| !kept.contains(body)).collect();
        assert!(lost.is_empty(), "{service}: lost from history: {lost:?}");
    }
    store.close().await;
    (moments, ups, downs)
}

/// Two replicas and one lease.
#[tokio::test]
async fn a_replica_that_takes_over_keeps_to_the_cooldown_of_a_write_it_knows_only_from_the_store() {
    let services = ["lost", "made"];
    // The lease of the one that is killed lasts up to 15 s, and the cooldown is still on then.
    let rules = Rules { max: 9, up: Duration::from_secs(30), ..RULES };
    let fleet = Fleet::open(&services).await;
    let address = postgres::fresh_database();
    let store = format!("store: '{address}'\n");
    let (mut first, mut second) =
        (fleet.damper(&services, &store, &rules), fleet.damper(&services, &store, &rules));
    first.start().await;
    second.spawn();
    until_whole(&first, services[0]).await;
    fleet.workloads[0].trap(Some(Trap::Lost));
    fleet.workloads[1].trap(Some(Trap::Made));
    services.iter().for_each(|service| fleet.shop.traffic.fail(service, 9));
    fleet.until("both orders to leave", |one| one.is_sprung()).await;
    first.kill();
    assert_eq!(fleet.workloads.iter().map(Workload::replicas).collect::<Vec<_>>(), [BASE, BASE + 2]);
    let leads = |status: &Value| status["leader"].as_bool()?.then_some(());
    second.wait_for(Duration::from_secs(30), "/api/v1/status", "the other to lead", leads).await;
    services.iter().for_each(|service| fleet.shop.traffic.fail(service, 6));
    let moves = || fleet.workloads.iter().map(|one| one.moves().len()).collect::<Vec<_>>();
    wait_until(SETTLED, "both to go on", async || (moves()[0] >= 1 && moves()[1] >= 2).then_some(())).await;
    services.iter().for_each(|service| fleet.shop.traffic.fail(service, 0));
    fleet.until("all given back", |one| one.replicas() == BASE).await;
    second.stop().await;
    let store = account::store(&address).await;
    for (service, workload) in services.iter().zip(&fleet.workloads) {
        account::check(service, &workload.moves(), &account::history(&store, service).await, &rules);
    }
    store.close().await;
}

impl Fleet {
    async fn open(services: &[&str]) -> Self {
        let shop = Shop::open(Version::New, services).await;
        let workloads: Vec<_> = services.iter().map(|_| Workload::start(BASE)).collect();
        Self { shop, rising: vec![true; workloads.len()], workloads, began: Instant::now() }
    }

    /// Damper with a policy for each workload, not started yet; `more` are other settings.
    fn damper(&self, services: &[&str], more: &str, rules: &Rules) -> Damper {
        let mut settings = self.shop.settings(&self.shop.prometheus.url());
        settings += more;
        settings += "scaling:\n  maxPoliciesUp: 100%\n  maxReplicasAddedPerHour: 1000\n  actuators:\n";
        for (service, workload) in services.iter().zip(&self.workloads) {
            let url = workload.url();
            writeln!(settings, "    - {{name: {service}, webhook: {{url: '{url}'}}}}").unwrap();
        }
        let damper = Damper::new(&settings);
        for service in services {
            damper.definition(&format!("{service}.yaml"), &lenient(service));
            damper.definition(&format!("{service}-policy.yaml"), &policy(service, rules));
        }
        damper
    }

    /// Load rises until replicas were added, and falls until they are given back; not that of all
    /// workloads at once.
    fn load(&mut self, services: &[&str]) {
        let begun = usize::try_from(self.began.elapsed().as_secs() / APART.as_secs()).unwrap();
        let all = services.iter().zip(&self.workloads).zip(&mut self.rising);
        for ((service, workload), rising) in all.take(begun) {
            let replicas = workload.replicas();
            *rising = replicas <= BASE || (*rising && replicas < BASE + 2);
            let bad = match replicas {
                _ if !*rising => 0,
                BASE => 9,
                _ => 6,
            };
            self.shop.traffic.fail(service, bad);
        }
    }

    /// Waits for a moment to kill; `None` where it did not come soon, and any is as good.
    async fn reach(&mut self, moment: Moment, random: &mut Random) -> Option<Moment> {
        self.load(&SERVICES);
        let Some(trap) = moment.trap() else {
            let cooling =
                |one: &Workload| one.moves().last().is_some_and(|last| last.at.elapsed() < RULES.down / 2);
            let cools = wait_until(SETTLED, "a cooldown", async || {
                self.load(&SERVICES);
                self.workloads.iter().any(cooling).then_some(moment)
            });
            let reached = tokio::time::timeout(REACHED, cools).await.ok();
            pass(Duration::from_millis(random.between(100, 4000).unsigned_abs())).await;
            return reached;
        };
        self.workloads.iter().for_each(|workload| workload.trap(Some(trap)));
        let sprung = wait_until(SETTLED, "a request", async || {
            self.load(&SERVICES);
            self.workloads.iter().any(Workload::is_sprung).then_some(moment)
        });
        tokio::time::timeout(REACHED, sprung).await.ok()
    }

    /// Waits until it has died at a fail point.
    async fn die(&mut self, damper: &mut Damper, point: &str) {
        damper.arm(point, 1);
        let ended = wait_until(SETTLED, point, async || {
            self.load(&SERVICES);
            damper.ended()
        });
        ended.await;
        damper.died(SETTLED, point).await;
    }

    /// The lines of history that Damper tells of, by policy.
    async fn lines(&self, damper: &Damper) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for service in SERVICES {
            let Some((status, text)) = damper.try_get(&format!("/api/v1/scale/{service}")).await else {
                continue;
            };
            // It may have started a moment ago, and not have read its policies yet.
            if !status.is_success() {
                continue;
            }
            let view: Value = serde_json::from_str(&text).unwrap();
            let told = view["history"].as_array().into_iter().flatten();
            lines.extend(told.map(|line| (service.to_owned(), line["body"].to_string())));
        }
        lines
    }

    /// No load any more: waits until everything is given back and Damper is at rest.
    async fn calm(&self, damper: &Damper) {
        SERVICES.iter().for_each(|service| self.shop.traffic.fail(service, 0));
        for service in SERVICES {
            let rests = |view: &Value| {
                let is_at = view["base"] == BASE && view["seen"]["workload"]["position"] == BASE;
                (is_at && view["decision"]["reason"]["code"] == "atRest").then_some(())
            };
            let what = format!("{service} to rest where it began");
            damper.wait_for(SETTLED, &format!("/api/v1/scale/{service}"), &what, rests).await;
        }
        assert!(self.workloads.iter().all(|workload| workload.replicas() == BASE));
    }

    async fn until(&self, what: &str, is: impl Fn(&Workload) -> bool) {
        wait_until(SETTLED, what, async || self.workloads.iter().all(&is).then_some(())).await;
    }
}

/// Burn that asks for more is far from burn that gives back, so that both are seen within seconds.
fn policy(service: &str, rules: &Rules) -> String {
    let Rules { min, max, up, down, .. } = rules;
    format!(
        "apiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: {service}}}\nspec:\n\
         \x20 slos: [shop/{service}]\n  target: {{actuator: {service}, name: shop}}\n  mode: auto\n\
         \x20 replicas: {{min: {min}, max: {max}}}\n\
         \x20 up: [{{burnRate: 2, add: 2, cooldown: {}s}}]\n\
         \x20 down: {{burnRate: 1, remove: 1, calm: 0s, cooldown: {}s}}\n\
         \x20 windows: {{short: 10s, long: 20s}}\n  settle: 0s\n  saturation: none\n  maxActionsPerHour: 120\n",
        up.as_secs(),
        down.as_secs()
    )
}
