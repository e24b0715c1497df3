//! Definitions change while Damper runs: badly, well, by every way files are replaced.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::shop::{PAGE, SOON, Shop, events, told, until_told, until_whole};
use super::truth::until_true;
use crate::support::damper::Damper;
use crate::support::prometheus::Version;

/// A good edit is live within this.
const LIVE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_bad_edit_changes_nothing_names_its_line_and_the_good_one_is_live_at_once() {
    let shop = Shop::open(Version::New, &["one", "two"]).await;
    let mut damper = shop.damper(&shop.prometheus.url());
    damper.definition("one.yaml", &with("one", "99"));
    damper.definition("two.yaml", &with("two", "99"));
    damper.start().await;
    assert_eq!(damper.metric("damper_definitions_last_reload_success").await, Some(1.0));

    // In one save one document is bad and the other good.
    damper.definition("one.yaml", &with("one", "100"));
    damper.definition("two.yaml", &with("two", "98"));
    live(&damper, "two", "98").await;
    assert_eq!(objective(&damper, "one").await, "99");
    let line = 1 + with("one", "100").lines().position(|line| line.contains("objective")).unwrap();
    names_the_line(&damper, "one.yaml", line).await;

    damper.definition("one.yaml", &with("one", "97"));
    live(&damper, "one", "97").await;
    problems(&damper, 0).await;
    assert_eq!(damper.metric("damper_definitions_problems").await, Some(0.0));
    assert_eq!(damper.metric("damper_definitions_last_reload_success").await, Some(1.0));

    // The same with both documents in one file, broken beyond a document of its own.
    let both = |one: &str, two: &str| format!("{}---\n{}", with("one", one), with("two", two));
    std::fs::remove_file(damper.path("slos/two.yaml")).unwrap();
    damper.definition("one.yaml", &both("96", "97"));
    live(&damper, "one", "96").await;
    live(&damper, "two", "97").await;
    damper.definition("one.yaml", &both("95", "97").replace("objective: 97", "objective: [97"));
    live(&damper, "one", "95").await;
    assert_eq!(objective(&damper, "two").await, "97");
    problems(&damper, 1).await;

    // Written in place, as a shell does.
    std::fs::write(damper.path("slos/one.yaml"), both("94", "94")).unwrap();
    live(&damper, "one", "94").await;
    live(&damper, "two", "94").await;

    // A folder that was not there before.
    std::fs::create_dir(damper.path("slos/more")).unwrap();
    std::fs::rename(damper.path("slos/one.yaml"), damper.path("slos/more/one.yaml")).unwrap();
    std::fs::write(damper.path("slos/more/one.yaml"), both("98.3", "98.3")).unwrap();
    live(&damper, "one", "98.3").await;
    std::fs::write(damper.path("slos/more/one.yaml"), both("98.2", "98.3")).unwrap();
    live(&damper, "one", "98.2").await;

    // What no watch can see: SIGHUP says it.
    std::fs::rename(damper.path("slos/more/one.yaml"), damper.path("elsewhere.yaml")).unwrap();
    symlink("../../elsewhere.yaml", damper.path("slos/more/one.yaml")).unwrap();
    std::fs::write(damper.path("elsewhere.yaml"), both("98.1", "98.1")).unwrap();
    damper.reload();
    live(&damper, "one", "98.1").await;
    live(&damper, "two", "98.1").await;
    until_whole(&damper, "one").await;
}

#[tokio::test]
async fn trees_swapped_by_a_link_are_live_at_once() {
    let shop = Shop::open(Version::Old, &["one"]).await;
    let mut damper = shop.damper(&shop.prometheus.url());
    let root = damper.path("");
    let slos = root.join("slos");
    config_map(&slos, "..2026_01", "99");
    symlink("..data/one.yaml", slos.join("one.yaml")).unwrap();
    damper.start().await;
    assert_eq!(objective(&damper, "one").await, "99");
    for (old, new, objective) in [("..2026_01", "..2026_02", "98"), ("..2026_02", "..2026_03", "97")] {
        config_map(&slos, new, objective);
        std::fs::remove_dir_all(slos.join(old)).unwrap();
        live(&damper, "one", objective).await;
    }

    // The folder itself behind a link, as a checkout that is kept in step is.
    damper.stop().await;
    std::fs::remove_dir_all(&slos).unwrap();
    for (tree, objective) in [("first", "96"), ("second", "95")] {
        std::fs::create_dir(root.join(tree)).unwrap();
        std::fs::write(root.join(tree).join("one.yaml"), with("one", objective)).unwrap();
    }
    symlink("first", &slos).unwrap();
    damper.start().await;
    assert_eq!(objective(&damper, "one").await, "96");
    swap(&root, "second", "slos");
    live(&damper, "one", "95").await;
    std::fs::write(root.join("second/one.yaml"), with("one", "94")).unwrap();
    live(&damper, "one", "94").await;
    std::fs::remove_dir_all(root.join("first")).unwrap();
    std::fs::create_dir(root.join("first")).unwrap();
    std::fs::write(root.join("first/one.yaml"), with("one", "98.3")).unwrap();
    swap(&root, "first", "slos");
    live(&damper, "one", "98.3").await;
}

#[tokio::test]
async fn edits_of_a_firing_slo_tell_whoever_was_told() {
    let shop = Shop::open(Version::New, &["fires", "stays"]).await;
    let mut damper = shop.damper(&shop.prometheus.url());
    damper.definition("fires.yaml", &with("fires", "99"));
    damper.definition("stays.yaml", &with("stays", "99"));
    damper.start().await;
    until_whole(&damper, "fires").await;
    until_whole(&damper, "stays").await;
    shop.traffic.fail("fires", 5);
    until_told(&shop.receiver, SOON, "fires", "firing").await;

    // An edited label ends the old alert and begins the new one, together.
    let labelled = with("fires", "99").replace("name: fires\n", "name: fires\n  labels: {team: blue}\n");
    damper.definition("fires.yaml", &labelled);
    let what = "the new labels";
    let all = crate::support::wait_until(SOON, what, async || {
        let all = told(&shop.receiver, "fires", "page");
        (all.len() == 3).then_some(all)
    })
    .await;
    let incidents: Vec<&str> = all.iter().map(|told| told.incident()).collect();
    let team = |ix: usize| all[ix].alert()["labels"]["team"].clone();
    let mut after: Vec<(&str, Value)> = vec![(all[1].event(), team(1)), (all[2].event(), team(2))];
    after.sort_by_key(|(event, _)| *event == "firing");
    assert_eq!(after, [("resolved", Value::Null), ("firing", json!("blue"))]);
    let resolved = usize::from(all[2].event() == "resolved") + 1;
    assert_eq!(incidents[0], incidents[resolved]);
    let new = incidents[3 - resolved].to_owned();
    assert_ne!(new, incidents[0]);

    // A changed objective keeps the history: it is whole at once, and true.
    damper.definition("stays.yaml", &with("stays", "98"));
    let coverage = damper
        .wait_for(SOON, "/api/v1/slos/shop/stays", "the new objective", |view| {
            (view["objective"] == "98").then(|| view["groups"][0]["counts"]["5m"]["coverage"].clone())
        })
        .await;
    assert_eq!(coverage, 1.0);
    until_true(&shop.prometheus, &damper, "stays").await;

    // A removed definition that fires waits until somebody says so.
    std::fs::remove_file(damper.path("slos/fires.yaml")).unwrap();
    damper
        .wait_for(SOON, "/api/v1/status", "the removal to wait", |status| {
            (status["definitions"]["waitingForAccept"] == json!(["shop/fires"])).then_some(())
        })
        .await;
    let health = damper.get("/healthz").await;
    assert_eq!(health["status"], "degraded", "{health}");
    assert_eq!(damper.get("/api/v1/alerts").await["items"][0]["incident"], json!(new));
    assert_eq!(told(&shop.receiver, "fires", "page").len(), 3);
    // After a restart it waits all the same, also with a folder that is not mounted yet.
    damper.stop().await;
    let (slos, elsewhere) = (damper.path("slos"), damper.path("elsewhere"));
    std::fs::rename(&slos, &elsewhere).unwrap();
    std::fs::create_dir(&slos).unwrap();
    damper.start().await;
    damper
        .wait_for(SOON, "/api/v1/status", "both to wait", |status| {
            (status["definitions"]["waitingForAccept"] == json!(["shop/fires", "shop/stays"])).then_some(())
        })
        .await;
    std::fs::remove_dir(&slos).unwrap();
    std::fs::rename(&elsewhere, &slos).unwrap();
    damper
        .wait_for(SOON, "/api/v1/status", "one to wait", |status| {
            (status["definitions"]["waitingForAccept"] == json!(["shop/fires"])).then_some(())
        })
        .await;
    assert_eq!(damper.get("/api/v1/alerts").await["items"][0]["incident"], json!(new));
    assert_eq!(told(&shop.receiver, "fires", "page").len(), 3);
    let client = reqwest::Client::new();
    let answer = client.post(damper.url("/api/v1/reload")).body(r#"{"accept": true}"#).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    // The two notices of the edit came in either order, so the resolve is known by its incident.
    let resolved = crate::support::wait_until(SOON, "the removed one resolved", async || {
        let mut all = told(&shop.receiver, "fires", "page").into_iter();
        all.find(|told| told.event() == "resolved" && told.incident() == new)
    })
    .await;
    assert_eq!(resolved.alert()["labels"]["team"], "blue");
    let (status, body) = damper.try_get("/api/v1/slos/shop/fires").await.unwrap();
    assert_eq!(status, 404, "{body}");

    // It stays away, and nobody is told again.
    damper.stop().await;
    damper.start().await;
    assert_eq!(damper.try_get("/api/v1/slos/shop/fires").await.unwrap().0, 404);
    assert_eq!(told(&shop.receiver, "fires", "page").len(), 4);
    assert_eq!(events(&shop.receiver, "stays", "page"), [""; 0]);
}

/// The SLO of a service with this objective.
fn with(service: &str, objective: &str) -> String {
    Shop::slo(service, &[PAGE]).replace("objective: 99\n", &format!("objective: {objective}\n"))
}

async fn objective(damper: &Damper, slo: &str) -> String {
    damper.get(&format!("/api/v1/slos/shop/{slo}")).await["objective"].as_str().unwrap().to_owned()
}

/// Within two seconds the API shows it.
async fn live(damper: &Damper, slo: &str, objective: &str) {
    let what = format!("{slo} with {objective}");
    damper
        .wait_for(LIVE, &format!("/api/v1/slos/shop/{slo}"), &what, |view| {
            (view["objective"] == objective).then_some(())
        })
        .await;
}

/// Waits until so many problems are told: a moment after what is good of the same edit is live.
async fn problems(damper: &Damper, count: usize) -> Vec<Value> {
    let what = format!("{count} problems to be told");
    damper
        .wait_for(LIVE, "/api/v1/status", &what, |status| {
            status["definitions"]["problems"].as_array().filter(|all| all.len() == count).cloned()
        })
        .await
}

async fn names_the_line(damper: &Damper, file: &str, line: usize) {
    let problem = &problems(damper, 1).await[0];
    assert!(problem["file"].as_str().unwrap().ends_with(file), "{problem}");
    assert_eq!((&problem["line"], &problem["error"]), (&json!(line), &json!(true)));
    let health = damper.get("/healthz").await;
    let components = health["components"].as_array().unwrap();
    let definitions = components.iter().find(|component| component["name"] == "definitions").unwrap();
    assert_eq!((&health["status"], &definitions["status"]), (&json!("degraded"), &json!("degraded")));
    assert!(definitions["detail"].as_str().unwrap().contains(&format!("{file}:{line}:")), "{definitions}");
    assert_eq!(damper.metric("damper_definitions_problems").await, Some(1.0));
    assert_eq!(damper.metric("damper_definitions_last_reload_success").await, Some(0.0));
    assert!(damper.log().contains(&format!("{file}:{line}:")), "the log names it too");
}

/// What a mounted ConfigMap does at an update: a new folder, and `..data` swapped to it in one step.
fn config_map(slos: &Path, folder: &str, objective: &str) {
    std::fs::create_dir(slos.join(folder)).unwrap();
    std::fs::write(slos.join(folder).join("one.yaml"), with("one", objective)).unwrap();
    swap(slos, folder, "..data");
}

/// Makes `link` lead to `target`, in one step.
fn swap(folder: &Path, target: &str, link: &str) {
    let new = folder.join("..new_link");
    symlink(target, &new).unwrap();
    std::fs::rename(&new, folder.join(link)).unwrap();
}
