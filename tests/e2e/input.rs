//! Bad input to a running Damper: one bad question, answer or request harms nobody else.

use serde_json::{Value, json};

use super::shop::{PAGE, SOON, Shop, events, until_told, until_whole};
use crate::support::damper::Damper;
use crate::support::prometheus::Version;
use crate::support::proxy::{Proxy, Spoil};

const SERVICES: [&str; 3] = ["burning", "healthy", "spoiled"];

#[tokio::test]
async fn one_query_that_fails_blinds_nobody_else_and_says_why() {
    let shop = Shop::open(Version::New, &SERVICES).await;
    let proxy = Proxy::start(&shop.prometheus.url());
    let mut damper = shop.watched(&proxy.url(), &SERVICES);
    damper.start().await;
    for service in SERVICES {
        until_whole(&damper, service).await;
    }
    let refusal = json!({"status": "error", "errorType": "execution", "error": "too many samples"});
    let spoils = [
        (Spoil::Say(422, refusal.to_string()), "too many samples"),
        (Spoil::Say(500, "out of order".to_owned()), "500"),
        (Spoil::Say(200, "<html>a login page</html>".to_owned()), "local"),
    ];
    for (days, (spoil, said)) in (21..).zip(spoils) {
        // The query that asks for all three at once names it too.
        proxy.spoil("spoiled", spoil.clone());
        let what = format!("{spoil:?} to be told");
        let trouble = damper
            .wait_for(SOON, "/api/v1/status", &what, |status| {
                status["troubles"]["queries"].as_str().map(str::to_owned)
            })
            .await;
        assert!(trouble.contains(said), "{spoil:?}: {trouble}");
        // The others are asked and judged again and again; this one stands still.
        moves_on(&damper, "burning", 1).await;
        let stood = at(&damper, "spoiled").await;
        moves_on(&damper, "healthy", 1).await;
        assert_eq!(at(&damper, "spoiled").await, stood);
        let health = damper.get("/healthz").await;
        assert_eq!(health["status"], "degraded", "{health}");
        proxy.heal();
        // A query at fault rests for a minute; when its definition is edited it is asked at once.
        let edited = Shop::slo("spoiled", &[PAGE]).replace("28d", &format!("{days}d"));
        damper.definition("spoiled.yaml", &edited);
        moves_on(&damper, "spoiled", 1).await;
        let well = |status: &Value| status["troubles"]["queries"].is_null().then_some(());
        damper.wait_for(SOON, "/api/v1/status", "all to be well", well).await;
    }

    // And while it fails, the others page.
    proxy.spoil("spoiled", Spoil::Hang);
    shop.traffic.fail("burning", 5);
    until_told(&shop.receiver, SOON, "burning", "firing").await;
    shop.traffic.fail("burning", 0);
    until_told(&shop.receiver, SOON, "burning", "resolved").await;
    assert_eq!(events(&shop.receiver, "burning", "page"), ["firing", "resolved"]);
    assert_eq!(shop.receiver.requests().len(), 2);
}

#[tokio::test]
async fn garbage_is_refused_in_words_and_changes_nothing() {
    let shop = Shop::open(Version::Old, &["good"]).await;
    let mut damper = shop.damper(&shop.prometheus.url());
    damper.definition("good.yaml", &Shop::slo("good", &[PAGE]));
    let foreign =
        Shop::slo("foreign", &[PAGE]).replace("service: shop\n", "service: shop\n  source: elsewhere\n");
    damper.definition("foreign.yaml", &foreign);
    damper.definition("binary.yaml", "a: \u{0}\u{1}\u{2}");
    damper.definition("deep.yaml", &"[".repeat(100_000));
    damper.start().await;
    let view = damper.get("/api/v1/status").await["definitions"].clone();
    let problems = view["problems"].as_array().unwrap();
    for file in ["foreign.yaml", "binary.yaml", "deep.yaml"] {
        let names = |problem: &&Value| problem["file"].as_str().unwrap().ends_with(file);
        assert!(problems.iter().any(|problem| names(&problem)), "{file}: {view}");
    }
    let foreign = problems.iter().find(|problem| problem["file"].as_str().unwrap().ends_with("foreign.yaml"));
    let said = foreign.unwrap().to_string();
    assert!(said.contains("elsewhere") && said.contains("local"), "{said}");

    // A connection whose request was refused unread is closed: each request has one of its own.
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let long = "x".repeat(100_000);
    for path in
        ["/api/v1/nothing", "/api/v1/slos?state=%FF%00", "/api/v1/slos?limit=-1", "/api/v1/slos/a/b/c/d"]
    {
        let (status, body) = damper.try_get(path).await.unwrap();
        assert!(status.is_client_error() && body.contains("\"detail\""), "{path}: {status}: {body}");
    }
    let over = damper.try_get(&format!("/api/v1/slos?next={long}")).await;
    assert!(over.is_none_or(|(status, _)| status.is_client_error()), "an endless address");
    for body in ["{", r#"{"accept": "yes"}"#, r#"{"what": 1}"#, "[[[[", &long, "\u{0}"] {
        let request = client.post(damper.url("/api/v1/reload")).body(body.to_owned());
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_client_error() && text.contains("\"detail\""), "{status}: {text}");
    }
    let missing = client.post(damper.url("/api/v1/deliveries/none/resend")).send().await.unwrap();
    assert_eq!(missing.status(), 404);

    until_whole(&damper, "good").await;
    shop.traffic.fail("good", 5);
    until_told(&shop.receiver, SOON, "good", "firing").await;
    damper.stop().await;
}

async fn at(damper: &Damper, slo: &str) -> i64 {
    damper.get(&format!("/api/v1/slos/shop/{slo}")).await["at"].as_i64().unwrap()
}

/// Waits until so many more slices of an SLO were judged.
async fn moves_on(damper: &Damper, slo: &str, slices: i64) {
    let begin = at(damper, slo).await;
    let what = format!("{slices} more slices of {slo}");
    damper
        .wait_for(SOON, &format!("/api/v1/slos/shop/{slo}"), &what, |view| {
            (view["at"].as_i64()? >= begin + 5 * slices).then_some(())
        })
        .await;
}
