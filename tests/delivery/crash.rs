//! `kill -9` at any moment loses no page and no resolve, and invents none.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use super::told;
use crate::support::damper::Damper;
use crate::support::long::either;
use crate::support::postgres;
use crate::support::random::Random;
use crate::support::receiver::{Behaviour, Receiver};
use crate::support::shop::{Phase, Shop};
use crate::support::wait::pass;
use crate::support::{now_ms, wait_until};

const SERVICES: [&str; 6] = ["cart", "checkout", "login", "pay", "search", "ship"];
/// The last attempts before the receiver came back may have put the next ones off for two minutes.
const SETTLED: Duration = Duration::from_secs(240);
/// How often it is started again at most for history to fill what the kills left.
const TURNS: usize = 10;

/// Whatever moments are named in `crash::matrix`, there are others.
#[tokio::test]
async fn kills_at_any_moment_while_alerts_fire_and_resolve_lose_nothing_and_invent_nothing() {
    storm(either(8, 200), 300..4000).await;
}

#[tokio::test]
async fn a_killed_leader_on_postgresql_leads_again_without_waiting_for_its_lease() {
    let shop = Shop::open(&["pay"]).await;
    let receiver = Receiver::start();
    let address = postgres::fresh_database();
    let mut damper = damper(&shop, &receiver, &["pay"], Some(&address));
    damper.start().await;
    for _ in 0..3 {
        damper.kill();
        damper.spawn();
        let leads = |json: &Value| json["leader"].as_bool()?.then_some(());
        // The lease of the one that was killed would last fifteen seconds.
        damper.wait_for(Duration::from_secs(10), "/api/v1/status", "the lease to be taken over", leads).await;
    }
}

/// Kills Damper again and again, each time after a random life within `lives` (milliseconds), while
/// services fail and recover and the receiver misbehaves; then checks who was told what.
async fn storm(kills: usize, lives: Range<i64>) {
    let seed = Random::seed();
    let mut random = Random::of(seed);
    let shop = Shop::open(&SERVICES).await;
    let mut receiver = Receiver::start();
    let mut damper = damper(&shop, &receiver, &SERVICES, None);
    damper.start().await;
    shop.flap(seed, &SERVICES);
    let (status, judged) = (damper.url("/api/v1/status"), Mutex::new(BTreeSet::new()));
    let night = async {
        for _ in 0..kills {
            moment(&mut random, lives.clone(), &receiver).await;
            damper.kill();
            receiver.behave(behaviour(&mut random));
            damper.spawn();
        }
        receiver.behave(Behaviour::Accept);
        shop.calm();
        damper.settle(&shop, SETTLED).await;
    };
    tokio::select! {
        () = night => {}
        never = watch(&status, &judged) => match never {},
    }
    let store = format!("sqlite:{}", damper.path("damper.db").display());
    damper.stop().await;
    for _ in 0..TURNS {
        if told::owed(&store).await.is_empty() {
            break;
        }
        damper.start().await;
        damper.ticked(SETTLED, 2).await;
        damper.settle(&shop, SETTLED).await;
        damper.stop().await;
    }
    let decided = told::check_late(&store, &receiver, &shop.phases()).await;
    // Only what no process lived long enough to see may be told once it is over.
    let judged = judged.into_inner().unwrap();
    let seen = |phase: &&Phase| judged.range(phase.from + 10_000..phase.to.unwrap()).count() > 1;
    let unseen = shop.phases().iter().filter(|phase| !seen(phase)).count();
    let missed = told::missed(&decided);
    eprintln!("{} transitions, {missed} of them missed, {unseen} failures hardly seen", decided.len());
    assert!(missed <= unseen, "{missed} of {unseen}: {:?}, judged at {judged:?}", shop.phases());
}

/// Notes which moments were judged (milliseconds since the epoch), by whichever process lives.
async fn watch(status: &str, judged: &Mutex<BTreeSet<i64>>) -> Infallible {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build().unwrap();
    let ticks = async || {
        let text = client.get(status).send().await.ok()?.text().await.ok()?;
        let ticks = serde_json::from_str::<Value>(&text).ok()?["ticks"].take();
        ticks["at"].as_i64().filter(|_| ticks["completed"].as_i64() > Some(0))
    };
    loop {
        let at = ticks().await;
        judged.lock().unwrap().extend(at.map(|at| at * 1000));
        pass(millis(100)).await;
    }
}

fn damper(shop: &Shop, receiver: &Receiver, services: &[&str], store: Option<&str>) -> Damper {
    let store = store.map_or_else(String::new, |store| format!("store: '{store}'\n"));
    let damper = Damper::new(&format!(
        "{}receivers: [{{name: oncall, webhook: {{url: '{}', timeout: 1s}}}}]\n{store}",
        shop.settings(),
        receiver.url()
    ));
    for service in services {
        damper.definition(&format!("{service}.yaml"), &Shop::slo(service));
    }
    damper
}

/// Waits for the moment of the next kill: any, or around a tick's commit, or while a message is
/// between the receiver and the mark that says so.
async fn moment(random: &mut Random, lives: Range<i64>, receiver: &Receiver) {
    let life = random.between(lives.start, lives.end);
    match random.between(0, 3) {
        0 => pass(millis(life)).await,
        1 => {
            let tick = now_ms() / 5000 * 5000 + 5000 + 250;
            pass(millis(tick - now_ms() + random.between(0, 250))).await;
        }
        _ => {
            let before = receiver.requests().len();
            let arrived = async || (receiver.requests().len() > before).then_some(());
            let message = wait_until(SETTLED, "a message", arrived);
            // Where none comes, this moment is as good as any.
            let _ = tokio::time::timeout(millis(lives.end), message).await;
            pass(millis(random.between(0, 60))).await;
        }
    }
}

fn millis(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}

/// A receiver is well half of the time.
fn behaviour(random: &mut Random) -> Behaviour {
    let all = [
        Behaviour::Accept,
        Behaviour::Accept,
        Behaviour::Slow(Duration::from_millis(500)),
        Behaviour::Refuse,
        Behaviour::Hang,
        Behaviour::Fail(500, None),
    ];
    random.pick(&all).clone()
}
