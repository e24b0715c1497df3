//! `damper check` with `--prometheus` or `--config`: what only the live server can tell about definitions.
//!
//! | file      | asks                                                              |
//! |-----------|-------------------------------------------------------------------|
//! | `ask`     | instant queries, each once, within a time                         |
//! | `select`  | why a selector matches nothing                                    |
//! | `events`  | bad and total: does each selector match anything                  |
//! | `parts`   | is bad a part of total, does anything count twice                 |
//! | `latency` | bounds of histograms, classic and native mixed up                 |
//! | `groups`  | labels of `groupBy`, how many groups                              |
//! | `named`   | groups that composites and policies name                          |
//! | `pace`    | how often is scraped, do counters fall                            |
//! | `other`   | time slices, ratios, `alive`                                      |
//! | `policy`  | saturation and vetoes of scale policies, and their windows        |
//!
//! Everything is asked by instant queries, so any server that speaks PromQL will do.

mod ask;
mod events;
mod groups;
mod latency;
mod named;
mod other;
mod pace;
mod parts;
mod policy;
mod select;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::time::Instant;

use super::Checked;
use super::place::Findings;
use super::policies;
use crate::prometheus::Client;
use crate::service::clock;
use crate::slo::Document;
use crate::slo::model::{Sli, Slo, SloId};
use crate::slo::policy::ScalePolicy;
use crate::slo::problem::Problem;
use crate::slo::time::Step;
use ask::{Server, Trouble};

/// All questions together may take this long.
const LIMIT: Duration = Duration::from_mins(10);
/// SLOs asked about at a time. Each asks one question after the other.
const AT_ONCE: usize = 4;
/// Names in one line.
pub(super) const LISTED: usize = 10;

/// What the live server said.
#[derive(Debug, Default)]
pub struct Live {
    /// What was found of each SLO, by its id.
    pub slos: BTreeMap<String, Found>,
    /// What the queries of each policy gave, by its name.
    pub policies: BTreeMap<String, Asked>,
    /// Why the rest was not asked; the files themselves were checked.
    pub gave_up: Option<String>,
}

/// What exists for one SLO.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Series that `total`, or the query, selects.
    pub series: u64,
    /// Groups, where the SLO is grouped.
    pub groups: Option<u64>,
    /// Seconds between scrapes, as measured.
    pub scrape_seconds: Option<i64>,
}

/// What the queries of a scale policy give now; `None` where they give no single number.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// How full the workload is.
    pub saturation: Option<f64>,
    /// What may forbid adding, in the policy's order.
    pub unless: Vec<Option<f64>>,
}

/// What became of one SLO's questions.
struct Outcome {
    id: String,
    found: Found,
    problems: Vec<Problem>,
    down: Option<String>,
}

/// Asks about every good SLO; problems are added to `checked`, `told` hears of progress.
///
/// An SLO is asked about at the source that it names; where there is none of that name, or it names
/// none, at the first.
pub async fn ask(
    checked: &mut Checked,
    clients: Vec<Client>,
    step: Step,
    told: &mut dyn FnMut(usize, usize),
) {
    let (now, end) = (clock::now(), Instant::now() + LIMIT);
    let servers: Vec<Server> = clients.into_iter().map(|client| Server::new(client, now, end)).collect();
    let server_of = |slo: &Slo| {
        let named = servers.iter().find(|server| slo.source.as_deref() == Some(server.name()));
        named.or(servers.first())
    };
    let is_asked = |server: &&Server| {
        checked.loaded.slos().any(|slo| server_of(slo).is_some_and(|own| std::ptr::eq(own, *server)))
    };
    let mut live = Live::default();
    for server in servers.iter().filter(is_asked) {
        if live.gave_up.is_none() {
            live.gave_up = server.greet().await.err();
        }
    }
    let slos: Vec<(&Document, &Slo)> =
        checked.loaded.documents.iter().flat_map(|d| d.slos.iter().flatten().map(move |s| (d, s))).collect();
    // Of a composite nothing is asked but whether its parts have the groups that it names.
    let (composites, slos): (Vec<_>, Vec<_>) =
        slos.into_iter().partition(|(_, slo)| matches!(slo.sli, Sli::Composite(_)));
    let all = slos.len();
    let mut problems = Vec::new();
    if live.gave_up.is_none() {
        let asked =
            slos.into_iter().filter_map(|(document, slo)| Some(one(server_of(slo)?, document, slo, step)));
        let mut outcomes = futures_util::stream::iter(asked).buffered(AT_ONCE);
        while let Some(outcome) = outcomes.next().await {
            live.slos.insert(outcome.id, outcome.found);
            problems.extend(outcome.problems);
            told(live.slos.len(), all);
            if let Some(why) = outcome.down {
                live.gave_up = Some(format!("{why}; {} of {all} SLOs were asked about", live.slos.len() - 1));
                break;
            }
        }
    }
    let find = |id: &SloId| {
        let slo = checked.loaded.slos().find(|slo| slo.id == *id)?;
        Some((server_of(slo)?, slo))
    };
    for (document, slo) in composites {
        let Sli::Composite(composite) = &slo.sli else { continue };
        if live.gave_up.is_none() {
            let mut findings = Findings::about(document, &slo.id.to_string());
            let parts = composite.of.iter().map(|part| (&part.slo, part.group.as_ref()));
            let asked = named::check(parts, &["sli", "composite", "of"], &find, &mut findings).await;
            problems.extend(findings.finish());
            live.gave_up = asked.err().map(|why| format!("{why}; not all composites were asked about"));
        }
    }
    if live.gave_up.is_none() {
        let source = |policy: &ScalePolicy| {
            let own = |slo: &&Slo| policy.slos.iter().any(|watched| watched.slo == slo.id);
            checked.loaded.slos().find(own).and_then(server_of)
        };
        for (document, policy) in policies(&checked.loaded) {
            let Some(server) = source(policy) else { continue };
            let mut findings = Findings::about(document, &policy.name);
            let watched = policy.slos.iter().map(|watched| (&watched.slo, watched.group.as_ref()));
            let asked = match named::check(watched, &["slos"], &find, &mut findings).await {
                Ok(()) => policy::check(server, policy, &live.slos, &mut findings).await,
                Err(why) => Err(why),
            };
            problems.extend(findings.finish());
            match asked {
                Ok(asked) => drop(live.policies.insert(policy.name.clone(), asked)),
                Err(why) => {
                    live.gave_up = Some(format!("{why}; not all policies were asked about"));
                    break;
                }
            }
        }
    }
    checked.more.extend(problems);
    checked.live = Some(live);
}

async fn one(server: &Server, document: &Document, slo: &Slo, step: Step) -> Outcome {
    let mut findings = Findings::about(document, &slo.id.to_string());
    let mut found = Found::default();
    let asked = match &slo.sli {
        Sli::Counted { bad, total } => {
            events::check(server, slo, (bad, total), step, &mut found, &mut findings).await
        }
        Sli::Timeslice(timeslice) => {
            other::timeslice(server, slo, timeslice, &mut found, &mut findings).await
        }
        Sli::Direct { error_ratio } => {
            other::direct(server, slo, error_ratio, &mut found, &mut findings).await
        }
        // Nothing is asked for it.
        Sli::Composite(_) => Ok(()),
    };
    let asked = match (asked, &slo.alive) {
        (Ok(()), Some(alive)) => other::alive(server, alive, &mut findings).await,
        (asked, _) => asked,
    };
    let down = match asked {
        Ok(()) => None,
        Err(Trouble::Down(why)) => Some(why),
        Err(Trouble::Query(why)) => {
            findings.error(&["sli"], format!("{}: the server refuses what was asked: {why}", slo.id), None);
            None
        }
    };
    Outcome { id: slo.id.to_string(), found, problems: findings.finish(), down }
}
