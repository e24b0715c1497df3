//! What only all documents together can tell: of composites and policies, whether there are such SLOs
//! and groups, and whether they fit.

use std::collections::{BTreeSet, HashMap};

use super::policy;
use crate::slo::composite::{misfit, shortest_window};
use crate::slo::format::POLICY_KIND;
use crate::slo::load::Read;
use crate::slo::model::{Slo, SloId};
use crate::slo::nearest::nearest;
use crate::slo::problem::At;

/// Unknown SLOs whose nearest name is looked for at most, since that takes long among many.
const MAX_SEARCHES: usize = 50;

/// A problem, where it is, and of which document.
pub(super) struct Told {
    pub(super) document: usize,
    pub(super) at: At,
    pub(super) what: String,
    pub(super) hint: Option<String>,
}

/// Judges composites, and then policies, beside all documents, and refuses those that do not fit.
pub(in crate::slo) fn check_set(read: &mut [Read]) {
    let told = wrong_parts(read);
    refuse(read, told);
    let told = policy::misfits_of(read);
    refuse(read, told);
}

fn refuse(read: &mut [Read], told: Vec<Told>) {
    for told in told {
        if let Some(read) = read.get_mut(told.document) {
            read.document.refuse(told.at, told.what, told.hint);
        }
    }
}

/// Parts of composites that are nowhere, or that cannot be one.
fn wrong_parts(read: &[Read]) -> Vec<Told> {
    let mut known = Known::of(read);
    let mut told = Vec::new();
    for (document, Read { document: own, parts, .. }) in read.iter().enumerate() {
        let shortest = own.slos.iter().flatten().next().and_then(shortest_window);
        for (part, at) in parts {
            let is_own =
                own.id.as_ref().is_some_and(|id| id.service == part.slo.service && id.name == part.slo.name);
            if is_own {
                let what = format!("`{}` cannot be made of itself", part.slo);
                told.push(Told { document, at: *at, what, hint: Some("name other SLOs".to_owned()) });
                continue;
            }
            match known.slo(&part.slo) {
                Some(slo) => told.extend(misfit(part, slo, shortest).map(|(what, hint)| Told {
                    document,
                    at: *at,
                    what,
                    hint: Some(hint),
                })),
                None if known.is_broken(&part.slo) => {}
                None => told.push(known.missing(document, *at, &part.slo)),
            }
        }
    }
    told
}

/// The SLOs of all documents.
pub(super) struct Known<'r> {
    slos: HashMap<&'r SloId, &'r Slo>,
    /// Service and name of documents with errors. Their SLOs are not judged: what was in force of
    /// them may go on, and a policy is not to blame.
    broken: BTreeSet<(&'r str, &'r str)>,
    /// How many more nearest names are looked for.
    searches: usize,
}

impl<'r> Known<'r> {
    pub(super) fn of(read: &'r [Read]) -> Self {
        let documents = || read.iter().map(|read| &read.document);
        let broken = documents().filter(|document| document.slos.is_none());
        let broken = broken.filter_map(|document| document.id.as_ref());
        Self {
            slos: documents().flat_map(|d| d.slos.iter().flatten()).map(|slo| (&slo.id, slo)).collect(),
            broken: broken
                .filter(|id| id.kind != POLICY_KIND)
                .map(|id| (id.service.as_str(), id.name.as_str()))
                .collect(),
            searches: MAX_SEARCHES,
        }
    }

    /// The SLO of this id, where its document is good.
    pub(super) fn slo(&self, id: &SloId) -> Option<&'r Slo> {
        self.slos.get(id).copied()
    }

    /// That no document has such an SLO.
    pub(super) fn missing(&mut self, document: usize, at: At, id: &SloId) -> Told {
        let near = if self.searches > 0 { self.nearest(id) } else { None };
        self.searches = self.searches.saturating_sub(1);
        let hint = near.map_or_else(
            || {
                "write service/name of one that is (give `damper check` all files together); where it was \
                 removed or renamed, change this too"
                    .to_owned()
            },
            |near| format!("did you mean `{near}`?"),
        );
        Told { document, at, what: format!("`{id}` is no SLO of these definitions"), hint: Some(hint) }
    }

    /// Whether a document with errors may be this SLO's: of its name, or of the part before a
    /// latency bound, `latency.300ms`.
    pub(super) fn is_broken(&self, slo: &SloId) -> bool {
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
