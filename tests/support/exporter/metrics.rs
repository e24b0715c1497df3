//! What a target exposes, as text and as protobuf.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prost::Message as _;

use crate::support::native::Native;
use crate::support::now_ms;
use crate::support::protobuf::{
    Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType, Value as Number,
};

type Labels = Vec<(String, String)>;

/// Metric families by name. A new one holds `process_start_time_seconds` alone.
pub struct Metrics(BTreeMap<String, Family>);

struct Family {
    kind: MetricType,
    series: BTreeMap<Labels, Value>,
}

enum Value {
    Number(f64),
    Classic(Classic),
    Native(Native),
}

/// Upper bounds with their own (not cumulative) counts; the last bound is +Inf.
struct Classic {
    buckets: Vec<(f64, u64)>,
    sum: f64,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self(BTreeMap::new());
        #[expect(clippy::cast_precision_loss, reason = "exact until the year 280,000")]
        metrics.gauge("process_start_time_seconds", &[], now_ms() as f64 / 1000.0);
        metrics
    }
}

impl Metrics {
    /// Adds to a counter; a new one is born with `by`.
    pub fn add(&mut self, name: &str, labels: &[(&str, &str)], by: f64) {
        *self.number(MetricType::Counter, name, labels) += by;
    }

    /// A counter or gauge as it is now; 0 where it is not born.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        match self.0.get(name).and_then(|family| family.series.get(&own(labels))) {
            Some(Value::Number(number)) => *number,
            Some(_) => panic!("{name} is a histogram"),
            None => 0.0,
        }
    }

    /// Sets a counter, downwards too.
    pub fn set(&mut self, name: &str, labels: &[(&str, &str)], to: f64) {
        *self.number(MetricType::Counter, name, labels) = to;
    }

    /// Sets a gauge.
    pub fn gauge(&mut self, name: &str, labels: &[(&str, &str)], to: f64) {
        *self.number(MetricType::Gauge, name, labels) = to;
    }

    /// Counts `times` observations in a classic histogram; `bounds` are those of a new one, without +Inf.
    pub fn observe(&mut self, name: &str, labels: &[(&str, &str)], bounds: &[f64], value: f64, times: u64) {
        let new = || {
            let buckets = bounds.iter().copied().chain([f64::INFINITY]).map(|bound| (bound, 0)).collect();
            Value::Classic(Classic { buckets, sum: 0.0 })
        };
        let Value::Classic(classic) = self.entry(MetricType::Histogram, name, labels, new) else {
            panic!("{name} is not a classic histogram")
        };
        let bucket = classic.buckets.iter_mut().find(|(bound, _)| value <= *bound);
        bucket.expect("not NaN").1 += times;
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let weight = times as f64;
        classic.sum += value * weight;
    }

    /// Counts `times` observations in a native histogram; `schema` is that of a new one.
    pub fn observe_native(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        schema: i32,
        value: f64,
        times: u64,
    ) {
        let new = || Value::Native(Native::new(schema));
        let Value::Native(native) = self.entry(MetricType::Histogram, name, labels, new) else {
            panic!("{name} is not a native histogram")
        };
        native.observe(value, times);
    }

    /// A series dies.
    pub fn remove(&mut self, name: &str, labels: &[(&str, &str)]) {
        let removed = self.0.get_mut(name).and_then(|family| family.series.remove(&own(labels)));
        assert!(removed.is_some(), "there is no {name}{labels:?}");
    }

    pub(super) fn has_native(&self) -> bool {
        let mut values = self.0.values().flat_map(|family| family.series.values());
        values.any(|value| matches!(value, Value::Native(_)))
    }

    /// The text format; native histograms have none and are left out.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, family) in &self.0 {
            writeln!(text, "# TYPE {name} {}", format!("{:?}", family.kind).to_lowercase()).unwrap();
            for (labels, value) in &family.series {
                write_text(&mut text, name, labels, value);
            }
        }
        text
    }

    pub(super) fn protobuf(&self) -> Vec<u8> {
        let families = self.0.iter().map(|(name, family)| MetricFamily {
            name: Some(name.clone()),
            kind: Some(family.kind.into()),
            metric: family.series.iter().map(|(labels, value)| metric(family.kind, labels, value)).collect(),
        });
        families.flat_map(|family| family.encode_length_delimited_to_vec()).collect()
    }

    fn number(&mut self, kind: MetricType, name: &str, labels: &[(&str, &str)]) -> &mut f64 {
        match self.entry(kind, name, labels, || Value::Number(0.0)) {
            Value::Number(number) => number,
            _ => panic!("{name} is a histogram"),
        }
    }

    fn entry(
        &mut self,
        kind: MetricType,
        name: &str,
        labels: &[(&str, &str)],
        new: impl FnOnce() -> Value,
    ) -> &mut Value {
        let family =
            self.0.entry(name.to_owned()).or_insert_with(|| Family { kind, series: BTreeMap::new() });
        assert_eq!(family.kind, kind, "{name} has another type");
        family.series.entry(own(labels)).or_insert_with(new)
    }
}

impl Classic {
    /// Upper bounds with cumulative counts, as both formats want them.
    fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        self.buckets.iter().scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((*bound, *sum))
        })
    }
}

fn own(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn write_text(text: &mut String, name: &str, labels: &Labels, value: &Value) {
    let pairs = |extra: Option<String>| {
        let own = labels.iter().map(|(name, value)| format!("{name}={value:?}"));
        own.chain(extra).collect::<Vec<String>>().join(",")
    };
    match value {
        Value::Number(number) => writeln!(text, "{name}{{{}}} {number}", pairs(None)).unwrap(),
        Value::Classic(classic) => {
            let mut count = 0;
            for (bound, sum) in classic.cumulative() {
                let bound = if bound.is_infinite() { "+Inf".to_owned() } else { bound.to_string() };
                writeln!(text, "{name}_bucket{{{}}} {sum}", pairs(Some(format!("le=\"{bound}\"")))).unwrap();
                count = sum;
            }
            writeln!(text, "{name}_sum{{{}}} {}", pairs(None), classic.sum).unwrap();
            writeln!(text, "{name}_count{{{}}} {count}", pairs(None)).unwrap();
        }
        Value::Native(_) => {}
    }
}

fn metric(kind: MetricType, labels: &Labels, value: &Value) -> Metric {
    let pair =
        |(name, value): &(String, String)| LabelPair { name: Some(name.clone()), value: Some(value.clone()) };
    let mut metric = Metric { label: labels.iter().map(pair).collect(), ..Metric::default() };
    match value {
        Value::Number(number) if kind == MetricType::Gauge => {
            metric.gauge = Some(Number { value: Some(*number) })
        }
        Value::Number(number) => metric.counter = Some(Number { value: Some(*number) }),
        Value::Native(native) => metric.histogram = Some(Histogram::native(native)),
        Value::Classic(classic) => {
            let bucket = |(bound, sum)| Bucket { cumulative_count: Some(sum), upper_bound: Some(bound) };
            metric.histogram = Some(Histogram {
                sample_count: classic.cumulative().last().map(|(_, sum)| sum),
                sample_sum: Some(classic.sum),
                bucket: classic.cumulative().map(bucket).collect(),
                ..Histogram::default()
            });
        }
    }
    metric
}
