//! A server that answers as Prometheus would over the fleet's counters, from their formula.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use reqwest::Url;

use crate::fleet::Fleet;

type Fields = BTreeMap<String, String>;

/// The only thing that it knows.
pub struct Recorded(Arc<Fleet>);

impl Recorded {
    /// Serves; gives the address.
    pub async fn serve(fleet: Arc<Fleet>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let this = Arc::new(Self(fleet));
        let instant = Arc::clone(&this);
        let version = r#"{"status":"success","data":{"version":"3.5.0"}}"#;
        let app = Router::new()
            .route("/api/v1/query", post(async move |body: String| instant.answer(&fields(&body), false)))
            .route("/api/v1/query_range", post(async move |body: String| this.answer(&fields(&body), true)))
            .route("/api/v1/status/buildinfo", get(async move || version));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        url
    }

    fn answer(&self, fields: &Fields, is_range: bool) -> String {
        let number = |name: &str| fields.get(name).and_then(|text| text.parse::<f64>().ok());
        #[expect(clippy::cast_possible_truncation, reason = "seconds")]
        let whole = |name: &str| number(name).unwrap_or_default() as i64;
        let times: Vec<i64> = match is_range {
            true => {
                (whole("start")..=whole("end")).step_by(usize::try_from(whole("step")).unwrap()).collect()
            }
            false => vec![whole("time")],
        };
        let mut result = String::new();
        let query = &fields["query"];
        let parts = parts(query);
        if query.contains("requests_total") || query.contains("d_seconds") {
            for service in services(query) {
                self.service(query, service, &parts, &times, is_range, &mut result);
            }
        } else if query.contains("up{") {
            for part in &parts {
                let labels = format!("\"damper_part\":\"{part}\"");
                series(&labels, times.iter().map(|at| (*at, 1)), is_range, &mut result);
            }
        }
        let kind = if is_range { "matrix" } else { "vector" };
        format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":[{result}]}}}}"#)
    }

    fn service(
        &self,
        query: &str,
        service: usize,
        parts: &[&str],
        times: &[i64],
        is_range: bool,
        result: &mut String,
    ) {
        let (is_bad, is_fast) = (query.contains("code=~"), query.contains("d_seconds_bucket"));
        for route in 0..Fleet::routes(service) {
            let group =
                if query.contains("route") { format!(",\"route\":\"r-{route}\"") } else { String::new() };
            for part in parts {
                let value = |at: i64| {
                    let (total, bad) = self.0.counts(service, route, at);
                    match *part {
                        "a" | "m" if is_bad => bad,
                        "a" | "m" if is_fast => total - bad,
                        "a" | "m" => total,
                        _ => 1,
                    }
                };
                let labels = format!("\"damper_part\":\"{part}\",\"service\":\"s-{service}\"{group}");
                series(&labels, times.iter().map(|at| (*at, value(*at))), is_range, result);
            }
        }
    }
}

/// Of a form.
fn fields(body: &str) -> Fields {
    let url = Url::parse(&format!("http://localhost/?{body}")).unwrap();
    url.query_pairs().into_owned().collect()
}

/// The parts that a query asks for.
fn parts(query: &str) -> Vec<&str> {
    let after = |rest: &'static str| query.split(rest).skip(1);
    after("damper_part").filter_map(|rest| rest.split('"').nth(2)).collect()
}

/// `service="s-1"`, or `service=~"s-1|s-2"`.
fn services(query: &str) -> Vec<usize> {
    let matcher = query.split("service=").nth(1).unwrap_or_default();
    let values = matcher.split('"').nth(1).unwrap_or_default();
    values.split('|').filter_map(|value| value.strip_prefix("s-")?.parse().ok()).collect()
}

fn series(labels: &str, points: impl Iterator<Item = (i64, i64)>, is_range: bool, result: &mut String) {
    if !result.is_empty() {
        result.push(',');
    }
    let points: Vec<String> = points.map(|(at, value)| format!("[{at},\"{value}\"]")).collect();
    let points = points.join(",");
    let key = if is_range { "values" } else { "value" };
    let points = if is_range { format!("[{points}]") } else { points };
    write!(result, r#"{{"metric":{{{labels}}},"{key}":{points}}}"#).unwrap();
}
