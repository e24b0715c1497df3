//! Data of the past: series become blocks in a data folder, by `promtool`, before Prometheus starts.
//!
//! Blocks hold no staleness markers: series that end are best scraped for real or written by remote write.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::prometheus::Version;

/// Prometheus cuts blocks at these lengths (2h × 3ⁿ); `promtool` reads its whole input once per block.
const BLOCK_HOURS: [i64; 4] = [162, 54, 18, 6];

/// About 300 MB of text: what `promtool` is given at once.
const MAX_SAMPLES: usize = 3_000_000;

/// A series: its labels, `__name__` among them, and its samples as (milliseconds, value), in order.
#[derive(Clone, Debug)]
pub struct Series {
    /// Labels, `__name__` among them.
    pub labels: BTreeMap<String, String>,
    /// Milliseconds since the epoch, and value.
    pub samples: Vec<(i64, f64)>,
}

impl Series {
    /// A series without samples yet.
    pub fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels.iter().copied().chain([("__name__", name)]);
        Self { labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(), samples: Vec::new() }
    }

    /// The same series with these samples.
    pub fn with(mut self, samples: impl IntoIterator<Item = (i64, f64)>) -> Self {
        self.samples.extend(samples);
        self
    }

    fn between(&self, from: i64, to: i64) -> &[(i64, f64)] {
        let first = self.samples.partition_point(|(t, _)| *t < from);
        let last = self.samples.partition_point(|(t, _)| *t < to);
        &self.samples[first..last]
    }

    /// `name{a="b"}`.
    pub fn key(&self) -> String {
        let mut key = self.labels["__name__"].clone();
        let pairs = self.labels.iter().filter(|(name, _)| *name != "__name__");
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value:?}")).collect();
        write!(key, "{{{}}}", pairs.join(",")).unwrap();
        key
    }
}

/// Writes the series into `data`, which no Prometheus may have open.
pub fn write(version: Version, series: &[Series], data: &Path) {
    std::fs::create_dir_all(data).unwrap();
    let times = || series.iter().flat_map(|s| s.samples.iter().map(|(t, _)| *t));
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return };
    let count: usize = series.iter().map(|s| s.samples.len()).sum();
    let hours = block_hours(count, last - first);
    let block = hours * 3_600_000;
    let mut from = first.div_euclid(block) * block;
    while from <= last {
        write_block(version, series, data, (from, from + block, hours));
        from += block;
    }
}

/// The longest block of which one holds no more samples than `promtool` should get at once.
fn block_hours(samples: usize, span: i64) -> i64 {
    let fits = |hours: &&i64| {
        let blocks = usize::try_from(span / (**hours * 3_600_000) + 1).unwrap();
        samples / blocks <= MAX_SAMPLES
    };
    *BLOCK_HOURS.iter().find(fits).unwrap_or(&BLOCK_HOURS[BLOCK_HOURS.len() - 1])
}

fn write_block(version: Version, series: &[Series], data: &Path, (from, to, hours): (i64, i64, i64)) {
    let text = data.with_extension("openmetrics");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&text).unwrap());
    let mut empty = true;
    for one in series {
        let key = one.key();
        for (t, value) in one.between(from, to) {
            empty = false;
            writeln!(file, "{key} {value} {}.{:03}", t.div_euclid(1000), t.rem_euclid(1000)).unwrap();
        }
    }
    writeln!(file, "# EOF").unwrap();
    file.into_inner().unwrap().sync_data().unwrap();
    if !empty {
        let length = format!("--max-block-duration={hours}h");
        let (text, data) = (text.to_str().unwrap(), data.to_str().unwrap());
        let arguments = ["tsdb", "create-blocks-from", "openmetrics", "--quiet", &length, text, data];
        version.promtool().run(&arguments, Path::new("/"));
    }
    std::fs::remove_file(text).unwrap();
}
