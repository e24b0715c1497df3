//! The task that keeps what is known up to date: a list, then watch after watch, for as long as it runs.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use super::super::resource::segment;
use super::lines::Lines;
use super::{Ask, Kept};

/// A silent watch is given up.
const SILENT: Duration = Duration::from_secs(100);
/// Longest wait for a watch to begin.
const OPEN: Duration = Duration::from_secs(10);
/// How long the API server lets a watch last.
const LASTS: u32 = 300;

enum End {
    /// As announced: the next begins where it ended.
    Over(String),
    /// What it would begin at is too old, or it broke.
    Broken(String),
}

impl Kept {
    /// Watches, again and again with growing pauses.
    pub(super) async fn keep(&self) {
        let schedule = || {
            ExponentialBuilder::new()
                .with_min_delay(Duration::from_secs(1))
                .with_max_delay(Duration::from_secs(60))
                .without_max_times()
                .with_jitter()
                .build()
        };
        let mut pauses = schedule();
        loop {
            let began = Instant::now();
            let why = match self.list().await {
                Ok((objects, version)) => {
                    self.lock().replace(objects, began);
                    self.follow(version).await
                }
                Err(fault) => fault.to_string(),
            };
            self.lock().heard = None;
            if began.elapsed() > SILENT {
                pauses = schedule();
            }
            let pause = pauses.next().unwrap_or(Duration::from_secs(60));
            tracing::debug!(
                path = self.path(),
                why,
                ?pause,
                "a watch ended; its objects are asked for until it is back"
            );
            tokio::time::sleep(pause).await;
        }
    }

    /// Watch after watch, each from where the one before ended; returns why that goes no further.
    async fn follow(&self, mut version: String) -> String {
        loop {
            match self.watch(version).await {
                End::Over(reached) => version = reached,
                End::Broken(why) => return why,
            }
        }
    }

    async fn watch(&self, mut version: String) -> End {
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={LASTS}&resourceVersion={}",
            self.path(),
            segment(&version)
        );
        let began = Instant::now();
        let answer = match timeout(OPEN, self.api.open(&Ask::Get, &path)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => return End::Broken(fault.to_string()),
            Err(_) => return End::Broken(format!("it did not begin within {OPEN:?}")),
        };
        let (mut body, mut lines) = (answer.into_body(), Lines::default());
        loop {
            let frame = match timeout(SILENT, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return End::Broken(crate::http::told(&error)),
                // One that ends at once would be begun again without a pause.
                Ok(None) if began.elapsed() < OPEN => return End::Broken("it ended at once".to_owned()),
                Ok(None) => return End::Over(version),
                Err(_) => return End::Broken(format!("it was silent for {SILENT:?}")),
            };
            let Ok(bytes) = frame.into_data() else { continue };
            let events = match lines.push(&bytes) {
                Ok(events) => events,
                Err(why) => return End::Broken(why),
            };
            if let Some(why) = self.lock().hear(events, &mut version) {
                return End::Broken(why);
            }
        }
    }
}
