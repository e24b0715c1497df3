//! The JSON of Prometheus' query API as typed shapes, read in one pass and without a tree of
//! values: a tick may bring tens of thousands of series.
//!
//! `resultType` and `result` may come in any order, so a row is recognised by its own form.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::engine::sample::Reading;
use crate::slo::model::Labels;
use crate::slo::unit::Finite;

/// Most series of one answer that are kept. Small series cost far more memory than they do as text.
pub(super) const MAX_SERIES: usize = 100_000;
/// Most labels, and points, of all of them: written as tightly as can be, an answer of the allowed
/// size would take more than ten times its size as labels.
const MAX_LABELS: usize = 1_000_000;
const MAX_POINTS: usize = 2_000_000;
/// Most points and labels of one series. Prometheus gives 11,000 points at most.
const MAX_SERIES_POINTS: usize = 11_000;
const MAX_SERIES_LABELS: usize = 1_000;

/// What every answer is wrapped in. `infos` and whatever else there is are left out.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    pub(super) data: Option<Data>,
    #[serde(rename = "errorType")]
    pub(super) error_type: Option<String>,
    pub(super) error: Option<String>,
    pub(super) warnings: Option<Vec<String>>,
    /// VictoriaMetrics cluster: some storage nodes did not answer.
    #[serde(rename = "isPartial")]
    pub(super) is_partial: Option<bool>,
}

/// The result, of whichever type.
#[derive(Deserialize)]
pub(super) struct Data {
    #[serde(rename = "resultType")]
    pub(super) result_type: Option<String>,
    pub(super) result: Option<Rows>,
}

/// The elements of `result`.
#[derive(Default)]
pub(super) struct Rows {
    /// Elements of a vector or matrix.
    pub(super) series: Vec<Series>,
    /// The two halves of a scalar; a string result looks the same.
    pub(super) scalar: Option<Point>,
    /// There were more than [`MAX_SERIES`], or more labels or points of all of them than are kept; the
    /// rest was not read.
    pub(super) overflow: bool,
}

/// One label set and its points, in the order they came.
pub(super) struct Series {
    pub(super) labels: Labels,
    pub(super) points: Vec<Point>,
}

/// Seconds since the epoch, and what was read there.
#[derive(Clone, Copy)]
pub(super) struct Point(pub(super) f64, pub(super) Reading);

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowsVisitor)
    }
}

struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Rows;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series, or a time and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Rows, A::Error> {
        let mut rows = Rows::default();
        let mut time = None;
        let (mut labels, mut points) = (0, 0);
        while !rows.overflow {
            match seq.next_element::<Row>()? {
                None => break,
                Some(Row::Series(_)) if rows.series.len() == MAX_SERIES => rows.overflow = true,
                Some(Row::Series(series)) if time.is_none() => {
                    labels += series.labels.len();
                    points += series.points.len();
                    rows.overflow = labels > MAX_LABELS || points > MAX_POINTS;
                    rows.series.push(series);
                }
                Some(Row::Time(seconds)) if time.is_none() && rows.series.is_empty() => time = Some(seconds),
                Some(Row::Value(reading)) if rows.scalar.is_none() => {
                    let seconds = time.ok_or_else(|| de::Error::custom("a value without a time"))?;
                    rows.scalar = Some(Point(seconds, reading));
                }
                Some(_) => return Err(de::Error::custom("series and values mixed in one result")),
            }
        }
        while rows.overflow && seq.next_element::<IgnoredAny>()?.is_some() {}
        if time.is_some() != rows.scalar.is_some() {
            return Err(de::Error::custom("a time without a value"));
        }
        Ok(rows)
    }
}

/// One element of `result`.
enum Row {
    Series(Series),
    Time(f64),
    Value(Reading),
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series, or a time and a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Row, A::Error> {
        let fields = SeriesFields::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(Row::Series(fields.into_series()))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Row, E> {
        Ok(Row::Time(seconds))
    }

    #[expect(clippy::cast_precision_loss, reason = "such a time is refused by the caller")]
    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Row, E> {
        Ok(Row::Time(seconds as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "such a time is refused by the caller")]
    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Row, E> {
        Ok(Row::Time(seconds as f64))
    }

    /// A string result is no number; that is told by its `resultType`.
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Row, E> {
        Ok(Row::Value(read(text).unwrap_or(Reading::NotANumber)))
    }
}

#[derive(Deserialize)]
struct SeriesFields {
    metric: Metric,
    value: Option<Point>,
    values: Option<Few<Point>>,
    histogram: Option<Bucketed>,
    histograms: Option<Few<Bucketed>>,
}

impl SeriesFields {
    /// Floats and histograms of one series are given apart, though they take turns in time.
    fn into_series(self) -> Series {
        let mut points = self.values.map(|few| few.0).unwrap_or_default();
        points.extend(self.value);
        let histograms = self.histograms.map(|few| few.0).unwrap_or_default();
        let histograms = histograms.into_iter().chain(self.histogram);
        let floats = points.len();
        points.extend(histograms.map(|Bucketed(seconds, _)| Point(seconds, Reading::NotANumber)));
        if points.len() > floats {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Series { labels: self.metric.0, points }
    }
}

/// No more of them than a series can have.
struct Few<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FewVisitor(PhantomData))
    }
}

struct FewVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FewVisitor<T> {
    type Value = Few<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("points")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Few<T>, A::Error> {
        let mut few = Vec::new();
        while let Some(one) = seq.next_element()? {
            if few.len() == MAX_SERIES_POINTS {
                return Err(de::Error::custom("a series has more points than Prometheus gives"));
            }
            few.push(one);
        }
        Ok(Few(few))
    }
}

/// A native histogram where a number was expected; only its time is of use.
#[derive(Deserialize)]
struct Bucketed(f64, IgnoredAny);

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seconds, Value(reading)) = Deserialize::deserialize(deserializer)?;
        Ok(Self(seconds, reading))
    }
}

/// A number as Prometheus writes it: in a string, `NaN`, `+Inf` and `-Inf` among them.
struct Value(Reading);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number in a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        read(text).map(Value).ok_or_else(|| E::custom("a value that is not a number"))
    }
}

fn read(text: &str) -> Option<Reading> {
    let number = text.parse::<f64>().ok()?;
    Some(Finite::new(number).map_or(Reading::NotANumber, Reading::Value))
}

/// Labels, of which no name may come twice.
struct Metric(Labels);

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MetricVisitor)
    }
}

struct MetricVisitor;

impl<'de> Visitor<'de> for MetricVisitor {
    type Value = Metric;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metric, A::Error> {
        let mut labels = Labels::new();
        while let Some((name, value)) = map.next_entry()? {
            if labels.insert(name, value).is_some() {
                return Err(de::Error::custom("a label comes twice"));
            }
            if labels.len() > MAX_SERIES_LABELS {
                return Err(de::Error::custom("a series has more than a thousand labels"));
            }
        }
        Ok(Metric(labels))
    }
}
