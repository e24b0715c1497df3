//! Asking a Prometheus fixture in numbers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::prometheus::Prometheus;
use super::tsdb::Series;

impl Prometheus {
    /// An instant query at `at` (milliseconds): labels and value of every series.
    pub async fn instant(&self, query: &str, at: i64) -> Vec<(BTreeMap<String, String>, f64)> {
        let data = self.get("/api/v1/query", &[("query", query.to_owned()), ("time", seconds(at))]).await;
        let result = data["result"].as_array().unwrap().iter();
        result.map(|one| (labels(&one["metric"]), sample(&one["value"]).1)).collect()
    }

    /// The one value of an instant query; `None` for an empty answer. More than one series fails the test.
    pub async fn value(&self, query: &str, at: i64) -> Option<f64> {
        let mut answer = self.instant(query, at).await;
        assert!(answer.len() <= 1, "{query} has {} series", answer.len());
        answer.pop().map(|(_, value)| value)
    }

    /// A range query from `from` to `to`, both included, each `step` (milliseconds).
    pub async fn range(&self, query: &str, from: i64, to: i64, step: i64) -> Vec<Series> {
        let parameters = [
            ("query", query.to_owned()),
            ("start", seconds(from)),
            ("end", seconds(to)),
            ("step", seconds(step)),
        ];
        let data = self.get("/api/v1/query_range", &parameters).await;
        data["result"].as_array().unwrap().iter().map(series).collect()
    }

    /// The stored samples themselves in (`from`, `to`]: what an ideal observer has to count from.
    pub async fn samples(&self, selector: &str, from: i64, to: i64) -> Vec<Series> {
        let query = format!("{selector}[{}ms]", to - from);
        let data = self.get("/api/v1/query", &[("query", query), ("time", seconds(to))]).await;
        let mut found: Vec<Series> = data["result"].as_array().unwrap().iter().map(series).collect();
        // Prometheus 2 includes the left edge.
        for one in &mut found {
            one.samples.retain(|(t, _)| *t > from);
        }
        found
    }
}

fn series(one: &Value) -> Series {
    let samples = one["values"].as_array().into_iter().flatten().map(sample).collect();
    Series { labels: labels(&one["metric"]), samples }
}

fn labels(metric: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(metric.clone()).unwrap()
}

/// `[seconds, "value"]`.
fn sample(pair: &Value) -> (i64, f64) {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of this century")]
    let t = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
    (t, pair[1].as_str().unwrap().parse().unwrap())
}

/// Milliseconds as the seconds of Prometheus's API.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000))
}
