//! What only all documents together can tell of policies: whether there are such SLOs and groups,
//! whether their burning can reach the rates, and whose a target is.

use std::collections::{BTreeSet, HashMap};

use super::Draft;
use crate::slo::fit::{About, misfits};
use crate::slo::format::POLICY_KIND;
use crate::slo::load::{Document, Read};
use crate::slo::model::{Slo, SloId};
use crate::slo::nearest::nearest;
use crate::slo::problem::At;

/// Unknown SLOs whose nearest name is looked for at most, since that takes long among many.
const MAX_SEARCHES: usize = 50;

/// A problem, where it is, and of which document.
struct Told {
    document: usize,
    at: At,
    what: String,
    hint: Option<String>,
}

/// Judges policies beside all documents, and refuses those that do not fit.
pub(in crate::slo) fn check_set(read: &mut [Read]) {
    let mut told = shared_targets(read);
    told.extend(wrong_slos(read));
    for told in told {
        if let Some(read) = read.get_mut(told.document) {
            read.document.refuse(told.at, told.what, told.hint);
        }
    }
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
    let known = Known::of(read);
    let mut searches = MAX_SEARCHES;
    let mut told = Vec::new();
    for (document, _, draft) in drafts(read) {
        let asks = &draft.asks;
        let found: Vec<Option<&Slo>> =
            asks.slos.iter().map(|watched| known.slos.get(&watched.slo).copied()).collect();
        let marks = &draft.marks;
        let at = |marks: &[At], i: usize| marks.get(i).copied().unwrap_or_default();
        for ((i, watched), found) in asks.slos.iter().enumerate().zip(&found) {
            if found.is_some() || known.is_broken(&watched.slo) {
                continue;
            }
            let near = if searches > 0 { known.nearest(&watched.slo) } else { None };
            searches = searches.saturating_sub(1);
            let hint = near.map_or_else(
                || "write service/name of an SLO, and check its file together with this one".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            let what = format!("`{}` is no SLO of these definitions", watched.slo);
            told.push(Told { document, at: at(&marks.slos, i), what, hint: Some(hint) });
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

/// The SLOs of all documents.
struct Known<'r> {
    slos: HashMap<&'r SloId, &'r Slo>,
    /// Service and name of documents with errors. Their SLOs are not judged: what was in force of
    /// them may go on, and a policy is not to blame.
    broken: BTreeSet<(&'r str, &'r str)>,
}

impl<'r> Known<'r> {
    fn of(read: &'r [Read]) -> Self {
        let documents = || read.iter().map(|read| &read.document);
        let broken = documents().filter(|document| document.slos.is_none());
        let broken = broken.filter_map(|document| document.id.as_ref());
        Self {
            slos: documents().flat_map(|d| d.slos.iter().flatten()).map(|slo| (&slo.id, slo)).collect(),
            broken: broken
                .filter(|id| id.kind != POLICY_KIND)
                .map(|id| (id.service.as_str(), id.name.as_str()))
                .collect(),
        }
    }

    /// Whether a document with errors may be this SLO's: of its name, or of the part before a
    /// latency bound, `latency.300ms`.
    fn is_broken(&self, slo: &SloId) -> bool {
        let dots = slo.name.match_indices('.').filter_map(|(dot, _)| slo.name.get(..dot));
        dots.chain([slo.name.as_str()]).any(|name| self.broken.contains(&(slo.service.as_str(), name)))
    }

    fn nearest(&self, slo: &SloId) -> Option<String> {
        let word = slo.to_string();
        let ids: Vec<String> = self.slos.keys().map(ToString::to_string).collect();
        let mut near: Vec<&str> =
            ids.iter().map(String::as_str).filter(|id| id.len().abs_diff(word.len()) <= 2).collect();
        near.sort_unstable();
        nearest(&word, &near).map(str::to_owned)
    }
}
