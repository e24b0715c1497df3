//! Sources that misbehave, each in its own way and all at once, between a Damper and a Prometheus that
//! are well: nothing is decided by what they say, each is told once, and one that is well is not slower.
//!
//! The long form lets it last for twelve minutes and a half: long enough for all that Damper says of it.

mod rows;
mod taken;

use std::cell::RefCell;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use self::rows::{Bad, Row, Said};
use self::taken::Outcomes;
use super::shop::{PAGE, SOON, Shop, until_whole};
use super::truth::Truth;
use crate::support::damper::Damper;
use crate::support::long::{either, is_long};
use crate::support::now_ms;
use crate::support::process::memory_of;
use crate::support::prometheus::Version;
use crate::support::proxy::{Proxy, Spoil};
use crate::support::wait_until;

/// How long sources misbehave: more than the minute after which somebody is told, or than the ten
/// after which somebody is paged.
const SHORT: Duration = Duration::from_secs(85);
const LONG: Duration = Duration::from_secs(750);
/// After which `SourceBlind` is told.
const MINUTE: Duration = Duration::from_secs(60);
/// For what all sources come to, on a busy machine.
const ALL: Duration = Duration::from_secs(150);
/// Until when what was refused for long is asked again: five minutes, and a tick or two.
const RECOVERY: Duration = Duration::from_secs(5 * 60 + 30);
/// In milliseconds: a step and a second is promised of a source that is well, and a step more is left
/// for a machine that does other things. With a second server at its address that does not answer, or
/// has another clock, two steps more.
const PROMISE: i64 = 11_000;
const PROMISE_OF_HALF: i64 = 21_000;
/// What Damper holds in its memory beyond what it held when all was well, at most: four answers of
/// 32 MB that are read at once, each in a buffer of up to twice that, and one of backfill.
const MEMORY: u64 = 400 << 20;

#[tokio::test]
async fn sources_that_misbehave_decide_nothing_are_told_once_and_slow_nobody_else() {
    let outage = either(SHORT, LONG);
    let mut night = Night::begin().await;
    night.shop.traffic.fail("burning", 5);
    for name in night.names() {
        night.until(&name, "burning", &["firing"], ALL).await;
    }

    let before = night.damper.process().memory();
    let outcomes = Outcomes::of(&night.damper).await;
    let began = Instant::now();
    for row in &mut night.rows {
        row.misbehave().await;
    }
    night.quiet_until(began + Duration::from_secs(12)).await;
    // One service burns, and another is over.
    night.shop.traffic.fail("burning", 0);
    night.shop.traffic.fail("late", 5);
    let failing = now_ms();
    night.in_time("well", failing, PROMISE).await;
    night.in_time("pair", failing, PROMISE_OF_HALF).await;
    night.in_time("clocks", failing, PROMISE_OF_HALF).await;
    night.until("well", "burning", &["firing", "resolved"], SOON).await;
    night.quiet_until(began + MINUTE).await;
    night.until_blind().await;
    // What is refused rests for a minute, and then for longer: in the short form those are well by then.
    if !is_long() {
        night.rows.iter_mut().filter(|row| row.is_blamed()).for_each(Row::behave);
    }
    night.quiet_until(began + outage).await;
    night.is_told(outage);
    let now = Outcomes::of(&night.damper).await;
    night.rows.iter().for_each(|row| now.are_as_expected_of(row, &outcomes));
    let most = night.most.max(before) - before;
    assert!(most < MEMORY, "{} MB more than before", most >> 20);
    eprintln!("{outage:?}: {} MB before, {} MB more at most", before >> 20, most >> 20);

    let ended = Instant::now();
    for row in &mut night.rows {
        row.behave();
    }
    for name in night.names() {
        night.until(&name, "late", &["firing"], RECOVERY).await;
        night.until(&name, "burning", &["firing", "resolved"], RECOVERY).await;
        eprintln!("{name} is known again {:?} after it is well", ended.elapsed());
    }
    for row in &night.rows {
        let what = format!("{} to act again", row.name);
        wait_until(ALL, &what, async || (!row.workload.moves().is_empty()).then_some(())).await;
    }
    night.shop.traffic.fail("late", 0);
    for name in night.names() {
        night.until(&name, "late", &["firing", "resolved"], ALL).await;
    }
    night.is_over(outage).await;
    eprintln!("Damper took {:.1}s of a core", night.damper.process().cpu_seconds());
}

/// A shop that a Damper watches through one source that is well and many that will not be.
struct Night {
    shop: Shop,
    damper: Damper,
    rows: Vec<Row>,
    /// In front of the source that is well.
    _well: Proxy,
    /// The most memory seen.
    most: u64,
    /// What the receiver took, read once: it is looked through again and again.
    read: RefCell<Vec<Value>>,
}

impl Night {
    async fn begin() -> Self {
        let shop = Shop::open(Version::New, &["burning", "late"]).await;
        let well = Proxy::start(&shop.prometheus.url());
        well.spoil("", Spoil::Change(rows::with_notes));
        let rows: Vec<Row> = Bad::ALL.into_iter().map(|bad| Row::new(bad, &shop.prometheus.url())).collect();
        let mut damper = Damper::new("");
        let written: Vec<String> = rows.iter().map(|row| row.source(&damper)).collect();
        let actuators: Vec<String> = rows.iter().map(Row::actuator).collect();
        damper.settings(&format!(
            "step: 5s\nsources:\n  - {{name: well, url: \"{}\"}}\n{}receivers:\n  - name: oncall\n    \
             webhook: {{url: \"{}\"}}\nroute: {{receiver: oncall}}\nscaling:\n  maxPoliciesUp: \"100%\"\n  \
             maxReplicasAddedPerHour: 1000\n  actuators:\n{}",
            well.url(),
            written.concat(),
            shop.receiver.url(),
            actuators.concat(),
        ));
        define(&damper, "well");
        for row in &rows {
            define(&damper, row.name);
            damper.definition(&format!("scale-{}.yaml", row.name), &row.policy());
        }
        damper.start().await;
        // The windows of its rules, ticks fill by themselves; the history of all would take longer.
        until_whole(&damper, "burning-well").await;
        Self { shop, damper, rows, _well: well, most: 0, read: RefCell::default() }
    }

    /// All sources.
    fn names(&self) -> Vec<String> {
        let bad = self.rows.iter().map(|row| row.name.to_owned());
        std::iter::once("well".to_owned()).chain(bad).collect()
    }

    /// What was told of a subject: the alert's name, its severity, and what became of it.
    fn told(&self, is: impl Fn(&Value) -> bool) -> Vec<(String, String, String)> {
        let mut read = self.read.borrow_mut();
        let requests = self.shop.receiver.accepted();
        let new = requests.iter().skip(read.len()).map(|request| request.json()["alerts"][0].clone());
        read.extend(new);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let own = read.iter().filter(|alert| is(&alert["labels"]));
        own.map(|alert| {
            let labels = &alert["labels"];
            (text(&labels["alertname"]), text(&labels["severity"]), text(&alert["damper"]["event"]))
        })
        .collect()
    }

    fn pages(&self, source: &str, service: &str) -> Vec<String> {
        let slo = format!("{service}-{source}");
        let own = self.told(|labels| labels["slo"] == slo.as_str());
        own.into_iter().filter(|told| told.0 == "ErrorBudgetBurn").map(|told| told.2).collect()
    }

    async fn until(&self, source: &str, service: &str, events: &[&str], limit: Duration) {
        let what = format!("{service}-{source} {events:?}");
        wait_until(limit, &what, async || (self.pages(source, service) == events).then_some(())).await;
    }

    /// The page of what fails since then comes so soon after the scrape that makes it.
    async fn in_time(&self, source: &str, failing: i64, promise: i64) {
        self.until(source, "late", &["firing"], SOON).await;
        let requests = self.shop.receiver.accepted();
        let slo = format!("late-{source}");
        let page = requests.iter().find(|r| r.json()["alerts"][0]["labels"]["slo"] == slo.as_str()).unwrap();
        let truth = Truth::of(&self.shop.prometheus, "late").await;
        let late = page.at - truth.first_scrape(failing, |at| truth.burns(at, 14.4, &[60, 20]));
        eprintln!("{source}: the page came {late} ms after the scrape");
        assert!(late <= promise, "{source}: the page came {late} ms after the scrape");
    }

    /// Until then nothing is told of what is not known, and nothing is moved by it.
    async fn quiet_until(&mut self, then: Instant) {
        let limit = then.saturating_duration_since(Instant::now()) + Duration::from_secs(5);
        let mut most = self.most;
        let process = self.damper.process().id();
        wait_until(limit, "time to pass", async || {
            most = most.max(memory_of(process));
            for row in self.rows.iter().filter(|row| row.is_blinding()) {
                let (burning, late) = (self.pages(row.name, "burning"), self.pages(row.name, "late"));
                assert_eq!(
                    (burning.as_slice(), late.len()),
                    (["firing".to_owned()].as_slice(), 0),
                    "{}",
                    row.name
                );
                assert!(row.workload.moves().is_empty(), "{}: {:?}", row.name, row.workload.moves());
            }
            (Instant::now() >= then).then_some(())
        })
        .await;
        self.most = most;
    }

    /// Whoever is blind has been told by now: of those that are not, nothing was to be told in that time.
    async fn until_blind(&self) {
        for row in self.rows.iter().filter(|row| row.must_blind()) {
            let what = format!("SourceBlind of {}", row.name);
            let is_own = |labels: &Value| labels["source"] == row.name;
            wait_until(SOON, &what, async || (!self.told(is_own).is_empty()).then_some(())).await;
        }
    }

    /// What is said of each source by the end of its bad time, and no more.
    fn is_told(&self, outage: Duration) {
        let fired = |name: &str, severity: &str| (name.to_owned(), severity.to_owned(), "firing".to_owned());
        for row in &self.rows {
            let told = |is: &dyn Fn(&Value) -> bool| {
                let mut told = self.told(is);
                // What was said of one that is well again may be over.
                told.retain(|told| told.0 != "ErrorBudgetBurn" && (row.misbehaves() || told.2 == "firing"));
                told
            };
            let of_slos = ["burning", "late"].map(|service| {
                let slo = format!("{service}-{}", row.name);
                told(&|labels| labels["slo"] == slo.as_str())
            });
            let seen = (told(&|labels| labels["source"] == row.name), of_slos);
            let says = row.says(outage).into_iter().map(|(blind, own)| {
                let blind: Vec<_> = blind.iter().map(|severity| fired("SourceBlind", severity)).collect();
                let own: Vec<_> = own.iter().map(|name| fired(name, "ticket")).collect();
                (blind, [own.clone(), own])
            });
            let says: Vec<_> = says.collect();
            assert!(says.is_empty() || says.contains(&seen), "{}: {seen:?}", row.name);
        }
    }

    /// All that was told is over, each once.
    async fn is_over(&self, outage: Duration) {
        for row in &self.rows {
            let what = format!("all of {} to be over", row.name);
            let is_own = |labels: &Value| {
                let slo = labels["slo"].as_str().unwrap_or_default();
                labels["source"] == row.name || slo.split_once('-').is_some_and(|(_, name)| name == row.name)
            };
            let told = wait_until(ALL, &what, async || {
                let told = self.told(is_own);
                let ended = told.iter().filter(|told| told.2 == "resolved").count();
                (2 * ended == told.len()).then_some(told)
            });
            let told = told.await;
            let says = row.says(outage);
            let is_all = |(blind, own): &Said| told.len() == 2 * (blind.len() + 2 * own.len() + 2);
            assert!(says.is_empty() || says.iter().any(is_all), "{}: {told:?}", row.name);
        }
        let status = self.damper.get("/api/v1/status").await;
        let sources = status["sources"].as_array().unwrap();
        assert!(sources.iter().all(|source| source["blind"] == false), "{status:#}");
        let notes = &sources.iter().find(|source| source["name"] == "well").unwrap()["notes"];
        assert!(notes.to_string().contains("PromQL warning: told by the test"), "{notes}");
    }
}

/// What burns, and what will burn, by the word of this source.
fn define(damper: &Damper, source: &str) {
    for service in ["burning", "late"] {
        let slo = Shop::slo(service, &[PAGE])
            .replace(&format!("name: {service}\n"), &format!("name: {service}-{source}\n"))
            .replace("service: shop\n", &format!("service: shop\n  source: {source}\n"))
            .replace("window: 28d", "window: 1d");
        damper.definition(&format!("{service}-{source}.yaml"), &slo);
    }
}
