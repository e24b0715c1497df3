//! What only all documents together can tell of policies: whether there are such SLOs and groups,
//! whether their burning can reach the rates, and whose a target is.

use std::collections::HashMap;

use super::Draft;
use crate::slo::check::set::{Known, Told};
use crate::slo::fit::{About, misfits};
use crate::slo::load::{Document, Read};
use crate::slo::model::Slo;
use crate::slo::problem::At;

/// What does not fit of policies beside all documents.
pub(in crate::slo::check) fn misfits_of(read: &[Read]) -> Vec<Told> {
    let mut told = shared_targets(read);
    told.extend(wrong_slos(read));
    told
}

fn drafts(read: &[Read]) -> impl Iterator<Item = (usize, &Document, &Draft)> {
    read.iter().enumerate().filter_map(|(i, read)| Some((i, &read.document, read.draft.as_ref()?)))
}

/// Two policies on one target. Both are refused: whichever came first in the files, the one that
/// was in force stays so, and none of them takes the other's place by the name of its file.
fn shared_targets(read: &[Read]) -> Vec<Told> {
    let mut owners: HashMap<[&str; 4], Vec<(usize, &Document, &Draft)>> = HashMap::new();
    for (i, document, draft) in drafts(read) {
        for policy in &document.policies {
            owners.entry(policy.target.workload()).or_default().push((i, document, draft));
        }
    }
    let mut told = Vec::new();
    for sharing in owners.values().filter(|sharing| sharing.len() > 1) {
        for (i, _, draft) in sharing {
            let Some((_, other, _)) = sharing.iter().find(|(other, ..)| other != i) else { continue };
            let name = other.policies.first().map_or_else(String::new, |policy| policy.name.clone());
            let place = format!("{}:{}", other.place.file, other.place.line);
            told.push(Told {
                document: *i,
                at: draft.marks.target,
                what: format!("policy {name} at {place} scales this target too"),
                hint: Some(
                    "write one policy for it, with the SLOs of both; until then neither is taken".into(),
                ),
            });
        }
    }
    told
}

fn wrong_slos(read: &[Read]) -> Vec<Told> {
    let mut known = Known::of(read);
    let mut told = Vec::new();
    for (document, _, draft) in drafts(read) {
        let asks = &draft.asks;
        let found: Vec<Option<&Slo>> = asks.slos.iter().map(|watched| known.slo(&watched.slo)).collect();
        let marks = &draft.marks;
        let at = |marks: &[At], i: usize| marks.get(i).copied().unwrap_or_default();
        for ((i, watched), found) in asks.slos.iter().enumerate().zip(&found) {
            if found.is_some() || known.is_broken(&watched.slo) {
                continue;
            }
            told.push(known.missing(document, at(&marks.slos, i), &watched.slo));
        }
        told.extend(misfits(asks, &found).into_iter().map(|misfit| Told {
            document,
            at: match misfit.about {
                About::Slo(i) => at(&marks.slos, i),
                About::Rate(i) => at(&marks.rates, i),
                About::Evidence => marks.evidence,
            },
            what: misfit.what,
            hint: Some(misfit.hint),
        }));
    }
    told
}
