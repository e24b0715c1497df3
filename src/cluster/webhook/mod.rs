//! Workloads that are not in Kubernetes, behind an HTTP service of their own.
//!
//! `GET {url}/{name}` gives the count, `POST {url}/{name}` sets it. `docs/webhook-actuator.md` is
//! the contract for who writes such a service.

mod answer;
#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::{StatusCode, Url};
use serde::Serialize;

use super::fault::Fault;
use super::order::Order;
use super::retry::{Asks, persist};
use super::settings::ActuatorConfig;
use crate::engine::scale::{Lever, Workload};
use crate::http::{self, Problem, Reply, origin};
use crate::slo::time::Ts;
pub(crate) use answer::workload;
use answer::{Count, judge, read};

/// An actuator of the settings, ready to be asked.
#[derive(Debug)]
pub struct Webhook {
    to: http::Webhook,
    /// For all attempts of one question.
    limit: Duration,
}

#[derive(Serialize)]
struct Body<'a> {
    name: &'a str,
    from: u32,
    to: u32,
    policy: &'a str,
    id: &'a str,
}

impl Webhook {
    /// Builds the client; `at` is where the settings stand.
    pub fn new(at: &str, config: &ActuatorConfig) -> Result<Self, Problem> {
        let to = http::Webhook::new(&format!("{at}.webhook"), &config.webhook)?;
        Ok(Self { to, limit: config.webhook.http.timeout })
    }

    /// The workload as the service tells it.
    pub async fn look(&self, name: &str, now: Ts) -> Result<Workload, Fault> {
        let url = self.url(name)?;
        let count = persist(&self.who(), self.limit, Asks::Read, || self.count(&url, name, now)).await?;
        Ok(count.into_workload())
    }

    /// Sets the count, if the service still has the one that the order names.
    pub async fn write(&self, name: &str, order: &Order, now: Ts) -> Result<(), Fault> {
        if order.lever != Lever::Count {
            return Err(Fault::refused("a workload behind a webhook has no floor to raise"));
        }
        if order.from == order.to {
            return Ok(());
        }
        let url = self.url(name)?;
        let outcome =
            persist(&self.who(), self.limit, Asks::Write, || self.post(&url, name, order, now)).await;
        match outcome {
            // An earlier attempt may have been taken without its answer arriving, or somebody else
            // wanted the same: both are what was ordered.
            Err(Fault::Conflict { at: Some(at), .. }) if at == order.to => Ok(()),
            Err(Fault::Conflict { at: None, why }) => match self.look(name, now).await {
                Ok(workload) if workload.wanted == order.to => Ok(()),
                found => Err(Fault::Conflict { at: found.ok().map(|workload| workload.wanted), why }),
            },
            outcome => outcome,
        }
    }

    async fn count(&self, url: &Url, name: &str, now: Ts) -> Result<Count, Fault> {
        let reply = self.to.get(url, now).await.map_err(Fault::from)?;
        read(&self.who(), name, reply, now)
    }

    async fn post(&self, url: &Url, name: &str, order: &Order, now: Ts) -> Result<(), Fault> {
        let Order { from, to, policy, id, .. } = order;
        let body = Body { name, from: *from, to: *to, policy, id };
        let body = serde_json::to_vec(&body)
            .map_err(|error| Fault::refused(format!("cannot write JSON: {error}")))?;
        let reply: Reply = self.to.post(url, id, body, now).await.map_err(Fault::from)?;
        if reply.status == StatusCode::CONFLICT {
            let why = format!("{} says that {name:?} is not at {from} any more", self.who());
            return Err(Fault::Conflict {
                at: Count::read(&reply.body).ok().map(|count| count.replicas),
                why,
            });
        }
        judge(&self.who(), name, reply, now).map(|_| ())
    }

    /// The address of a workload; its name is one segment of the path whatever it holds.
    fn url(&self, name: &str) -> Result<Url, Fault> {
        let mut url = self.to.url().clone();
        let why = || Fault::refused(format!("{name:?} is no name that can be asked for"));
        if matches!(name, "" | "." | "..") {
            return Err(why());
        }
        url.path_segments_mut().map_err(|()| why())?.pop_if_empty().push(name);
        Ok(url)
    }

    fn who(&self) -> String {
        origin(self.to.url())
    }
}
