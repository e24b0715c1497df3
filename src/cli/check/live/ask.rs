//! Instant queries, each asked once however many SLOs need it, and all at the same moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::engine::sample::{Answer, Query, Reading};
use crate::prometheus::Client;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};

/// The longest one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One label set and its value.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Row {
    pub(super) labels: Labels,
    pub(super) value: f64,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Trouble {
    /// The server does not answer; asking on is of no use.
    Down(String),
    /// This query alone is at fault.
    Query(String),
}

type Asked = Result<Arc<Vec<Row>>, Trouble>;

/// The server and what it said so far.
pub(super) struct Server {
    client: Client,
    at: Ts,
    end: Instant,
    known: Mutex<HashMap<String, Arc<OnceCell<Asked>>>>,
}

impl Server {
    /// Asks about the moment `at`, until `end`.
    pub(super) fn new(client: Client, at: Ts, end: Instant) -> Self {
        Self { client, at, end, known: Mutex::default() }
    }

    /// The source's name.
    pub(super) fn name(&self) -> &str {
        self.client.config().name()
    }

    /// Whether anybody answers PromQL there.
    pub(super) async fn greet(&self) -> Result<(), String> {
        match self.rows("vector(1)").await {
            Ok(_) => Ok(()),
            Err(Trouble::Down(why) | Trouble::Query(why)) => Err(why),
        }
    }

    /// Every label set of an instant query with its value; those without a number are left out.
    pub(super) async fn rows(&self, promql: &str) -> Asked {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(promql.to_owned()).or_default())
        };
        cell.get_or_init(|| self.fetch(promql)).await.clone()
    }

    /// The one value of a query; zero where there is none.
    pub(super) async fn number(&self, promql: &str) -> Result<f64, Trouble> {
        Ok(self.rows(promql).await?.first().map_or(0.0, |row| row.value))
    }

    /// How many label sets `of` has.
    pub(super) async fn count(&self, of: &str) -> Result<u64, Trouble> {
        let number = self.number(&format!("count({of})")).await?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of series")]
        Ok(number as u64)
    }

    /// The values that `label` has among `of`, with how many series have each; numbers in their order.
    pub(super) async fn values(&self, label: &str, of: &str) -> Result<Vec<String>, Trouble> {
        let name = crate::slo::query::Name(label);
        let rows = self.rows(&format!("count by ({name}) ({of})")).await?;
        let mut values: Vec<String> = rows.iter().filter_map(|row| row.labels.get(label).cloned()).collect();
        let number = |text: &String| text.parse::<f64>().unwrap_or(f64::NAN);
        values.sort_by(|a, b| number(a).total_cmp(&number(b)).then_with(|| a.cmp(b)));
        Ok(values)
    }

    async fn fetch(&self, promql: &str) -> Asked {
        if Instant::now() >= self.end {
            return Err(Trouble::Down("the time for all questions is over".to_owned()));
        }
        let query = Query {
            source: self.client.config().name().to_owned(),
            promql: promql.to_owned(),
            start: self.at,
            end: self.at,
            every: Span::from_secs(1),
        };
        match self.client.ask(&query, PATIENCE).await {
            Answer::Failed(failure) if failure.kind.blames_source() => Err(Trouble::Down(failure.message)),
            Answer::Failed(failure) => Err(Trouble::Query(failure.message)),
            Answer::Frames { frames, .. } => {
                let row = |frame: crate::engine::sample::Frame| match frame.points.last() {
                    Some((_, Reading::Value(value))) => {
                        Some(Row { labels: frame.labels, value: value.get() })
                    }
                    _ => None,
                };
                Ok(Arc::new(frames.into_iter().filter_map(row).collect()))
            }
        }
    }
}
