//! What the instances of a cluster answered, and what it means for the whole.

use super::alert::AmAlert;
use crate::http::excerpt;
use crate::notify::outcome::{Outcome, Reason};
use crate::slo::model::Labels;
use crate::slo::time::Ts;

/// What became of one post, per instance.
#[derive(Clone, PartialEq, Debug)]
pub struct PostReport {
    /// In the order of the settings.
    pub addresses: Vec<AddressReport>,
}

/// One instance's answer.
#[derive(Clone, PartialEq, Debug)]
pub struct AddressReport {
    /// Scheme, host and port.
    pub address: String,
    /// Delivered when it holds all alerts but the refused ones.
    pub outcome: Outcome,
    /// Its clock, where it answered.
    pub date: Option<Ts>,
    /// Alerts it will never take as they are.
    pub refused: Vec<Refused>,
}

/// An alert that was refused alone.
#[derive(Clone, PartialEq, Debug)]
pub struct Refused {
    /// Which.
    pub labels: Labels,
    /// What Alertmanager said.
    pub error: String,
}

impl Refused {
    pub(super) fn new(alert: &AmAlert, body: &[u8]) -> Self {
        Self { labels: alert.labels.clone(), error: excerpt(body) }
    }
}

impl PostReport {
    /// The latest of the instances' clocks.
    pub fn date(&self) -> Option<Ts> {
        self.addresses.iter().filter_map(|address| address.date).max()
    }

    /// Alerts that nobody took: every instance that took the others refused them.
    pub fn refused(&self) -> impl Iterator<Item = &Refused> {
        let mut taking = self.addresses.iter().filter(|address| address.outcome.is_delivered());
        let first = taking.next();
        let rest: Vec<&AddressReport> = taking.collect();
        let everywhere = move |one: &&Refused| {
            rest.iter().all(|address| address.refused.iter().any(|other| other.labels == one.labels))
        };
        first.into_iter().flat_map(|address| &address.refused).filter(everywhere)
    }

    /// For the cluster: delivered when at least one instance took it (they gossip what they tell
    /// people), with what the others said as its note; else worth a retry if it is for any of them.
    pub fn outcome(&self) -> Outcome {
        let notes = || {
            let said: Vec<_> = self.addresses.iter().filter_map(|a| said(&a.outcome)).collect();
            (!said.is_empty()).then(|| said.join("; "))
        };
        if self.addresses.iter().any(|a| a.outcome.is_delivered()) {
            return Outcome::Delivered { note: notes() };
        }
        let error = notes().unwrap_or_else(|| "no address to tell".into());
        let worth = self.addresses.iter().find_map(|a| match &a.outcome {
            Outcome::Retry { after, reason, .. } => Some((*after, *reason)),
            _ => None,
        });
        match worth {
            Some((after, reason)) => Outcome::Retry { after, reason, error },
            None => {
                let first = self.addresses.iter().find_map(|a| a.outcome.failure());
                Outcome::Permanent { reason: first.map_or(Reason::ClientError, |(reason, _)| reason), error }
            }
        }
    }
}

fn said(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Delivered { note } => note.as_deref(),
        Outcome::Retry { error, .. } | Outcome::Permanent { error, .. } => Some(error),
    }
}

/// The outcome at an instance that answered every request.
pub(super) fn with_refusals(address: &str, told: usize, refused: &[Refused]) -> Outcome {
    let Some(first) = refused.first() else { return Outcome::DELIVERED };
    let error =
        format!("{address} refused {} of {told} alerts, the first with: {}", refused.len(), first.error);
    if refused.len() == told {
        return Outcome::permanent(Reason::ClientError, error);
    }
    Outcome::Delivered { note: Some(error) }
}
