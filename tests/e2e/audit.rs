//! The self-audit: a ledger that is what its source says is never told to differ, whatever is born,
//! restarts and goes; one that was changed in the store is told within a few rounds, with the numbers.

use std::time::Duration;

use damper::engine::ledger::SeriesImage;
use damper::store::{ImageRow, Lease, Options, Store};
use serde_json::{Value, json};

use super::shop::{SOON, Shop, until_whole};
use crate::support::damper::Damper;
use crate::support::now_ms;
use crate::support::prometheus::Version;
use crate::support::traffic::REQUESTS;

const SERVICES: [&str; 2] = ["calm", "busy"];
/// Rounds come every ten seconds, and slices of 85 seconds ago are the first that have settled.
const LATE: Duration = Duration::from_secs(240);
/// Slices compared before the ledger is believed to be honest.
const COMPARED: f64 = 80.0;

#[tokio::test]
async fn an_honest_ledger_does_not_drift_and_one_that_was_changed_is_told() {
    let shop = Shop::open(Version::New, &SERVICES).await;
    let mut damper = shop.watched(&shop.prometheus.url(), &SERVICES);
    damper.start().await;
    for service in SERVICES {
        until_whole(&damper, service).await;
    }

    // Pods come with their first requests and go, errors are born, counters begin again at zero.
    let churned = tokio::time::Instant::now();
    let mut pods = 0;
    let end = churned + LATE;
    loop {
        pods += 1;
        let pod = format!("pod-{pods}");
        shop.target.change(|metrics| {
            let labels = [("service", "busy"), ("code", "200"), ("pod", pod.as_str())];
            metrics.add(REQUESTS, &labels, 40.0);
        });
        shop.traffic.fail("busy", pods % 3);
        shop.target.scraped(3, SOON).await;
        if pods % 7 == 0 {
            shop.target.restart();
        }
        assert_eq!(different(&damper).await, (0.0, 0.0), "{:?}", health(&damper).await);
        let enough = checks(&damper, "equal").await >= COMPARED;
        // What was born and reset at the beginning has settled and had its turn.
        if enough && churned.elapsed() > Duration::from_secs(120) {
            break;
        }
        assert!(tokio::time::Instant::now() < end, "{} compared in time", checks(&damper, "equal").await);
    }
    assert_eq!(checks(&damper, "different").await, 0.0);
    assert_eq!(health(&damper).await, None);

    damper.stop().await;
    let changed = tamper(&damper).await;
    damper.start().await;
    let told = damper
        .wait_for(LATE, "/healthz", "the drift in health", |health| {
            let components = health["components"].as_array()?;
            let audit = components.iter().find(|component| component["name"] == "audit")?;
            (audit["status"] == "degraded").then(|| audit["detail"].as_str().unwrap().to_owned())
        })
        .await;
    for part in ["shop/", REQUESTS, "source `local`", "damper ledger exclude"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (booked, asked) = numbers(&told);
    assert_eq!(booked - asked, changed, "{told}");
    let (slices, events) = different(&damper).await;
    assert!(slices >= 1.0 && events >= changed, "{slices} {events}");
    assert!(damper.log().contains("not what its source says"));
}

/// The two numbers of a message.
fn numbers(told: &str) -> (f64, f64) {
    let before = |what: &str| {
        let text = told.split(what).next().unwrap().rsplit(' ').next().unwrap();
        text.parse::<f64>().unwrap_or_else(|error| panic!("{text}: {error}: {told}"))
    };
    (before(" booked,"), before(" asked again"))
}

async fn checks(damper: &Damper, outcome: &str) -> f64 {
    let name = format!("damper_ledger_drift_checks_total{{source=\"local\",outcome=\"{outcome}\"}}");
    damper.metric(&name).await.unwrap_or(0.0)
}

/// Slices that differ, and by how many events.
async fn different(damper: &Damper) -> (f64, f64) {
    let slices = damper.metric("damper_ledger_drift_slices").await;
    (slices.unwrap(), damper.metric("damper_ledger_drift_events").await.unwrap())
}

/// What health says of the audit; nothing where all is well.
async fn health(damper: &Damper) -> Option<Value> {
    let health = damper.get("/healthz").await;
    health["components"].as_array().unwrap().iter().find(|c| c["name"] == "audit").cloned()
}

/// Adds seven events to every slice with events of one series, under a good checksum, as a careful
/// hand would, and removes the journal that would mend it at the start.
async fn tamper(damper: &Damper) -> f64 {
    let address = format!("sqlite:{}", damper.path("damper.db").display());
    let store = Store::open(&address, Options::default()).await.unwrap();
    let Lease::Acquired { epoch } = store.acquire("somebody", now_ms(), 60_000).await.unwrap() else {
        panic!("nobody leads")
    };
    let images = store.load_images(None).await.unwrap().images;
    let fine = |image: &Value| image["groups"][0]["tiers"][0][1]["Whole"].clone();
    let sum = |row: &ImageRow| {
        let image = serde_json::to_value(SeriesImage::from_bytes(&row.blob).unwrap()).unwrap();
        fine(&image).as_array().map_or(0, |slots| slots.iter().filter_map(Value::as_i64).sum::<i64>())
    };
    let row = images.into_iter().max_by_key(sum).unwrap();
    let mut image = serde_json::to_value(SeriesImage::from_bytes(&row.blob).unwrap()).unwrap();
    let slots = fine(&image);
    let slots = slots.as_array().unwrap().iter().map(|slot| match slot.as_i64().unwrap() {
        0 => json!(0),
        events => json!(events + 7),
    });
    image["groups"][0]["tiers"][0][1]["Whole"] = slots.collect();
    let image: SeriesImage = serde_json::from_value(image).unwrap();
    let row = ImageRow { blob: image.to_bytes(), ..row };
    store.append_slices(epoch, &[], &[row]).await.unwrap();
    while store.prune_slices(epoch, 0, i64::MAX).await.unwrap() > 0 {}
    store.release(epoch).await.unwrap();
    store.close().await;
    7.0
}
