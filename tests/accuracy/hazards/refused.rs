//! Selectors of several metrics. Prometheus answers a rate of them until two come with the same labels,
//! and nothing from then on; so they are refused before they are asked.

use damper::slo::time::Step;
use damper::slo::{Context, SourceFile, load};

use super::TROUBLE;
use super::page::Row;
use crate::accuracy::observer::events;
use crate::support::prometheus::Prometheus;

/// A job of whose target `req` and `up` have the same labels.
const JOB: &str = "dip";

pub async fn row(servers: &[Prometheus], begin: i64) -> Row {
    for server in servers {
        let said = answer(server, r#"{__name__=~"req|up",job="dip"}"#, begin + TROUBLE).await;
        assert!(said.contains("same labelset"), "{said}");
        let one = answer(server, r#"req{job="dip"}"#, begin + TROUBLE).await;
        assert!(one.contains(r#""status":"success""#), "{one}");
    }
    for total in [
        r#"{__name__=~"req.*",job="dip"}"#,
        r#"sum(rate({__name__=~"req.*",job="dip"}[5m]))"#,
        r#"sum(rate({__name__=~"req.*",job="dip"}[{{.window}}]))"#,
    ] {
        for yaml in [events(JOB, "err", total), events(JOB, total, "req")] {
            let file = SourceFile { path: "slos.yaml".to_owned(), text: yaml };
            let loaded = load(&[file], &Context::without_settings(Step::DEFAULT));
            assert_eq!(loaded.slos().count(), 0, "{total}");
            let problems = format!("{:?}", loaded.problems().collect::<Vec<_>>());
            assert!(problems.contains("name each metric, and add them with +"), "{total}: {problems}");
        }
    }
    Row {
        hazard: "several metrics in a selector",
        happens: "such as `{__name__=~\"req.*\"}`: once two of them have the same labels Prometheus fails as a whole",
        live: "refused".to_owned(),
        later: "refused".to_owned(),
        remark: "when it is loaded, with how to write it instead",
        ..Row::default()
    }
}

/// What it says of a rate of these.
async fn answer(server: &Prometheus, selector: &str, at: i64) -> String {
    let query = format!("sum(rate({selector}[5m]))");
    let asked = [("query", query), ("time", at.to_string())];
    let request = reqwest::Client::new().get(format!("{}/api/v1/query", server.url())).query(&asked);
    request.send().await.unwrap().text().await.unwrap()
}
