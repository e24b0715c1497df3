//! What Damper takes the answers of sources for, by its own count of what became of its questions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::rows::Row;
use crate::support::damper::Damper;

/// Nobody was asked: they say nothing of what the source does.
const NOT_ASKED: [&str; 2] = ["breaker_open", "busy"];

/// Questions so far, by source and by what became of them.
pub struct Outcomes(BTreeMap<String, BTreeMap<String, u64>>);

impl Outcomes {
    pub async fn of(damper: &Damper) -> Self {
        let status = damper.get("/api/v1/status").await;
        let queries = |source: &Value| serde_json::from_value(source["queries"].clone()).unwrap();
        let sources = status["sources"].as_array().unwrap().iter();
        Self(sources.map(|source| (source["name"].as_str().unwrap().to_owned(), queries(source))).collect())
    }

    /// Most questions that have failed since then came to what is expected of such a source; of one that
    /// answers, most of all. On a busy machine some of any source's take too long.
    pub fn are_as_expected_of(&self, row: &Row, before: &Self) {
        let (now, before) = (&self.0[row.name], &before.0[row.name]);
        let since: Vec<(u64, &str)> =
            now.iter().map(|(outcome, n)| (n - before[outcome], outcome.as_str())).collect();
        let expected = row.is_taken_for();
        let counts = |outcome: &str| outcome != "ok" || expected.contains(&outcome);
        let asked = since.iter().filter(|(_, outcome)| !NOT_ASKED.contains(outcome) && counts(outcome));
        let most = asked.max().unwrap();
        assert!(most.0 > 0 && expected.contains(&most.1), "{}: {since:?}", row.name);
    }
}
