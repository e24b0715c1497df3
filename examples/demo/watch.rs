//! What Damper's API says: a line every few seconds, and one at once for every decision that moves.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::cast::Cast;
use super::customers::Seen;
use super::{Result, say, stamp};

/// How often the API is asked, and after how many times a line is printed: once per step of Damper's.
const EVERY: Duration = Duration::from_secs(1);
const LOOKS_PER_LINE: u32 = 5;

/// What was last seen.
pub(crate) struct Watch {
    ticks: Interval,
    looks: u32,
    client: reqwest::Client,
    url: String,
    /// The policy; `Null` before the first answer.
    policy: Value,
    /// As of the last line.
    seen: Seen,
    /// The reason that was told last, and the time of the last move.
    told: String,
    moved: i64,
}

impl Watch {
    pub(crate) fn new(cast: &Cast) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        let url = format!("{}/api/v1/scale", cast.damper);
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (policy, told) = (Value::Null, String::new());
        Ok(Self { ticks, looks: 0, client, url, policy, seen: Seen::default(), told, moved: 0 })
    }

    /// Prints lines until `done`; an error when that takes longer than `limit`.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        limit: Duration,
        cast: &mut Cast,
        done: impl Fn(&Self, &Cast) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            self.look(cast).await?;
            if done(self, cast) {
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

    /// Replicas that are wanted, as Damper saw them last.
    pub(crate) fn wanted(&self) -> usize {
        self.number("/seen/workload/wanted").unwrap_or(0)
    }

    /// Whether all replicas that are wanted are ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.wanted() > 0 && self.number("/seen/workload/ready") == Some(self.wanted())
    }

    /// One word for why it moves or holds, such as `atRest`.
    pub(crate) fn code(&self) -> &str {
        self.text("/decision/reason/code")
    }

    /// How many times faster than allowed the budget burned, over the policy's short window.
    pub(crate) fn burn(&self) -> Option<f64> {
        self.policy.pointer("/seen/burns/0/short").and_then(Value::as_f64)
    }

    async fn look(&mut self, cast: &mut Cast) -> Result<()> {
        self.ticks.tick().await;
        cast.alive()?;
        let answer = self.client.get(&self.url).send().await?.error_for_status()?;
        let answer: Value = answer.json().await?;
        self.policy = answer.pointer("/items/0").cloned().unwrap_or_default();
        self.tell_move();
        if self.policy.pointer("/seen/workload").is_some() && self.looks.is_multiple_of(LOOKS_PER_LINE) {
            self.print_line(cast);
        }
        self.looks += 1;
        Ok(())
    }

    fn tell_move(&mut self) {
        let at = self.policy.pointer("/decision/at").and_then(Value::as_i64).unwrap_or(0);
        let (from, to) = (self.number("/decision/from"), self.number("/decision/to"));
        if let (Some(from), Some(to)) = (from, to)
            && at != self.moved
        {
            self.moved = at;
            let sign = if to > from { '▲' } else { '▼' };
            let why = self.text("/decision/reason/why");
            say(&format!("{sign} Damper: {from} → {to} replicas. {why}"));
            self.told = self.code().to_owned();
        }
    }

    /// `  1:05   70/s   43 % failed   burn rate 43.1   2 of 2 replicas, 99 % full   why, where that is new`
    fn print_line(&mut self, cast: &Cast) {
        let seen = cast.customers.seen();
        let (asked, failed) = (seen.asked - self.seen.asked, seen.failed - self.seen.failed);
        self.seen = seen;
        let failed = (100 * failed).checked_div(asked).unwrap_or(0);
        let burn = self.burn().map_or("   -".to_owned(), |burn| format!("{burn:4.1}"));
        let ready = self.number("/seen/workload/ready").unwrap_or(0);
        let full = self.policy.pointer("/seen/saturation").and_then(Value::as_f64);
        let full = full.map_or("  -".to_owned(), |full| format!("{:3.0}", full * 100.0));
        let is_new = self.code() != self.told;
        let why = if is_new { self.text("/decision/reason/why") } else { "" };
        println!(
            "{}  {:>3}/s  {failed:>3} % failed   burn rate {burn}   {ready} of {} replicas, {full} % full   {why}",
            stamp(),
            cast.customers.rate(),
            self.wanted(),
        );
        if is_new {
            self.told = self.code().to_owned();
        }
    }

    fn number(&self, pointer: &str) -> Option<usize> {
        self.policy.pointer(pointer).and_then(Value::as_u64)?.try_into().ok()
    }

    fn text(&self, pointer: &str) -> &str {
        self.policy.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
