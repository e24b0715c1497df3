//! `damper check --prometheus`: every way in which a good-looking definition does not fit the server.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::exporter::Exporter;
use crate::support::port;
use crate::support::prometheus::{Prometheus, Version};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs the command on one file with these documents; exit code and JSON.
fn check(definitions: &str, url: &str) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slos.yaml");
    std::fs::write(&file, definitions).unwrap();
    let (code, text) = run(&file, &["--prometheus", url, "--output", "json"]);
    (code, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

fn run(path: &Path, more: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_damper"));
    let output = command.arg("check").arg(path).args(more).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn slo(name: &str, spec: &str) -> String {
    let head = "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\n";
    let objective = if spec.contains("objectives:") { "" } else { "  objective: 99\n" };
    format!("---\n{head}metadata: {{name: {name}}}\nspec:\n  service: shop\n{objective}{spec}\n")
}

/// A shop with counters, a classic histogram whose bounds differ between pods, and a native one.
async fn shop(version: Version) -> (Exporter, Prometheus) {
    let exporter = Exporter::start();
    let target = exporter.target("/metrics");
    target.change(|m| {
        for (route, code, n) in
            [("/", "200", 900.0), ("/", "500", 10.0), ("/pay", "200", 50.0), ("/pay", "404", 4.0)]
        {
            m.add("http_requests_total", &[("route", route), ("code", code)], n);
        }
        m.add("http_answers_total", &[("code", "200")], 30.0);
        m.add("jobs_done_total", &[], 3.0);
        m.add("jobs_handled_total", &[], 3.0);
        m.add("cron_total", &[("kind", "a")], 3.0);
        m.add("cron_total", &[], 3.0);
        m.observe("latency_seconds", &[("pod", "a")], &[0.1, 0.3], 0.2, 10);
        m.observe("latency_seconds", &[("pod", "b")], &[0.1, 0.5], 0.2, 10);
        m.observe_native("sizes", &[], 3, 10.0, 5);
        m.gauge("queue_length", &[("queue", "mail")], 3.0);
    });
    let builder = Prometheus::of(version).native_histograms();
    let prometheus =
        builder.scrape("shop", &[exporter.address()], "/metrics", Duration::from_secs(1)).start().await;
    target.scraped(8, LIMIT).await;
    (exporter, prometheus)
}

const GOOD: [(&str, &str); 5] = [
    (
        "events",
        "  sli: {events: {bad: 'http_requests_total{job=\"shop\",code=~\"5..\"}', total: 'http_requests_total{job=\"shop\"}'}}\n  groupBy: [route]",
    ),
    (
        "good",
        "  sli: {events: {good: 'http_requests_total{job=\"shop\",code!~\"5..\"}', total: 'http_requests_total{job=\"shop\"}'}}",
    ),
    ("classic", "  sli: {latency: {histogram: latency_seconds, objectives: [{percent: 99, within: 100ms}]}}"),
    (
        "native",
        "  sli: {latency: {histogram: sizes, native: true, objectives: [{percent: 99, within: 100s}]}}",
    ),
    (
        "slice",
        "  sli: {timeslice: {query: 'sum by (queue) (queue_length)', good: '< 10'}}\n  groupBy: [queue]",
    ),
];

#[tokio::test]
async fn definitions_that_fit_the_server_pass_with_what_was_found() {
    for version in Version::ALL {
        let (_exporter, prometheus) = shop(version).await;
        let all: String = GOOD.iter().map(|(name, spec)| slo(name, spec)).collect();
        let (code, answer) = check(&all, &prometheus.url());
        assert_eq!((code, &answer["problems"]), (0, &Value::Array(vec![])), "{version:?}: {answer:#}");
        let live = |name: &str| {
            let slos = answer["slos"].as_array().unwrap();
            slos.iter().find(|slo| slo["id"] == format!("shop/{name}")).unwrap()["live"].clone()
        };
        assert_eq!(live("events")["series"], 4);
        assert_eq!(live("events")["groups"], 2);
        assert_eq!(live("events")["scrapeSeconds"], 1, "{answer:#}");
        assert_eq!(live("native")["series"], 1);
        assert_eq!(live("slice")["groups"], 1);
    }
}

/// Name, spec, level, and words that the problem or its hint must hold.
const WRONG: [(&str, &str, &str, &[&str]); 19] = [
    (
        "no-metric",
        "  sli: {events: {bad: 'http_request_total{code=\"500\"}', total: 'http_request_total'}}",
        "error",
        &["there is no metric `http_request_total`", "did you mean `http_requests_total`?"],
    ),
    (
        "no-job",
        "  sli: {events: {bad: 'http_requests_total{job=\"shopp\",code=\"500\"}', total: 'http_requests_total{job=\"shopp\"}'}}",
        "error",
        &["job=\"shopp\"", "`job` has the values shop"],
    ),
    (
        "no-label",
        "  sli: {events: {bad: 'http_requests_total{job=\"shop\",status=~\"5..\"}', total: 'http_requests_total{job=\"shop\"}'}}",
        "error",
        &["`bad` can match nothing", "no label `status`", "its labels are: code, instance, job, route"],
    ),
    (
        "unproven",
        "  sli: {events: {bad: 'http_requests_total{job=\"shop\",code=~\"52.\"}', total: 'http_requests_total{job=\"shop\"}'}}",
        "notice",
        &["unproven", "`code` has the values 200, 404, 500"],
    ),
    (
        "all-bad",
        "  sli: {events: {good: 'http_requests_total{job=\"shop\",code=~\"3..\"}', total: 'http_requests_total{job=\"shop\"}'}}",
        "error",
        &["every event would be bad", "`code` has the values 200, 404, 500"],
    ),
    (
        "outside",
        "  sli: {events: {bad: 'http_requests_total{code=~\"[45]..\"}', total: 'http_requests_total{route=\"/\"}'}}",
        "error",
        &["1 of 2 series of `bad` are not in `total`"],
    ),
    (
        "no-group",
        "  sli: {events: {bad: 'http_requests_total{code=\"500\"}', total: 'http_requests_total{job=\"shop\"}'}}\n  groupBy: [rout]",
        "error",
        &["has the label `rout`", "did you mean `route`?"],
    ),
    (
        "half-group",
        "  sli: {events: {bad: 'cron_total{kind=\"a\"}', total: 'cron_total{job=\"shop\"}'}}\n  groupBy: [kind]",
        "notice",
        &["1 of 2 series", "have no label `kind`"],
    ),
    (
        "many-groups",
        "  sli: {events: {bad: 'http_requests_total{code=\"500\"}', total: 'http_requests_total{job=\"shop\"}'}}\n  groupBy: {labels: [route], limit: 1}",
        "notice",
        &["2 groups now, and the limit is 1"],
    ),
    (
        "no-bound",
        "  sli: {latency: {histogram: latency_seconds, objectives: [{percent: 90, within: 200ms}]}}",
        "error",
        &["bound 0.2", "its bounds are 0.1, 0.3, 0.5, +Inf"],
    ),
    (
        "half-bound",
        "  sli: {latency: {histogram: latency_seconds, objectives: [{percent: 90, within: 300ms}]}}",
        "error",
        &["1 of 2 series", "no bucket with the bound 0.3"],
    ),
    (
        "is-native",
        "  sli: {latency: {histogram: sizes, objectives: [{percent: 90, within: 300ms}]}}",
        "error",
        &["`sizes` is a native histogram", "native: true"],
    ),
    (
        "is-classic",
        "  sli: {latency: {histogram: latency_seconds, native: true, objectives: [{percent: 90, within: 300ms}]}}",
        "error",
        &["`latency_seconds` is a classic histogram", "remove native"],
    ),
    (
        "twice",
        "  sli: {events: {bad: 'http_requests_total{code=\"500\"}', total: 'jobs_done_total + jobs_handled_total'}}",
        "notice",
        &["the same values", "counts twice"],
    ),
    ("no-answer", "  sli: {timeslice: {query: 'queue_size', good: '< 10'}}", "error", &["gives nothing now"]),
    (
        "no-number",
        "  sli: {timeslice: {query: '0 * sum(queue_length) / 0', good: '< 10'}}",
        "notice",
        &["gives no number now"],
    ),
    (
        "no-answer-group",
        "  sli: {timeslice: {query: 'sum by (queue) (queue_length)', good: '< 10'}}\n  groupBy: [kind]",
        "error",
        &["the label `kind`", "its labels are: queue"],
    ),
    (
        "percent",
        "  sli: {ratio: {query: '100 + sum(rate(jobs_done_total[{{.window}}]))'}}",
        "error",
        &["not between 0 and 1"],
    ),
    (
        "not-alive",
        "  sli: {alive: 'up{job=\"shopp\"}', events: {bad: 'http_requests_total{code=\"500\"}', total: 'http_requests_total{job=\"shop\"}'}}",
        "notice",
        &["`alive` matches nothing", "`job` has the values shop"],
    ),
];

#[tokio::test]
async fn each_misfit_is_told_with_what_exists_instead() {
    for version in Version::ALL {
        let (_exporter, prometheus) = shop(version).await;
        for (name, spec, level, words) in WRONG {
            let (code, answer) = check(&slo(name, spec), &prometheus.url());
            let problems = answer["problems"].as_array().unwrap();
            let told = problems.iter().any(|problem| {
                let text = format!("{} {}", problem["what"], problem["hint"]).replace("\\\"", "\"");
                problem["level"] == level && words.iter().all(|word| text.contains(word))
            });
            assert!(told, "{version:?}: {name}: {answer:#}");
            assert_eq!(code, i32::from(problems.iter().any(|p| p["level"] == "error")), "{name}");
            assert!(
                problems.iter().all(|p| p["line"].as_u64() > Some(1)),
                "{name} points at its field: {answer:#}"
            );
        }
    }
}

#[tokio::test]
async fn groups_that_composites_and_policies_name_must_be_there() {
    let (_exporter, prometheus) = shop(Version::New).await;
    let parts: String = [0, 4].map(|i| slo(GOOD[i].0, GOOD[i].1)).concat();
    for (route, queue, code, said) in [
        ("/pay", "mail", 0, ""),
        ("other", "mail", 0, ""),
        ("/pya", "mail", 1, "`shop/events` has no group route=/pya now"),
        ("/pay", "nope", 1, "`shop/slice` has no group queue=nope now"),
    ] {
        let of = format!(
            "{{slo: shop/events, group: {{route: {route}}}}}, {{slo: shop/slice, group: {{queue: {queue}}}}}"
        );
        let composite = slo("all", &format!("  sli: {{composite: {{as: worst, of: [{of}]}}}}"));
        let (ended, answer) = check(&format!("{parts}{composite}"), &prometheus.url());
        assert_eq!(ended, code, "{of}: {answer:#}");
        let policy = policy("events", "none", "").replace("[shop/events]", &format!("[{of}]"));
        let (of_policy, other) = check(&format!("{parts}{policy}"), &prometheus.url());
        assert_eq!(of_policy, code, "{of}: {other:#}");
        for answer in [answer, other] {
            let told = answer["problems"].as_array().unwrap();
            assert_eq!(told.iter().filter(|problem| problem["what"] == said).count(), usize::from(code == 1));
            let hints: Vec<&Value> = told.iter().map(|problem| &problem["hint"]).collect();
            let near = "did you mean route=/pay? there are: route=/, route=/pay";
            assert_eq!(hints.contains(&&near.into()), route == "/pya", "{hints:?}");
        }
    }
}

#[tokio::test]
async fn a_group_is_there_while_it_has_no_number() {
    let (_exporter, prometheus) = shop(Version::New).await;
    let nothing = "sum by (queue) (queue_length) * (0 / 0)";
    let slice = format!("timeslice: {{query: '{nothing}', good: '< 10'}}");
    let ratio = format!("ratio: {{query: '{nothing} + 0 * scalar(sum(rate(up[{{{{.window}}}}])))'}}");
    for (sli, queue, level) in [
        (&slice, "mail", None),
        (&slice, "nope", Some("error")),
        (&ratio, "mail", None),
        // Where nothing fails there may be nothing to divide.
        (&ratio, "nope", Some("notice")),
    ] {
        let part = slo("part", &format!("  sli: {{{sli}}}\n  groupBy: [queue]"));
        let of = format!("[{{slo: shop/part, group: {{queue: {queue}}}}}, {{slo: shop/events}}]");
        let composite = slo("all", &format!("  sli: {{composite: {{as: worst, of: {of}}}}}"));
        let policy = policy("part", "none", "").replace("[shop/part]", &of);
        // A ratio per window is no part of a composite, and slices are too few for a policy.
        let user = if sli == &slice { composite } else { policy };
        let (_, answer) = check(&format!("{part}{}{user}", slo("events", GOOD[0].1)), &prometheus.url());
        let problems = answer["problems"].as_array().unwrap();
        let said = format!("`shop/part` has no group queue={queue} now");
        let told = problems.iter().find(|problem| problem["what"] == said).map(|problem| &problem["level"]);
        assert_eq!(told.and_then(Value::as_str), level, "{answer:#}");
    }
}

#[tokio::test]
async fn the_settings_sources_are_asked_each_about_its_own() {
    let (_exporter, prometheus) = shop(Version::New).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let down = format!("http://127.0.0.1:{}", port::free());
    let settings = format!(
        "sources: [{{name: down, url: '{down}'}}, {{name: live, url: '{}'}}]\ndefinitions: [slos]\nstep: 15s\n",
        prometheus.url()
    );
    std::fs::write(path("damper.yaml"), settings).unwrap();
    let on = |source: &str| slo(source, &format!("  source: {source}\n{}", GOOD[0].1));
    let config = path("damper.yaml").display().to_string();
    for (source, code, said) in [
        ("live", 0, "1 SLO in 1 file, 0 problems"),
        ("down", 1, down.as_str()),
        ("elsewhere", 1, "down, live"),
    ] {
        std::fs::write(path("slos.yaml"), on(source)).unwrap();
        let (ended, text) = run(&path("slos.yaml"), &["--config", &config]);
        assert_eq!(ended, code, "{source}: {text}");
        assert!(text.contains(said), "{source}: {text}");
    }
    let (code, text) = run(&path("slos.yaml"), &["--config", "nowhere.yaml"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("nowhere.yaml"), "{text}");
}

fn policy(slo: &str, saturation: &str, more: &str) -> String {
    format!(
        "---\napiVersion: damper.dev/v1\nkind: ScalePolicy\nmetadata: {{name: p}}\nspec:\n  slos: [shop/{slo}]\n\
         \x20 target: {{actuator: local, name: shop}}\n  replicas: {{min: 1, max: 9}}\n  saturation: {saturation}\n{more}"
    )
}

/// Saturation, further fields, level, words, and the line of the policy that they stand at.
const POLICIES: [(&str, &str, &str, &[&str], u64); 5] = [
    ("{query: http_requests_total}", "", "error", &["gives 4 series and must give one", "write max(…)"], 9),
    ("{query: max(queue_size)}", "", "error", &["saturation: the query gives no number now"], 9),
    ("{query: max(queue_length)}", "", "notice", &["the saturation is 3.00 now", "divide by 100"], 9),
    (
        "none",
        "  unless:\n    - {query: max(queue_length), above: 3}\n    - {query: max(queue_length), above: 2}\n",
        "notice",
        &["it is 3.00 now, above 2: nothing would be added"],
        12,
    ),
    (
        "none",
        "  unless: [{query: 'max(http_requests_total * on (job) http_requests_total)', above: 2}]\n",
        "error",
        &["unless: the server refuses the query"],
        10,
    ),
];

#[tokio::test]
async fn queries_of_policies_must_give_one_number() {
    let (_exporter, prometheus) = shop(Version::New).await;
    let events = slo("events", GOOD[0].1);
    let before = u64::try_from(events.lines().count()).unwrap();
    for (saturation, more, level, words, line) in POLICIES {
        let (code, answer) =
            check(&format!("{events}{}", policy("events", saturation, more)), &prometheus.url());
        let problems = answer["problems"].as_array().unwrap();
        assert_eq!(problems.len(), 1, "{words:?}: {answer:#}");
        let text = format!("{} {}", problems[0]["what"], problems[0]["hint"]);
        assert!(words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
        assert_eq!((&problems[0]["level"], code), (&level.into(), i32::from(level == "error")), "{text}");
        assert_eq!(problems[0]["line"], before + line, "{text}");
    }
    let more = "  unless: [{query: max(queue_length), above: 4}]\n";
    let good = format!("{events}{}", policy("events", "{query: 'max(queue_length) / 10'}", more));
    let (code, answer) = check(&good, &prometheus.url());
    assert_eq!((code, &answer["problems"]), (0, &Value::Array(vec![])), "{answer:#}");
    assert_eq!(answer["policies"][0]["live"], serde_json::json!({"saturation": 0.3, "unless": [3.0]}));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slos.yaml");
    std::fs::write(&file, good).unwrap();
    let (_, text) = run(&file, &["--prometheus", &prometheus.url(), "--verbose"]);
    assert!(text.contains("  saturation is 0.30 now; 0.7 or more adds, below 0.65 gives back\n"), "{text}");
    assert!(text.contains("  `max(queue_length)` is 3.00 now; above 4 forbids adding\n"), "{text}");
}

#[tokio::test]
async fn scrapes_rarer_than_slices_are_told() {
    let (_exporter, prometheus) = shop(Version::New).await;
    let now = crate::support::now_ms();
    let rare = crate::support::tsdb::Series::new("rare_total", &[("job", "rare")]);
    let times = (0..30_i32).map(|i| (now - i64::from(29 - i) * 60_000, f64::from(i)));
    let old = Prometheus::of(Version::New)
        .receives_remote_write()
        .config("storage: {tsdb: {out_of_order_time_window: 1h}}")
        .start()
        .await;
    old.write(&[rare.with(times)]).await;
    let spec = "  sli: {events: {bad: 'rare_total{x=\"\"}', total: 'rare_total'}}\n  alerting: {rules: [{severity: page, burnRate: 10, long: 2m}]}";
    let (_, answer) = check(&format!("{}{}", slo("rare", spec), policy("rare", "none", "")), &old.url());
    let text = answer["problems"].to_string();
    assert!(
        text.contains(
            "the window of 2m holds fewer than three scrapes of shop/rare, which is scraped about every 1m"
        ),
        "{answer:#}"
    );
    assert!(text.contains("scraped about every 1m"), "{answer:#}");
    assert!(text.contains("window of 2m holds fewer than three scrapes"), "{answer:#}");
    drop(prometheus);
}

#[tokio::test]
async fn without_the_server_the_files_are_still_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slos.yaml");
    std::fs::write(&file, slo(GOOD[0].0, GOOD[0].1)).unwrap();
    let url = format!("http://127.0.0.1:{}", port::free());
    let (code, text) = run(&file, &["--prometheus", &url]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("1 SLO in 1 file, 0 problems"), "{text}");
    assert!(text.contains(&url) && text.contains("refuses"), "{text}");
    assert!(text.contains("the files were checked"), "{text}");
    let (code, text) = run(&file, &["--prometheus", "localhost:9090"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("http://"), "{text}");
}
