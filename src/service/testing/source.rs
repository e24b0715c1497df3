//! A source that says of every part of a question what a test wants, or refuses it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The PromQL, the name of a part, and the moment; `None` where there is nothing.
type Says = dyn Fn(&str, &str, i64) -> Option<i64> + Send + Sync;
type Which = dyn Fn(&str) -> bool + Send + Sync;

#[derive(Clone, Debug)]
pub(in crate::service) struct Question {
    pub(in crate::service) query: String,
    /// `start`, `end`, `step` or `time`, in seconds.
    numbers: BTreeMap<String, i64>,
}

struct Inner {
    says: Box<Says>,
    refuses: Mutex<Box<Which>>,
    hangs: Mutex<Box<Which>>,
    asked: Mutex<Vec<Question>>,
}

/// A source at [`Self::url`]; ends when dropped.
pub(in crate::service) struct Source {
    pub(in crate::service) url: String,
    inner: Arc<Inner>,
    _server: JoinSet<()>,
}

impl Source {
    pub(in crate::service) async fn start(
        says: impl Fn(&str, &str, i64) -> Option<i64> + Send + Sync + 'static,
    ) -> Self {
        let inner = Arc::new(Inner {
            says: Box::new(says),
            refuses: Mutex::new(Box::new(|_| false)),
            hangs: Mutex::new(Box::new(|_| false)),
            asked: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, _server: server }
    }

    /// From now on it refuses these questions, and no others.
    pub(in crate::service) fn refuse(&self, which: impl Fn(&str) -> bool + Send + Sync + 'static) {
        *self.inner.refuses.lock().unwrap() = Box::new(which);
    }

    /// From now on it never answers these questions.
    pub(in crate::service) fn hang(&self, which: impl Fn(&str) -> bool + Send + Sync + 'static) {
        *self.inner.hangs.lock().unwrap() = Box::new(which);
    }

    /// What was asked since the last call.
    pub(in crate::service) fn asked(&self) -> Vec<Question> {
        std::mem::take(&mut *self.inner.asked.lock().unwrap())
    }
}

impl Question {
    fn read(form: &str) -> Self {
        let form = reqwest::Url::parse(&format!("http://form/?{form}")).unwrap();
        let mut of: BTreeMap<String, String> = form.query_pairs().into_owned().collect();
        let query = of.remove("query").unwrap_or_default();
        let number = |(name, text): (String, String)| Some((name, text.split('.').next()?.parse().ok()?));
        Self { query, numbers: of.into_iter().filter_map(number).collect() }
    }

    /// The moments asked for.
    pub(in crate::service) fn moments(&self) -> Vec<i64> {
        let number = |name: &str| self.numbers.get(name).copied();
        match (number("start"), number("end"), number("step")) {
            (Some(start), Some(end), Some(step)) => {
                (0..=(end - start) / step).map(|i| start + i * step).collect()
            }
            _ => number("time").into_iter().collect(),
        }
    }

    /// The same question about each job, where it is about several at once.
    fn by_job(&self) -> Vec<(Option<String>, String)> {
        let jobs = self.query.split("job=~\"").nth(1).and_then(|rest| rest.split('"').next());
        let Some(jobs) = jobs else { return vec![(None, self.query.clone())] };
        let one = |job: &str| self.query.replace(&format!("job=~\"{jobs}\""), &format!("job=\"{job}\""));
        jobs.split('|').map(|job| (Some(job.to_owned()), one(job))).collect()
    }

    fn is_instant(&self) -> bool {
        self.numbers.contains_key("time")
    }
}

async fn answer(State(inner): State<Arc<Inner>>, form: String) -> Response {
    let question = Question::read(&form);
    inner.asked.lock().unwrap().push(question.clone());
    let hangs = (inner.hangs.lock().unwrap())(&question.query);
    if hangs {
        std::future::pending::<()>().await;
    }
    if (inner.refuses.lock().unwrap())(&question.query) {
        let error = json!({"status": "error", "errorType": "execution", "error": "too much"});
        return (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(error)).into_response();
    }
    let mut parts: Vec<&str> = question.query.split("\"damper_part\", \"").skip(1).collect();
    if !question.query.contains("damper_part") {
        // A query of somebody's own.
        parts.push("");
    }
    let parts = parts.into_iter().filter_map(|rest| rest.split('"').next());
    let series = |(part, (job, query)): (&str, &(Option<String>, String))| -> Value {
        let values: Vec<Value> = question
            .moments()
            .into_iter()
            .filter_map(|at| Some(json!([at, (inner.says)(query, part, at)?.to_string()])))
            .collect();
        let (key, value) = match question.is_instant() {
            true => ("value", values.first().cloned().unwrap_or_default()),
            false => ("values", Value::Array(values)),
        };
        let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
        labels.extend((!part.is_empty()).then_some(("damper_part", part)));
        labels.extend(job.as_deref().map(|job| ("job", job)));
        json!({"metric": labels, key: value})
    };
    let said = |series: &Value| {
        let values = series.get("value").or(series.get("values"));
        values.and_then(Value::as_array).is_some_and(|values| !values.is_empty())
    };
    let jobs = question.by_job();
    let each = parts.flat_map(|part| jobs.iter().map(move |job| (part, job)));
    let result: Vec<Value> = each.map(series).filter(said).collect();
    let kind = if question.is_instant() { "vector" } else { "matrix" };
    let said = json!({"status": "success", "data": {"resultType": kind, "result": result}});
    // Tests ask about moments of their own, for which no real clock speaks.
    ([(header::DATE, "whenever")], axum::Json(said)).into_response()
}
