//! A composite: it pages for its own receivers, says which part burns, and goes on over a restart.

use serde_json::{Value, json};

use super::shop::{PAGE, SOON, Shop, Told, told, until_told, until_whole};
use crate::support::prometheus::Version;

#[tokio::test]
async fn a_composite_pages_names_the_part_that_burns_and_goes_on_over_a_restart() {
    let shop = Shop::open(Version::New, &["cart", "pay"]).await;
    let mut damper = shop.damper(&shop.prometheus.url());
    damper.definition("parts.yaml", &[part("cart"), part("pay")].join("---\n"));
    damper.definition("worst.yaml", &whole("worst", "[shop/cart, shop/pay]"));
    let of = "[{slo: shop/cart, weight: 3}, {slo: shop/pay, weight: 2}]";
    damper.definition("weighted.yaml", &whole("weighted", of));
    damper.start().await;
    until_whole(&damper, "worst").await;
    until_whole(&damper, "weighted").await;

    // Half of the requests: 0.5, and three fifths of that, of a budget of 0.01.
    shop.traffic.fail("cart", 5);
    for how in ["worst", "weighted"] {
        let page = until_told(&shop.receiver, SOON, how, "firing").await;
        let evidence = &page.alert()["damper"]["evidence"];
        assert_eq!(evidence["composite"]["as"], how);
        let first = &evidence["composite"]["of"][0];
        assert_eq!((&first["slo"], &first["unknown"]), (&json!("shop/cart"), &Value::Null));
        let share = if how == "worst" { Value::Null } else { json!(1.0) };
        assert_eq!(first["share"], share, "{evidence}");
        let (own, all) = (number(&first["burn"]), number(&evidence["rules"][0]["long"]["burn"]));
        let weight = if how == "worst" { 1.0 } else { 0.6 };
        assert!(all >= 14.4 && (all - own * weight).abs() < 1e-6, "{evidence}");
        let summary = page.alert()["annotations"]["summary"].as_str().unwrap();
        assert!(summary.contains("most by shop/cart"), "{summary}");
    }
    // The parts' own alerts are their own: they are in shadow mode here.
    assert!(told(&shop.receiver, "cart", "page").is_empty());

    let before = numbers(&damper.get("/api/v1/slos/shop/weighted").await);
    damper.kill();
    damper.start().await;
    let after = numbers(&damper.get("/api/v1/slos/shop/weighted").await);
    assert_eq!(before.0, after.0);
    assert!(after.1 <= before.1, "it goes on to burn: {before:?} {after:?}");

    shop.traffic.fail("cart", 0);
    for how in ["worst", "weighted"] {
        until_told(&shop.receiver, SOON, how, "resolved").await;
        // What was on its way at the kill may have come again, under its key.
        let mut all = told(&shop.receiver, how, "page");
        all.dedup_by_key(|told| told.request.header("Idempotency-Key").map(str::to_owned));
        assert_eq!(all.iter().map(Told::event).collect::<Vec<_>>(), ["firing", "resolved"], "{how}");
    }
    let (status, words) = damper.try_get("/api/v1/slos/shop/weighted/ledger").await.unwrap();
    assert!(status == 409 && words.contains("its parts, shop/cart, shop/pay"), "{status}: {words}");
    let at = damper.get("/api/v1/slos/shop/weighted").await["at"].as_i64().unwrap();
    let path = format!("/api/v1/slos/shop/weighted/series?from={}&step=5s", at - 300);
    let points = damper.get(&path).await;
    let burned =
        points["points"].as_array().unwrap().iter().filter(|point| point["burn"].as_f64() > Some(1.0));
    assert!(burned.count() > 0, "{points}");

    // A part that goes is told, and what is made of it stays.
    std::fs::remove_file(damper.path("slos/parts.yaml")).unwrap();
    damper.definition("cart.yaml", &part("cart"));
    let gone = damper
        .wait_for(SOON, "/api/v1/slos/shop/worst", "the composite without a part", |view| {
            view["unknown"]["why"].as_str().map(str::to_owned)
        })
        .await;
    assert_eq!(gone, "shop/pay: no definition of shop/pay is in force");
    let status = damper.get("/api/v1/status").await;
    let problems = status["definitions"]["problems"].to_string();
    assert!(problems.contains("`shop/pay` is no SLO of these definitions"), "{problems}");
}

fn part(service: &str) -> String {
    Shop::slo(service, &[PAGE]).replace("  alerting:\n", "  alerting:\n    mode: shadow\n")
}

fn whole(how: &str, of: &str) -> String {
    format!(
        "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {how}}}\nspec:\n  \
         service: shop\n  objective: 99\n  sli:\n    composite:\n      as: {how}\n      of: {of}\n  \
         alerting: {{rules: [{PAGE}]}}\n"
    )
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// What it is made of, its alert, and what is left of the budget.
fn numbers(view: &Value) -> ((Vec<String>, Value), f64) {
    let parts = view["composite"]["of"].as_array().unwrap().iter();
    let parts = parts.map(|part| format!("{} {} {}", part["slo"], part["weight"], part["state"])).collect();
    let group = &view["groups"][0];
    ((parts, group["alerts"][0]["firedAt"].clone()), number(&group["budgetRemaining"]))
}
