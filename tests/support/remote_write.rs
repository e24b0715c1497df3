//! Remote write 1.0: samples, staleness markers and native histograms into a running Prometheus.

use std::collections::BTreeMap;

use prost::Message;

use super::native::Native;
use super::prometheus::Prometheus;
use super::tsdb::Series;

/// Says "this series ended here": what Prometheus stores when a target or a series goes away.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<Histogram>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    count: Option<u64>,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(double, tag = "5")]
    zero_threshold: f64,
    #[prost(uint64, optional, tag = "6")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "11")]
    positive_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    positive_deltas: Vec<i64>,
    #[prost(int64, tag = "15")]
    timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct BucketSpan {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

impl Prometheus {
    /// Writes samples (of a Prometheus that [`receives_remote_write`](super::prometheus::Builder::receives_remote_write)).
    pub async fn write(&self, series: &[Series]) {
        let timeseries = series.iter().map(|one| TimeSeries {
            labels: labels(&one.labels),
            samples: one.samples.iter().map(|&(timestamp, value)| Sample { value, timestamp }).collect(),
            histograms: Vec::new(),
        });
        self.send(WriteRequest { timeseries: timeseries.collect() }).await;
    }

    /// Writes native histograms, as (milliseconds, histogram), of one series; `of` gives its labels.
    pub async fn write_native(&self, of: &Series, histograms: &[(i64, Native)]) {
        let histograms = histograms.iter().map(|(timestamp, one)| histogram(*timestamp, one)).collect();
        let series = TimeSeries { labels: labels(&of.labels), samples: Vec::new(), histograms };
        self.send(WriteRequest { timeseries: vec![series] }).await;
    }

    async fn send(&self, request: WriteRequest) {
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
        let client = reqwest::Client::new();
        let request = client.post(format!("{}/api/v1/write", self.url())).body(body);
        let request = request
            .header("Content-Encoding", "snappy")
            .header("Content-Type", "application/x-protobuf")
            .header("X-Prometheus-Remote-Write-Version", "0.1.0");
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "remote write: {status}: {}", answer.text().await.unwrap());
    }
}

/// Sorted by name, as the protocol wants them; the map is.
fn labels(labels: &BTreeMap<String, String>) -> Vec<Label> {
    labels.iter().map(|(name, value)| Label { name: name.clone(), value: value.clone() }).collect()
}

fn histogram(timestamp: i64, histogram: &Native) -> Histogram {
    let encoded = histogram.encode();
    let span = |(offset, length)| BucketSpan { offset, length };
    Histogram {
        count: Some(histogram.count()),
        sum: histogram.sum,
        schema: histogram.schema,
        zero_threshold: 1e-128,
        zero_count: Some(histogram.zeros),
        positive_spans: encoded.spans.into_iter().map(span).collect(),
        positive_deltas: encoded.deltas,
        timestamp,
    }
}
