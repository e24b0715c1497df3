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
use super::{LIMIT, ledger, settle};
use crate::delivery::told;
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::long::either;
use crate::support::proxy::Proxy;
use crate::support::random::Random;
use crate::support::receiver::Receiver;
use crate::support::shop::{Phase, Shop};
use crate::support::{now_ms, postgres as server, wait_until};

const SERVICES: [&str; 8] = ["cart", "checkout", "login", "mail", "pay", "search", "ship", "stock"];
/// How many Dampers share the points of the webhook.
const LANES: usize = 3;

#[tokio::test]
async fn killed_at_every_point_it_loses_nothing_invents_nothing_and_counts_the_same() {
    let seed = Random::seed();
    let rounds = either(1, 12);
    let shop = Shop::open(&[&SERVICES[..], &[QUIET]].concat()).await;
    let people = Receiver::start();
    let alertmanager = Alertmanager::start(Version::New, Some(&people.url())).await;
    let address = server::fresh_database();

    let webhooks = || Told::Webhooks(Box::new(Receiver::start()), Box::new(Receiver::start()));
    let proxied = Told::Alertmanager(Proxy::start(&alertmanager.url()));
    let mut lanes: Vec<(Lane, Vec<Point>)> =
        (0..LANES).map(|_| (Lane::new(&shop, &SERVICES, webhooks(), None), Vec::new())).collect();
    for (nth, point) in webhook().into_iter().enumerate() {
        lanes[nth % LANES].1.push(point);
    }
    lanes.push((Lane::new(&shop, &SERVICES, webhooks(), Some(&address)), postgres()));
    lanes.push((Lane::new(&shop, &SERVICES, proxied, None), levels()));
    let mut whole = ledger::whole(&shop, &SERVICES);
    whole.start().await;
    for (lane, _) in &mut lanes {
        lane.damper.start().await;
    }
    let began = now_ms() / 1000;
    shop.flap(seed, &SERVICES);
    let walks = (0..).zip(&mut lanes).map(|(nth, (lane, points))| async move {
        lane.walk(points, rounds, &mut Random::of(seed + nth)).await;
    });
    futures_util::future::join_all(walks).await;
    let killed = now_ms() / 1000 - began;
    shop.calm();

    let mut runs = BTreeMap::new();
    for (nth, (mut lane, _)) in lanes.into_iter().enumerate() {
        settle(&lane.damper, &shop).await;
        let slices = ledger::same(&lane.damper, &whole, &SERVICES, began).await;
        lane.damper.stop().await;
        let store = match nth {
            LANES => address.clone(),
            _ => format!("sqlite:{}", lane.damper.path("damper.db").display()),
        };
        match &lane.told {
            Told::Webhooks(main, other) => {
                let decided = told::check(&store, main, &shop.phases()).await;
                let passed = told::stood_in(other, &decided);
                eprintln!(
                    "{} transitions, {passed} incidents to the fallback, {slices} slices",
                    decided.len()
                );
            }
            Told::Alertmanager(_) => {
                let decided = told::decided(&store).await;
                let none = async || alertmanager.alerts().await.is_empty().then_some(());
                wait_until(LIMIT, "no alert in the Alertmanager", none).await;
                people_know(&people, &decided, &shop.phases());
                eprintln!("{} transitions by an Alertmanager, {slices} slices", decided.len());
            }
        }
        let on = if nth == LANES { "PostgreSQL" } else { "SQLite" };
        for (point, count) in lane.runs {
            *runs.entry((point.place, point.doing, on)).or_default() += count;
        }
    }
    table(&runs, killed);
}

/// Each time a service failed people were told by the Alertmanager that it fires, and then that it is over.
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
    for service in services {
        let mut statuses = told.remove(service).unwrap_or_default();
        statuses.dedup();
        let failed = phases.iter().filter(|phase| phase.service == service).count();
        let what = format!("{service}, which failed {failed} times: {phases:#?}\n{all}");
        assert_eq!(statuses, ["firing", "resolved"].repeat(failed), "{what}");
    }
    assert!(told.is_empty(), "nobody else failed: {told:?}");
    assert_eq!(decided.len(), 2 * phases.len(), "a firing and an end for each time one failed: {phases:?}");
}

fn table(runs: &BTreeMap<(damper::failpoint::Place, &str, &str), u32>, seconds: i64) {
    let sum: u32 = runs.values().sum();
    eprintln!("killed {sum} times in {seconds} s");
    for ((place, doing, on), count) in runs {
        eprintln!("| {} | {doing} | {on} | {count} |", place.name());
    }
}
