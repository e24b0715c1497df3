//! Which definitions are in force: each document's newest good version, whatever became of its file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::digest::Digest;
use crate::slo::format::POLICY_KIND;
use crate::slo::model::Slo;
use crate::slo::policy::{ScaleMode, ScalePolicy};
use crate::slo::{Document, Loaded};

/// One document in force.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Accepted {
    /// Its own text, to be loaded again at a restart.
    pub text: String,
    /// The file it came from.
    pub file: String,
    /// Its SLOs.
    pub slos: Vec<Arc<Slo>>,
    /// Its policies.
    pub policies: Vec<Arc<ScalePolicy>>,
}

impl Accepted {
    /// Whether it holds nothing: it does not fit any more since a restart with other settings or by
    /// another version. It is not asked for then, but nobody removed it: its alerts hold until
    /// somebody does.
    fn is_unfit(&self) -> bool {
        self.slos.is_empty() && self.policies.is_empty()
    }
}

/// Documents in force, by kind, service and name; policies by kind and name.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Catalogue(pub BTreeMap<String, Accepted>);

/// What the files hold now, beside what is in force.
#[derive(Debug)]
pub(super) struct Compared {
    /// What would be in force if SLOs and policies that are in no file any more went.
    next: BTreeMap<String, Accepted>,
    /// Documents in force with SLOs that are in no file any more, gone as a whole or with fewer
    /// objectives, and policies that are gone.
    losing: BTreeMap<String, Accepted>,
    /// Those SLOs and policies.
    gone: BTreeSet<String>,
    /// Whether a document that cannot be read is in a file that holds nothing in force: what is gone
    /// may have been moved there.
    may_be_moved: bool,
}

/// What becomes of SLOs and policies that are in no file any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Removal {
    /// They stay for now: a file may be in the middle of being written or moved.
    NotYet,
    /// They go, unless they are too many or one fires: then they wait.
    Guarded,
    /// They go: somebody said that it is meant.
    Accepted,
}

/// What a reload makes of a catalogue.
#[derive(Debug)]
pub(super) struct Reload {
    /// The documents that will be in force.
    pub next: Catalogue,
    /// Keys of documents that are new, have another text or are in another file.
    pub changed: Vec<String>,
    /// Keys of documents that go away.
    pub removed: Vec<String>,
    /// SLOs and policies that would go away and wait for somebody to say so; their documents stay in `next`.
    pub waiting: Vec<String>,
}

impl Catalogue {
    /// SLOs in force, in the order of their documents.
    pub(super) fn slos(&self) -> Vec<Arc<Slo>> {
        self.0.values().flat_map(|accepted| accepted.slos.iter().map(Arc::clone)).collect()
    }

    /// All policies; none of them does more than `most`.
    pub(super) fn policies(&self, most: ScaleMode) -> Vec<Arc<ScalePolicy>> {
        let all = self.0.values().flat_map(|accepted| &accepted.policies);
        let limited = |policy: &Arc<ScalePolicy>| match most {
            ScaleMode::Auto => Arc::clone(policy),
            ScaleMode::DryRun => Arc::new(ScalePolicy { mode: most, ..ScalePolicy::clone(policy) }),
        };
        all.map(limited).collect()
    }

    /// SLOs by id whose documents do not fit any more.
    pub(super) fn held(&self) -> Vec<String> {
        let unfit = self.0.iter().filter(|(key, accepted)| accepted.is_unfit() && !is_policy(key));
        unfit.map(|(key, _)| bare(key)).collect()
    }

    /// Scale policies by name whose documents do not fit any more.
    pub(super) fn held_policies(&self) -> Vec<String> {
        let unfit = self.0.iter().filter(|(key, accepted)| accepted.is_unfit() && is_policy(key));
        unfit.filter_map(|(key, _)| Some(key.split_once(' ')?.1.to_owned())).collect()
    }

    /// A hash of everything in force.
    pub(super) fn hash(&self) -> String {
        let parts: Vec<&str> =
            self.0.iter().flat_map(|(key, accepted)| [key.as_str(), accepted.text.as_str()]).collect();
        Digest::of(&parts).hex()
    }

    /// Whether something of this file or folder is in force.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.0.values().any(|accepted| is_of(&accepted.file, path))
    }

    /// Lays files as loaded now beside what is in force.
    ///
    /// A document with a problem keeps its last good version; a file that is broken as a whole, or
    /// that cannot be read (`unread`), keeps all of its own.
    pub(super) fn compare(&self, loaded: &Loaded, unread: &[String]) -> Compared {
        let mut next = BTreeMap::new();
        let mut kept = BTreeSet::new();
        let mut broken = BTreeSet::new();
        for document in &loaded.documents {
            let key = document.id.as_ref().map(ToString::to_string);
            match (key, &document.slos) {
                (Some(key), Some(slos)) => {
                    next.entry(key).or_insert_with(|| accepted(document, slos));
                }
                (Some(key), None) if self.0.contains_key(&key) => drop(kept.insert(key)),
                // Broken, and not known by this name: it may be one of the file's under a broken name.
                _ => drop(broken.insert(document.place.file.as_str())),
            }
        }
        let may_be_moved = broken.iter().any(|file| !self.holds(file));
        broken.extend(unread.iter().map(String::as_str));
        for (key, old) in &self.0 {
            // Of what does not fit any more there is no good version to keep.
            if old.is_unfit() {
                continue;
            }
            if kept.contains(key) || broken.iter().any(|path| is_of(&old.file, path)) {
                next.entry(key.clone()).or_insert_with(|| old.clone());
            }
        }
        let stays: BTreeSet<String> = next.values().flat_map(ids).collect();
        let loses = |key: &String, old: &Accepted| match old.is_unfit() {
            true => !next.contains_key(key),
            false => ids(old).any(|id| !stays.contains(&id)),
        };
        let losing: BTreeMap<String, Accepted> = self
            .0
            .iter()
            .filter(|(key, old)| loses(key, old))
            .map(|(k, old)| (k.clone(), old.clone()))
            .collect();
        let held = losing.iter().filter(|(_, old)| old.is_unfit()).map(|(key, _)| bare(key));
        let gone = losing.values().flat_map(ids).filter(|id| !stays.contains(id)).chain(held).collect();
        Compared { next, losing, gone, may_be_moved }
    }

    /// What follows from files that were compared with this catalogue.
    pub(super) fn reload(
        &self,
        compared: Compared,
        removal: Removal,
        fires: impl Fn(&str) -> bool,
    ) -> Reload {
        let waits = removal == Removal::Guarded && self.must_wait(&compared, fires);
        let Compared { mut next, losing, gone, .. } = compared;
        let mut removed = Vec::new();
        if waits || removal == Removal::NotYet {
            next.extend(losing);
        } else {
            removed.extend(losing.into_keys().filter(|key| !next.contains_key(key)));
        }
        let waiting = if waits { gone.into_iter().collect() } else { Vec::new() };
        let is_known = |key: &String, new: &Accepted| {
            self.0.get(key).is_some_and(|old| old.text == new.text && old.file == new.file)
        };
        let changed = next.iter().filter(|(key, new)| !is_known(key, new)).map(|(key, _)| key.clone());
        Reload { changed: changed.collect(), next: Self(next), removed, waiting }
    }

    /// Whether what is gone may not go unasked: more than `max(3, 10 %)` of the SLOs and policies, one
    /// that fires, what may have been moved to where it cannot be read, or what does not fit any more.
    fn must_wait(&self, compared: &Compared, fires: impl Fn(&str) -> bool) -> bool {
        let all = self.0.values().map(|accepted| ids(accepted).count()).sum::<usize>();
        let gone = &compared.gone;
        gone.len() > 3.max(all / 10)
            || (compared.may_be_moved && !gone.is_empty())
            || compared.losing.values().any(Accepted::is_unfit)
            || gone.iter().any(|slo| fires(slo))
    }
}

impl Compared {
    /// SLOs and policies in force that are in no file any more.
    pub(super) fn gone(&self) -> &BTreeSet<String> {
        &self.gone
    }
}

/// Its SLOs as `service/name`, its policies as `ScalePolicy name`.
fn ids(accepted: &Accepted) -> impl Iterator<Item = String> {
    let slos = accepted.slos.iter().map(|slo| slo.id.to_string());
    slos.chain(accepted.policies.iter().map(|policy| format!("{POLICY_KIND} {}", policy.name)))
}

/// What the ids of a document's SLOs begin with: its key without the kind. A policy's key is its id.
fn bare(key: &str) -> String {
    match key.split_once(' ') {
        Some((_, bare)) if !is_policy(key) => bare.to_owned(),
        _ => key.to_owned(),
    }
}

fn is_policy(key: &str) -> bool {
    key.split_once(' ').is_some_and(|(kind, _)| kind == POLICY_KIND)
}

/// Whether a file is this one, or in or below this folder.
fn is_of(file: &str, path: &str) -> bool {
    let rest = file.strip_prefix(path.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn accepted(document: &Document, slos: &[Slo]) -> Accepted {
    Accepted {
        text: document.text.clone(),
        file: document.place.file.clone(),
        slos: slos.iter().cloned().map(Arc::new).collect(),
        policies: document.policies.iter().cloned().map(Arc::new).collect(),
    }
}

#[cfg(test)]
mod tests;
