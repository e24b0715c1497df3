//! `kill -9` at every store boundary and around every send, in turn.
//!
//! Several Dampers watch one shop whose services fail and recover, each with a store and a receiver of
//! its own. Each walks through its points: it dies where it comes to one, is started again at once, and
//! goes on with the next. At the end everything is judged together: what was told against what was
//! decided and against when services really failed, and the ledger against that of a Damper which was
//! never killed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::lane::{Lane, QUIET, Told};
use super::points::{Point, levels, postgres, webhook};
use super::{LIMIT, ledger};
use crate::delivery::told;
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::damper::Damper;
use crate::support::long::either;
use crate::support::proxy::Proxy;
use crate::support::random::Random;
use crate::support::receiver::Receiver;
use crate::support::shop::{Phase, Shop};
use crate::support::{now_ms, postgres as server, wait_until};

const SERVICES: [&str; 8] = ["cart", "checkout", "login", "mail", "pay", "search", "ship", "stock"];
/// How many Dampers share the points of a kind.
const LANES: [(Kind, usize); 3] = [(Kind::Webhook, 9), (Kind::Postgres, 2), (Kind::Levels, 4)];

/// What a Damper is killed with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A webhook, its fallback, and SQLite.
    Webhook,
    /// The same on PostgreSQL.
    Postgres,
    /// An Alertmanager, and SQLite.
    Levels,
}

/// A Damper, its points, and who is told by its Alertmanager.
struct One {
    lane: Lane,
    points: Vec<Point>,
    store: Option<server::Database>,
    level: Option<(Alertmanager, Receiver)>,
}

impl Kind {
    fn points(self) -> Vec<Point> {
        match self {
            Self::Webhook => webhook(),
            Self::Postgres => postgres(),
            Self::Levels => levels(),
        }
    }

    async fn lane(self, shop: &Shop) -> One {
        let store = (self == Self::Postgres).then(server::fresh_database);
        let (told, level) = if self == Self::Levels {
            let people = Receiver::start();
            let alertmanager = Alertmanager::start(Version::New, Some(&people.url())).await;
            (Told::Alertmanager(Proxy::start(&alertmanager.url())), Some((alertmanager, people)))
        } else {
            (Told::Webhooks(Box::new(Receiver::start()), Box::new(Receiver::start())), None)
        };
        let lane = Lane::new(shop, &SERVICES, told, store.as_deref());
        One { lane, points: Vec::new(), store, level }
    }
}

#[tokio::test]
async fn killed_at_every_point_it_loses_nothing_invents_nothing_and_counts_the_same() {
    let seed = Random::seed();
    let rounds = either(1, 12);
    let shop = Shop::open(&[&SERVICES[..], &[QUIET]].concat()).await;
    let mut all = Vec::new();
    for (kind, count) in LANES {
        let mut lanes = Vec::new();
        for _ in 0..count {
            lanes.push(kind.lane(&shop).await);
        }
        for (nth, point) in kind.points().into_iter().enumerate() {
            lanes[nth % count].points.push(point);
        }
        all.extend(lanes);
    }
    let mut whole = ledger::whole(&shop, &SERVICES);
    whole.start().await;
    let starts = all.iter_mut().map(|one| one.lane.damper.start());
    futures_util::future::join_all(starts).await;
    let began = now_ms() / 1000;
    shop.flap(seed, &SERVICES);
    let walks = (0..).zip(&mut all).map(|(nth, one)| async move {
        one.lane.walk(&one.points, rounds, &mut Random::of(seed + nth)).await;
    });
    futures_util::future::join_all(walks).await;
    let killed = now_ms() / 1000;
    shop.calm();

    let mut runs = Runs::new();
    let ends = all.into_iter().map(|one| one.end(&shop, &whole, (began, killed)));
    for (on, walked) in futures_util::future::join_all(ends).await {
        for (point, count) in walked {
            *runs.entry((point.place, point.doing, on)).or_default() += count;
        }
    }
    table(&runs, killed - began);
    eprintln!("{} s in all", now_ms() / 1000 - began);
}

type Runs = BTreeMap<(damper::failpoint::Place, &'static str, &'static str), u32>;

impl One {
    /// Judges what was told and what was counted; where it was killed, on which store.
    async fn end(
        mut self,
        shop: &Shop,
        whole: &Damper,
        time: (i64, i64),
    ) -> (&'static str, BTreeMap<Point, u32>) {
        let damper = &mut self.lane.damper;
        damper.settle(shop, LIMIT).await;
        let slices = ledger::same(damper, whole, &SERVICES, time).await;
        damper.stop().await;
        let file = format!("sqlite:{}", damper.path("damper.db").display());
        let store = self.store.as_deref().unwrap_or(&file);
        let owed = told::owed(store).await;
        assert!(owed.is_empty(), "gaps that are not summed up: {owed:?}");
        let decided = match (&self.lane.told, &self.level) {
            (Told::Webhooks(main, other), _) => {
                let decided = told::check_late(store, main, &shop.phases()).await;
                let passed = told::stood_in(other, &decided);
                eprintln!("{passed} incidents to the fallback");
                decided
            }
            (Told::Alertmanager(_), level) => {
                let (alertmanager, people) = level.as_ref().unwrap();
                let decided = told::decided(store).await;
                let none = async || alertmanager.alerts().await.is_empty().then_some(());
                wait_until(LIMIT, "no alert in the Alertmanager", none).await;
                people_know(people, &decided, &shop.phases());
                decided
            }
        };
        let missed = told::missed(&decided);
        eprintln!("{} transitions, {missed} of them missed, {slices} slices", decided.len());
        let on = if self.store.is_some() { "PostgreSQL" } else { "SQLite" };
        (on, self.lane.runs)
    }
}

/// Each time a service failed people were told by the Alertmanager that it fires, and then that it is over;
/// of what came and went unseen an Alertmanager is told nothing.
fn people_know(people: &Receiver, decided: &BTreeSet<told::Transition>, phases: &[Phase]) {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut all = String::new();
    for request in people.accepted() {
        let body = request.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (service, status) = (text(&body["commonLabels"]["service"]), text(&body["status"]));
        all.push_str(&format!("{} {service} {status} {}\n", request.at, body["alerts"][0]["startsAt"]));
        told.entry(service).or_default().push(status);
    }
    let services: BTreeSet<&str> = phases.iter().map(|phase| phase.service.as_str()).collect();
    let (missed, mut known) = (told::missed(decided), 0);
    for service in services {
        let mut statuses = told.remove(service).unwrap_or_default();
        statuses.dedup();
        let failed = phases.iter().filter(|phase| phase.service == service).count();
        let what = format!("{service}, which failed {failed} times: {phases:#?}\n{all}");
        let often = statuses.len() / 2;
        assert_eq!(statuses, ["firing", "resolved"].repeat(often), "{what}");
        assert!(often <= failed && often + missed >= failed, "{what}");
        known += often;
    }
    assert!(told.is_empty(), "nobody else failed: {told:?}");
    assert_eq!(known + missed, phases.len(), "each time one failed is known, or told as missed: {phases:?}");
    assert_eq!(decided.len(), 2 * known + missed, "a firing and an end of each: {phases:?}");
}

fn table(runs: &Runs, seconds: i64) {
    let sum: u32 = runs.values().sum();
    eprintln!("killed {sum} times in {seconds} s");
    for ((place, doing, on), count) in runs {
        eprintln!("| {} | {doing} | {on} | {count} |", place.name());
    }
}
