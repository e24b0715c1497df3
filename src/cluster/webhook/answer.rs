//! What the service behind a webhook says.

use chrono::DateTime;
use reqwest::StatusCode;
use serde::Deserialize;

use crate::cluster::fault::Fault;
use crate::engine::scale::{Lever, Version, Workload, Writer, WriterKind};
use crate::http::{Failure, Reply, excerpt, retry_after};
use crate::slo::time::Ts;

/// The answer to `GET`. What it does not know it leaves out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Count {
    /// Replicas that are wanted.
    pub(super) replicas: u32,
    /// Replicas that serve.
    ready: u32,
    blocked: Option<String>,
    #[serde(default)]
    rolling: bool,
    version: Option<Named>,
    #[serde(default)]
    paused: bool,
    writer: Option<Named>,
    #[serde(default)]
    must_stay: u32,
}

/// A version and when it came, or a writer and when it wrote.
#[derive(Deserialize)]
struct Named {
    name: String,
    #[serde(alias = "since")]
    at: String,
}

impl Count {
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| format!("{error}: {}", excerpt(body)))
    }

    pub(super) fn into_workload(self) -> Workload {
        let version = self.version.and_then(|v| Some(Version { since: time(&v.at)?, name: v.name }));
        let writer = self.writer.and_then(|w| {
            let kind = if w.name == "damper" { WriterKind::Damper } else { WriterKind::Person };
            Some(Writer { at: time(&w.at)?, name: w.name, kind })
        });
        Workload {
            wanted: self.replicas,
            ready: self.ready,
            lever: Lever::Count,
            blocked: self.blocked.filter(|why| !why.is_empty()).map(|why| excerpt(why.as_bytes())),
            rolling: self.rolling,
            version,
            paused: self.paused.then(|| "the service behind its webhook".to_owned()),
            writer,
            must_stay: self.must_stay,
        }
    }
}

fn time(text: &str) -> Option<Ts> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| Ts(at.timestamp()))
}

/// What a service answers when it is asked for a workload.
pub(super) fn read(who: &str, name: &str, reply: Reply, now: Ts) -> Result<Count, Fault> {
    let reply = judge(who, name, reply, now)?;
    Count::read(&reply.body).map_err(|why| {
        let what = format!("{who} answered {name:?} with something that is no count: {why}");
        Fault::Refused { status: Some(reply.status.as_u16()), why: what }
    })
}

/// The same as a workload.
pub(crate) fn workload(who: &str, name: &str, reply: Reply, now: Ts) -> Result<Workload, Fault> {
    read(who, name, reply, now).map(Count::into_workload)
}

/// The reply, if its status is one of success.
pub(super) fn judge(who: &str, name: &str, reply: Reply, now: Ts) -> Result<Reply, Fault> {
    let status = reply.status;
    if status.is_success() {
        return Ok(reply);
    }
    let said = excerpt(&reply.body);
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let why = format!("{who} answered {status} about {name:?}{said}");
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS => {
            Fault::Throttled { after: retry_after(reply.retry_after.as_deref(), now), why }
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Fault::Unreachable { why },
        status if status.is_server_error() => Fault::Unreachable { why },
        status => Fault::Refused { status: Some(status.as_u16()), why },
    })
}

impl From<Failure> for Fault {
    fn from(Failure { permanent, error, .. }: Failure) -> Self {
        if permanent { Self::refused(error) } else { Self::unreachable(error) }
    }
}
