//! How soon errors page, how soon their end is told, and whether the evidence is what happened.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::shop::{HMAC, PAGE, SOON, Shop, Told, events, told, until_told, until_whole};
use super::truth::{Truth, ms};
use crate::support::now_ms;
use crate::support::prometheus::Version;

/// A step and a second, in milliseconds.
const PROMISE: i64 = 6000;
const TICKET: &str = "{severity: ticket, burnRate: 1.5, long: 5m}";

#[tokio::test]
async fn errors_and_their_end_are_told_within_a_step_and_a_second_on_the_old_prometheus() {
    detection(Version::Old).await;
}

#[tokio::test]
async fn errors_and_their_end_are_told_within_a_step_and_a_second_on_the_new_prometheus() {
    detection(Version::New).await;
}

async fn detection(version: Version) {
    let shop = Shop::open(version, &["checkout", "search"]).await;
    let mut damper = shop.damper(&shop.prometheus.url());
    damper.definition("checkout.yaml", &Shop::slo("checkout", &[PAGE, TICKET]));
    damper.definition("search.yaml", &Shop::slo("search", &[PAGE, TICKET]));
    damper.start().await;
    until_whole(&damper, "checkout").await;

    let began = now_ms();
    shop.traffic.fail("checkout", 5);
    until_told(&shop.receiver, SOON, "checkout", "firing").await;
    let page = wait_page(&shop, "firing").await;
    let ended = now_ms();
    shop.traffic.fail("checkout", 0);
    let resolve = wait_page(&shop, "resolved").await;

    let truth = Truth::of(&shop.prometheus, "checkout").await;
    let hot = |at: i64| truth.burns(at, 14.4, &[60, 20]);
    within_promise(&page, truth.first_scrape(began, hot), hot);
    within_promise(&resolve, truth.first_scrape(ended, |at| !hot(at)), |at| !hot(at));
    let tickets = told(&shop.receiver, "checkout", "ticket");
    let warm = |at: i64| truth.burns(at, 1.5, &[300]);
    within_promise(&tickets[0], truth.first_scrape(began, warm), warm);

    tells_the_truth(&page, &truth, &[60, 20]);
    tells_the_truth(&resolve, &truth, &[60, 20]);
    tells_the_truth(&tickets[0], &truth, &[300]);
    is_version_4(&page, "firing");
    is_version_4(&resolve, "resolved");
    assert_eq!(page.incident(), resolve.incident());
    assert_eq!(events(&shop.receiver, "checkout", "page"), ["firing", "resolved"]);
    assert_eq!(events(&shop.receiver, "checkout", "ticket"), ["firing"]);
    assert_eq!(shop.receiver.requests().len(), 3, "nothing of the healthy one, nothing twice");
}

async fn wait_page(shop: &Shop, event: &str) -> Told {
    crate::support::wait_until(SOON, &format!("the page {event}"), async || {
        told(&shop.receiver, "checkout", "page").pop().filter(|told| told.event() == event)
    })
    .await
}

/// It arrived in time, and was decided at the first slice of which it is true.
fn within_promise(told: &Told, scrape: i64, is: impl Fn(i64) -> bool) {
    let at = ms(&told.alert()["damper"]["at"]);
    let late = told.request.at - scrape;
    assert!(late <= PROMISE, "{} came {late} ms after the scrape:\n{}", told.event(), told.body);
    assert!(is(at) && !is(at - 5000), "{} was decided at another slice than the first", told.event());
}

/// Each window of the evidence holds what the scrapes say.
fn tells_the_truth(told: &Told, truth: &Truth, spans: &[i64]) {
    let evidence = &told.alert()["damper"]["evidence"];
    assert_eq!(evidence["rules"].as_array().unwrap().len(), 1, "{evidence}");
    let rule = &evidence["rules"][0];
    let windows = [&rule["long"], &rule["short"]];
    for (span, window) in spans.iter().zip(windows) {
        let to = ms(&window["to"]);
        assert_eq!((to - ms(&window["from"])) / 1000, *span);
        let (bad, total) = truth.window(to, *span);
        assert_eq!((number(&window["bad"]), number(&window["total"])), (bad, total), "{span}s: {window}");
        assert!((number(&window["burn"]) - bad / total / 0.01).abs() < 1e-9, "{window}");
        assert_eq!(window["coverage"], 1.0);
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

fn is_version_4(told: &Told, status: &str) {
    let (body, alert) = (&told.body, told.alert());
    assert_eq!((&body["version"], &body["status"]), (&json!("4"), &json!(status)));
    assert_eq!((&body["receiver"], &body["truncatedAlerts"]), (&json!("oncall"), &json!(0)));
    let labels = json!({
        "alertname": "ErrorBudgetBurn", "service": "shop", "slo": "checkout", "severity": "page"
    });
    assert_eq!((&body["commonLabels"], &body["groupLabels"], &alert["labels"]), (&labels, &labels, &labels));
    assert_eq!(alert["status"], status);
    assert!(alert["annotations"]["summary"].as_str().unwrap().contains("shop/checkout"), "{alert}");
    assert!(ms(&alert["startsAt"]) > 0);
    assert_eq!(ms(&alert["endsAt"]) > ms(&alert["startsAt"]), status == "resolved");
    assert_eq!(alert["fingerprint"].as_str().unwrap().len(), 16);
    assert_eq!(told.request.header("Content-Type"), Some("application/json"));
    assert_eq!(told.request.header("Idempotency-Key"), alert["damper"]["id"].as_str());
    is_signed(told);
}

/// As the documentation of the webhook says that a receiver checks it.
fn is_signed(told: &Told) {
    let header = told.request.header("Damper-Signature").expect("a signature");
    let (time, signature) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, HMAC.as_bytes());
    let signed = [time.as_bytes(), b".", &told.request.body].concat();
    let expected: String =
        hmac::sign(&key, &signed).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(signature, expected);
    assert!((told.request.at / 1000 - time.parse::<i64>().unwrap()).abs() <= 2);
}
