//! A real VictoriaMetrics: Debian 12's 1.79.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;

use super::port;
use super::process::Process;
use super::program::Program;
use super::tsdb::Series;

/// A running VictoriaMetrics, with its default settings but for what is kept.
pub struct VictoriaMetrics {
    port: u16,
    // Before the folder: fields are dropped in this order.
    _process: Process,
    _folder: TempDir,
    client: Client,
}

impl VictoriaMetrics {
    /// Starts it and waits until it answers.
    pub async fn start() -> Self {
        let (folder, port) = (TempDir::new().unwrap(), port::free());
        let mut command = Program::find("victoriametrics", "usr/bin/victoria-metrics").command();
        command.args([
            "-storageDataPath=data".to_owned(),
            "-retentionPeriod=10y".to_owned(),
            "-memory.allowedBytes=100MB".to_owned(),
            format!("-httpListenAddr=127.0.0.1:{port}"),
        ]);
        command.current_dir(folder.path());
        let mut process = Process::start("victoriametrics", &command, folder.path());
        let client = Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        let url = format!("http://127.0.0.1:{port}/health");
        let ask = async || client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success());
        process.ready(Duration::from_secs(60), ask).await;
        Self { port, _process: process, _folder: folder, client }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Takes in samples of any time, and makes them visible.
    pub async fn import(&self, series: &[Series]) {
        let mut body = String::new();
        for one in series {
            for (at, value) in &one.samples {
                writeln!(body, "{} {value} {at}", one.key()).unwrap();
            }
        }
        let url = format!("{}/api/v1/import/prometheus", self.url());
        let answer = self.client.post(url).body(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        let flush = self.client.get(format!("{}/internal/force_flush", self.url()));
        assert!(flush.send().await.unwrap().status().is_success());
    }

    /// A range query without any parameter of ours: the values of the only series.
    pub async fn range(&self, query: &str, from: i64, to: i64, step: i64) -> Vec<f64> {
        let parameters = [("start", from), ("end", to), ("step", step)].map(|(k, v)| (k, v.to_string()));
        let url = format!("{}/api/v1/query_range", self.url());
        let request = self.client.get(url).query(&[("query", query)]).query(&parameters);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let values = answer["data"]["result"][0]["values"].as_array().into_iter().flatten();
        values.map(|pair| pair[1].as_str().unwrap().parse().unwrap()).collect()
    }
}
