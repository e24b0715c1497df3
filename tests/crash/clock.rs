//! A clock that is set an hour ahead or back while Damper runs: nothing is known until it is right
//! again, and so nothing changes; then everything goes on, and nobody has to do anything for it.

use std::time::Duration;

use serde_json::Value;

use super::{LIMIT, ledger};
use crate::delivery::told::{self, Told};
use crate::support::alertmanager::{Alertmanager, Version};
use crate::support::damper::Damper;
use crate::support::long::either;
use crate::support::receiver::{Behaviour, Receiver};
use crate::support::shop::Shop;
use crate::support::wait::pass;
use crate::support::{now_ms, wait_until};

const HOUR: i64 = 3600;
const SERVICES: [&str; 4] = ["cart", "mail", "pay", "ship"];
/// How long the clock is wrong, before and after a restart.
/// Together longer than it takes to tell of a source that is blind.
const WRONG: Duration = Duration::from_secs(35);

/// What is old is forgotten by these.
pub const FORGETS: [&str; 3] = ["pruning images of series", "pruning deliveries", "pruning history"];

/// A Damper whose clock is set, and who is told by it.
struct One {
    damper: Damper,
    ahead: i64,
    receiver: Receiver,
    alertmanager: Option<Alertmanager>,
}

impl One {
    async fn start(shop: &Shop, ahead: i64, by_alertmanager: bool) -> Self {
        let receiver = Receiver::start();
        let alertmanager = match by_alertmanager {
            true => Some(Alertmanager::start(Version::New, Some(&receiver.url())).await),
            false => None,
        };
        let kind = match &alertmanager {
            Some(one) => format!("alertmanager: {{urls: ['{}'], resend: 5s}}", one.url()),
            None => format!("webhook: {{url: '{}', timeout: 1s}}", receiver.url()),
        };
        let mut damper = Damper::new(&format!("{}receivers: [{{name: oncall, {kind}}}]\n", shop.settings()));
        for service in SERVICES {
            damper.definition(&format!("{service}.yaml"), &Shop::slo(service));
        }
        damper.mortal();
        damper.with_clock();
        damper.start().await;
        Self { damper, ahead, receiver, alertmanager }
    }

    /// What it told of which service, repetitions left out.
    fn told(&self) -> Vec<String> {
        let line = |body: &Value| {
            let alert = &body["alerts"][0];
            format!(
                "{} {}",
                alert["labels"]["service"].as_str().unwrap_or("-"),
                body["status"].as_str().unwrap()
            )
        };
        let mut all: Vec<String> =
            self.receiver.accepted().iter().map(|request| line(&request.json())).collect();
        all.dedup();
        all
    }

    /// What it told of its source, which is blind while the clock is wrong.
    fn told_of_source(&self) -> Vec<String> {
        let all = self.told();
        let mut lines: Vec<String> = all.into_iter().filter(|line| line.starts_with('-')).collect();
        lines.dedup();
        lines
    }

    /// Waits until it says by a ticket that the source is blind, and tried to tell somebody.
    async fn is_blind(&self) {
        let fires = |json: &Value| {
            let firing = json["items"]
                .as_array()?
                .iter()
                .filter(|alert| alert["labels"]["alertname"] == "SourceBlind" && alert["state"] == "firing");
            let severities: Vec<&Value> = firing.map(|alert| &alert["labels"]["severity"]).collect();
            (severities == ["ticket"]).then_some(())
        };
        self.damper.wait_for(LIMIT, "/api/v1/alerts", "a ticket that the source is blind", fires).await;
        let tried = async || {
            let alert = |body: Value| body["alerts"][0]["labels"]["alertname"] == "SourceBlind";
            self.receiver.requests().iter().any(|request| alert(request.json())).then_some(())
        };
        wait_until(LIMIT, "somebody to be told that the source is blind", tried).await;
    }

    async fn until_told(&self, line: &str) {
        let what = format!("{line}, with a clock that was {} s ahead", self.ahead);
        let told = async || self.told().iter().any(|one| one == line).then_some(());
        wait_until(LIMIT, &what, told).await;
    }

    /// Waits until it says that the clocks differ.
    async fn knows(&self) {
        let what = format!("it to find out that its clock is {} s ahead", self.ahead);
        wait_until(LIMIT, &what, async || {
            let (_, text) = self.damper.try_get("/healthz").await?;
            text.contains(" Its clock is 1h").then_some(())
        })
        .await;
    }

    /// Waits until the present is judged by the right time.
    async fn is_right_again(&self) {
        let from = now_ms() / 1000;
        let judged = |json: &Value| {
            let at = json["ticks"]["at"].as_i64()?;
            (at > from + 5 && at <= from + 600).then_some(())
        };
        self.damper.wait_for(LIMIT, "/api/v1/status", "ticks by the right time", judged).await;
    }

    /// An Alertmanager holds what fires, and nothing else.
    async fn holds(&self, count: usize) {
        if let Some(alertmanager) = &self.alertmanager {
            let alerts = alertmanager.alerts().await;
            let of_services = alerts.iter().filter(|alert| alert["labels"]["service"].is_string()).count();
            assert_eq!(of_services, count, "{} s ahead: {alerts:#?}", self.ahead);
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_set_by_an_hour_freezes_nothing_and_fires_and_resolves_nothing() {
    let shop = Shop::open(&SERVICES).await;
    let mut whole = ledger::whole(&shop, &SERVICES);
    whole.start().await;
    let mut all = Vec::new();
    for (ahead, by_alertmanager) in [(HOUR, false), (-HOUR, false), (HOUR, true), (-HOUR, true)] {
        all.push(One::start(&shop, ahead, by_alertmanager).await);
    }
    let began = now_ms() / 1000;
    shop.fail("pay", true);
    for one in &all {
        one.until_told("pay firing").await;
    }
    // A message that waits for its next attempt when the clock is set.
    shop.fail("mail", true);
    for one in all.iter_mut().filter(|one| one.alertmanager.is_none()) {
        one.receiver.behave(Behaviour::Fail(500, None));
    }
    let tried = async || {
        let tries = |one: &One| {
            let of = |request: &_| Told::read(request).labels["service"] == "mail";
            one.alertmanager.is_some() || one.receiver.requests().iter().any(of)
        };
        all.iter().all(tries).then_some(())
    };
    wait_until(LIMIT, "an attempt that fails", tried).await;
    for one in &all {
        one.damper.set_clock(one.ahead);
    }
    for one in &all {
        one.knows().await;
    }
    shop.fail("cart", true);
    pass(WRONG).await;
    for one in &mut all {
        one.damper.kill();
        one.damper.spawn();
    }
    for one in &all {
        one.knows().await;
    }
    pass(WRONG).await;
    for one in &all {
        one.is_blind().await;
        let news: Vec<String> = one.told().into_iter().filter(|line| !line.ends_with(" firing")).collect();
        assert_eq!(news, [""; 0], "{} s ahead", one.ahead);
        assert!(!one.told().iter().any(|line| line.starts_with("cart")), "nobody knew that it failed");
        one.holds(2).await;
    }

    for one in &mut all {
        one.damper.set_clock(0);
        one.receiver.behave(Behaviour::Accept);
    }
    for one in &all {
        one.is_right_again().await;
        one.until_told("mail firing").await;
        one.until_told("cart firing").await;
        one.until_told("- resolved").await;
        one.holds(3).await;
    }
    ["pay", "mail", "cart"].iter().for_each(|service| shop.fail(service, false));
    let well = now_ms() / 1000;
    for mut one in all {
        one.damper.settle(&shop, LIMIT).await;
        for service in ["pay", "mail", "cart"] {
            one.until_told(&format!("{service} resolved")).await;
        }
        ledger::same(&one.damper, &whole, &SERVICES, (began, well)).await;
        one.damper.stop().await;
        let store = format!("sqlite:{}", one.damper.path("damper.db").display());
        if one.alertmanager.is_none() {
            told::check(&store, &one.receiver, &shop.phases()).await;
        }
        // By a clock that went back the message that waited is late: its end tells both.
        let blind = one.told_of_source();
        let is_late = one.alertmanager.is_none() && one.ahead < 0 && blind == ["- resolved"];
        assert!(is_late || blind == ["- firing", "- resolved"], "{} s ahead: {blind:?}", one.ahead);
        let told: Vec<String> = one.told().into_iter().filter(|line| !line.starts_with('-')).collect();
        let ends = told.iter().filter(|line| line.ends_with("resolved")).count();
        assert_eq!((ends, told.len()), (3, 6), "{} s ahead: {told:?}", one.ahead);
        if let Some(alertmanager) = &one.alertmanager {
            let none = async || alertmanager.alerts().await.is_empty().then_some(());
            wait_until(LIMIT, "no alert in the Alertmanager", none).await;
        }
    }
}

/// What is old is forgotten each hour: a clock that goes ahead brings that hour.
#[tokio::test]
async fn killed_while_it_forgets_what_is_old_it_loses_nothing() {
    let shop = Shop::open(&["pay"]).await;
    let mut one = One::start(&shop, HOUR + 1, false).await;
    shop.fail("pay", true);
    one.until_told("pay firing").await;
    let points =
        ["begin", "inside", "committed"].iter().flat_map(|place| FORGETS.map(|job| format!("{place}/{job}")));
    // In the short form inside of each.
    for point in points.skip(either(3, 0)).take(either(3, 9)) {
        one.damper.set_clock(0);
        one.is_right_again().await;
        one.damper.arm(&point, 1);
        one.damper.set_clock(one.ahead);
        one.damper.died(LIMIT, &point).await;
        one.damper.spawn();
        eprintln!("| {point} | 1 |");
    }
    one.damper.set_clock(0);
    one.is_right_again().await;
    shop.fail("pay", false);
    one.damper.settle(&shop, LIMIT).await;
    one.damper.stop().await;
    told::check(&format!("sqlite:{}", one.damper.path("damper.db").display()), &one.receiver, &shop.phases())
        .await;
}
