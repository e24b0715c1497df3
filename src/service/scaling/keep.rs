//! Policies' states to the store and back. They lie beside the states of alerts, under keys of
//! their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::state::{Kept, Scaling};
use crate::engine::scale::{Fleet, State};
use crate::service::shared::Shared;
use crate::slo::policy::{ScalePolicy, Target};
use crate::slo::time::Ts;
use crate::store::{StatePut, Store, StoreError};

/// What keys begin with.
pub(in crate::service) const PREFIX: &str = "scaling/";
const POLICY: &str = "scaling/policy/";
const ALL: &str = "scaling/all";

#[derive(Serialize, Deserialize)]
struct PolicyRow {
    state: State,
    target: Target,
}

#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(default)]
struct AllRow {
    fleet: Fleet,
    stopped: Option<String>,
}

/// Reads everything again. One that cannot be read is told and begins anew.
pub(in crate::service) async fn restore(shared: &Shared) -> Result<(), StoreError> {
    let rows = shared.store.states_under(PREFIX).await?;
    let mut policies = BTreeMap::new();
    let mut all = AllRow::default();
    for (key, body) in &rows {
        if let Some(name) = key.strip_prefix(POLICY) {
            match serde_json::from_str::<PolicyRow>(body) {
                Ok(PolicyRow { state, target }) => drop(policies.insert(name.to_owned(), (state, target))),
                Err(error) => {
                    tracing::error!(policy = name, %error, "its state in the store cannot be read; it begins anew");
                }
            }
        } else {
            all = serde_json::from_str(body).unwrap_or_else(|error| {
                tracing::error!(%error, "whether scaling is stopped cannot be read from the store; it is stopped");
                let by = "what the store says of all policies, which cannot be read".to_owned();
                AllRow { stopped: Some(by), ..AllRow::default() }
            });
        }
    }
    let mut scaling = shared.scaling.write();
    let mut before = std::mem::take(&mut scaling.policies);
    let kept = |(name, (state, target)): (String, (State, Target))| {
        let kept = match before.remove(&name) {
            Some(before) => Kept { state, target, stored: None, ..before },
            None => Kept::of(state, target),
        };
        (name, kept)
    };
    let policies = policies.into_iter().map(kept).collect();
    *scaling = Scaling { policies, fleet: all.fleet, stopped: all.stopped, in_doubt: false };
    Ok(())
}

/// A policy and its target: one that moves to another target begins anew there, and what it raised
/// at the old one is put back as that of a policy that is gone. Under another name at the same target
/// it goes on with what the old one remembers.
pub fn id(policy: &ScalePolicy) -> String {
    format!("{} of {}", policy.target, policy.name)
}

/// The name of the policy with this id.
pub(super) fn name_of(id: &str) -> Option<&str> {
    id.rsplit_once(" of ").map(|(_, name)| name)
}

/// Names of the policies that the store remembers, for replicas that hold none themselves.
pub async fn names(store: &Store) -> Result<Vec<String>, StoreError> {
    let rows = store.states_under(POLICY).await?;
    let name = |key: &str| Some(name_of(key.strip_prefix(POLICY)?)?.to_owned());
    Ok(rows.iter().filter_map(|(key, _)| name(key)).collect())
}

/// One policy as it is kept. At the edge of calm it begins and ends with each decision: it is kept once
/// it lasted, and until then forgotten with the process.
pub(super) fn policy(policy: &ScalePolicy, state: &State, now: Ts) -> Option<StatePut> {
    let lasts = |since: &Ts| now.since(*since) >= policy.windows.long;
    let state = State { calm_since: state.calm_since.filter(lasts), ..state.clone() };
    put(&id(policy), PolicyRow { state, target: policy.target.clone() })
}

/// The same of one that may be defined no more.
pub(super) fn kept(id: &str, kept: &Kept) -> Option<StatePut> {
    put(id, PolicyRow { state: kept.state.clone(), target: kept.target.clone() })
}

fn put(id: &str, row: PolicyRow) -> Option<StatePut> {
    Some(StatePut { key: key(id), body: serde_json::to_string(&row).ok()? })
}

/// What all policies share, as it is kept.
pub(super) fn all(fleet: &Fleet, stopped: Option<&String>) -> Option<StatePut> {
    let row = AllRow { fleet: fleet.clone(), stopped: stopped.cloned() };
    Some(StatePut { key: ALL.to_owned(), body: serde_json::to_string(&row).ok()? })
}

/// Whether a state under one of these keys is one that this version can read.
pub(crate) fn is_readable(key: &str, body: &str) -> bool {
    match key.strip_prefix(POLICY) {
        Some(_) => serde_json::from_str::<PolicyRow>(body).is_ok(),
        None => key == ALL && serde_json::from_str::<AllRow>(body).is_ok(),
    }
}

/// What stops all scaling, of a store with these states; who stopped it before still does.
pub(in crate::service) fn stop(states: &[(String, String)], by: &str) -> Option<StatePut> {
    let before = states.iter().find(|(key, _)| key == ALL);
    let before: AllRow = before.and_then(|(_, body)| serde_json::from_str(body).ok()).unwrap_or_default();
    all(&before.fleet, Some(&before.stopped.unwrap_or_else(|| by.to_owned())))
}

/// The key of a policy's state.
pub(super) fn key(id: &str) -> String {
    format!("{POLICY}{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::testing::Service;
    use crate::store::Decisions;

    async fn stopped(body: &str) -> Option<String> {
        let service = Service::start().await;
        let put = StatePut { key: ALL.to_owned(), body: body.to_owned() };
        let decided = Decisions { states: vec![put], ..Decisions::default() };
        service.shared.store.commit(service.shared.epoch().unwrap(), &decided).await.unwrap();
        restore(&service.shared).await.unwrap();
        let scaling = service.shared.scaling.read();
        scaling.stopped.clone()
    }

    #[tokio::test]
    async fn the_kill_switch_outlives_a_restart_and_what_cannot_be_read_is_stopped() {
        let put = all(&Fleet::default(), Some(&"somebody".to_owned())).unwrap();
        assert_eq!(stopped(&put.body).await.as_deref(), Some("somebody"));
        assert_eq!(stopped("{}").await, None);
        assert!(stopped("{\"stopped\": 3}").await.is_some());
    }
}
