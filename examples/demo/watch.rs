//! One line every few seconds: what Damper's API says about the shop.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::Result;
use super::cast::Cast;

const EVERY: Duration = Duration::from_secs(3);

/// Longest window of the demo's page rule: it must be full before anybody is paged.
const LONG: &str = "1m";

/// What was last seen.
pub(crate) struct Watch {
    began: Instant,
    ticks: Interval,
    client: reqwest::Client,
    url: String,
    /// `groups[0]` of the SLO; `Null` before the first answer.
    group: Value,
    told: Vec<(&'static str, &'static str)>,
}

impl Watch {
    pub(crate) fn new(cast: &Cast) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).build()?;
        let url = format!("{}/api/v1/slos", cast.damper);
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { began: Instant::now(), ticks, client, url, group: Value::Null, told: Vec::new() })
    }

    /// Prints lines until `done`; an error when that takes longer than `limit`.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        limit: Duration,
        cast: &mut Cast,
        done: impl Fn(&Self) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            self.look(cast).await?;
            if done(self) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("waited {limit:?} for {what} in vain").into());
            }
        }
    }

    /// Prints lines for ever.
    pub(crate) async fn forever(&mut self, cast: &mut Cast) -> Result<()> {
        loop {
            self.look(cast).await?;
        }
    }

    /// Whether the webhook got an alert of this severity with this status.
    pub(crate) fn told(&self, alert: (&str, &str)) -> bool {
        self.told.contains(&alert)
    }

    /// Whether the page's long window holds events of its whole length.
    pub(crate) fn windows_are_full(&self) -> bool {
        let burn = self.group.pointer(&format!("/burn/{LONG}")).and_then(Value::as_f64);
        burn.is_some() && self.began.elapsed() > Duration::from_secs(65)
    }

    async fn look(&mut self, cast: &mut Cast) -> Result<()> {
        self.ticks.tick().await;
        cast.alive()?;
        let all = ["page", "ticket"].into_iter().flat_map(|s| ["firing", "resolved"].map(|t| (s, t)));
        self.told = all.filter(|alert| cast.webhook.told(*alert)).collect();
        let answer = self.client.get(&self.url).send().await?.error_for_status()?;
        let answer: Value = answer.json().await?;
        self.group = answer.pointer("/items/0/groups/0").cloned().unwrap_or_default();
        println!("{}", self.line());
        Ok(())
    }

    /// `  0:42  FIRING page      1m: 780/3000 bad   burn 20s 50.0  1m 26.0  2m 13.0   budget -120.0 %`
    fn line(&self) -> String {
        let seconds = self.began.elapsed().as_secs();
        let mut line = format!("{:>3}:{:02}  {:<22}", seconds / 60, seconds % 60, self.state());
        let count = |name| self.group.pointer(&format!("/counts/{LONG}/{name}")).and_then(Value::as_f64);
        let (bad, total) = (count("bad").unwrap_or_default(), count("total").unwrap_or_default());
        let _ = write!(line, "{LONG}: {bad:>4.0}/{total:<4.0} bad   burn");
        let mut windows: Vec<(&String, &Value)> =
            self.group.get("burn").and_then(Value::as_object).into_iter().flatten().collect();
        windows.sort_by_key(|(window, _)| length(window));
        for (window, burn) in windows {
            let burn = burn.as_f64().map_or("-".to_owned(), |burn| format!("{burn:.1}"));
            let _ = write!(line, "  {window} {burn:>5}");
        }
        if let Some(budget) = self.group.get("budgetRemaining").and_then(Value::as_f64) {
            let _ = write!(line, "   budget {:.1} %", budget * 100.0);
        }
        line
    }

    /// The alerts that fire, or else the state of the data.
    fn state(&self) -> String {
        let alerts = self.group.get("alerts").and_then(Value::as_array);
        let text = |alert: &Value, name| alert.get(name).and_then(Value::as_str).map(str::to_owned);
        let firing =
            alerts.into_iter().flatten().filter(|alert| text(alert, "state").as_deref() == Some("firing"));
        let firing: Vec<String> = firing.filter_map(|alert| text(alert, "severity")).collect();
        if firing.is_empty() {
            return text(&self.group, "state").unwrap_or_else(|| "no data yet".to_owned());
        }
        format!("FIRING {}", firing.join(", "))
    }
}

/// Seconds of a window such as `20s`, `5m` or `1h`, to sort by.
fn length(window: &str) -> u64 {
    let (number, unit) = window.split_at(window.trim_end_matches(char::is_alphabetic).len());
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => 86_400,
    };
    number.parse::<u64>().unwrap_or(u64::MAX / factor) * factor
}
