//! Native histograms as a client library keeps them.

use std::collections::BTreeMap;

/// A native histogram with exponential buckets; positive observations only.
#[derive(Clone, PartialEq, Debug)]
pub struct Native {
    /// Resolution: each bucket is 2^(2^-schema) times as wide as the one before.
    pub schema: i32,
    /// Observations per bucket index.
    pub buckets: BTreeMap<i32, u64>,
    /// Observations of zero.
    pub zeros: u64,
    /// Sum of all observations.
    pub sum: f64,
}

/// Runs of filled buckets as (offset to the end of the run before, length), and each bucket's
/// count as the difference from the one before: how both wire formats write them.
pub struct Encoded {
    /// Offset and length of each run.
    pub spans: Vec<(i32, u32)>,
    /// Differences between neighbours' counts.
    pub deltas: Vec<i64>,
}

impl Native {
    /// An empty one.
    pub const fn new(schema: i32) -> Self {
        Self { schema, buckets: BTreeMap::new(), zeros: 0, sum: 0.0 }
    }

    /// Counts `times` observations of `value`.
    pub fn observe(&mut self, value: f64, times: u64) {
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let weight = times as f64;
        self.sum += value * weight;
        if value == 0.0 {
            self.zeros += times;
            return;
        }
        assert!(value > 0.0, "only positive observations");
        #[expect(clippy::cast_possible_truncation, reason = "a bucket's index is small")]
        let index = (value.log2() * f64::from(self.schema).exp2()).ceil() as i32;
        *self.buckets.entry(index).or_default() += times;
    }

    /// All observations.
    pub fn count(&self) -> u64 {
        self.zeros + self.buckets.values().sum::<u64>()
    }

    /// As both wire formats want the positive buckets.
    pub fn encode(&self) -> Encoded {
        let mut encoded = Encoded { spans: Vec::new(), deltas: Vec::new() };
        let (mut next, mut before) = (None, 0);
        for (&index, &count) in &self.buckets {
            match encoded.spans.last_mut() {
                Some((_, length)) if next == Some(index) => *length += 1,
                _ => encoded.spans.push((index - next.unwrap_or(0), 1)),
            }
            let count = i64::try_from(count).unwrap();
            encoded.deltas.push(count - before);
            (next, before) = (Some(index + 1), count);
        }
        encoded
    }
}
