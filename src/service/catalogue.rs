//! Which definitions are in force: each document's newest good version, whatever became of its file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::digest::Digest;
use crate::slo::model::Slo;
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
}

/// Documents in force, by kind, service and name.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Catalogue(pub BTreeMap<String, Accepted>);

/// What a reload would make of a catalogue.
#[derive(Debug)]
pub(super) struct Reload {
    /// The documents that would be in force.
    pub next: Catalogue,
    /// Keys of documents that are new or have another text.
    pub changed: Vec<String>,
    /// Keys of documents that go away.
    pub removed: Vec<String>,
    /// SLOs that would go away and wait for somebody to say so; their documents stay in `next`.
    pub waiting: Vec<String>,
}

impl Catalogue {
    /// SLOs in force, in the order of their documents.
    pub(super) fn slos(&self) -> Vec<Arc<Slo>> {
        self.0.values().flat_map(|accepted| accepted.slos.iter().map(Arc::clone)).collect()
    }

    /// A hash of everything in force.
    pub(super) fn hash(&self) -> String {
        let parts: Vec<&str> =
            self.0.iter().flat_map(|(key, accepted)| [key.as_str(), accepted.text.as_str()]).collect();
        Digest::of(&parts).hex()
    }

    /// What follows from files as loaded now.
    ///
    /// A document with a problem keeps its last good version; a file that is broken as a whole, or
    /// that cannot be read (`unread`), keeps all of its own. What is in no file any more goes, unless
    /// that is more than `max(3, 10 %)` of the SLOs or one that fires: then it waits until `accept`.
    pub(super) fn reload(
        &self,
        loaded: &Loaded,
        unread: &[String],
        fires: impl Fn(&str) -> bool,
        accept: bool,
    ) -> Reload {
        let mut next = BTreeMap::new();
        let mut broken_files: BTreeSet<&str> = unread.iter().map(String::as_str).collect();
        let mut kept = BTreeSet::new();
        for document in &loaded.documents {
            let key = document.id.as_ref().map(ToString::to_string);
            match (key, &document.slos) {
                (Some(key), Some(slos)) => drop(next.entry(key).or_insert_with(|| accepted(document, slos))),
                (Some(key), None) if self.0.contains_key(&key) => drop(kept.insert(key)),
                // Broken, and not known by this name: it may be one of the file's under a broken name.
                (Some(_), None) => drop(broken_files.insert(document.place.file.as_str())),
                (None, _) => drop(broken_files.insert(document.place.file.as_str())),
            }
        }
        let of_broken_file = |file: &str| {
            broken_files.iter().any(|broken| file == *broken || file.starts_with(&format!("{broken}/")))
        };
        let mut gone = Vec::new();
        for (key, old) in &self.0 {
            if next.contains_key(key) {
                continue;
            }
            if kept.contains(key) || of_broken_file(&old.file) {
                next.insert(key.clone(), old.clone());
            } else {
                gone.push((key.clone(), old.clone()));
            }
        }
        let waiting = if accept { Vec::new() } else { self.must_wait(&gone, fires) };
        let mut removed = Vec::new();
        for (key, old) in gone {
            if waiting.is_empty() {
                removed.push(key);
            } else {
                next.insert(key, old);
            }
        }
        let changed =
            next.iter().filter(|(key, new)| self.0.get(*key).map(|old| &old.text) != Some(&new.text));
        let changed = changed.map(|(key, _)| key.clone()).collect();
        Reload { next: Self(next), changed, removed, waiting }
    }

    /// The SLOs of documents that may not go unasked.
    fn must_wait(&self, gone: &[(String, Accepted)], fires: impl Fn(&str) -> bool) -> Vec<String> {
        let slos: Vec<String> =
            gone.iter().flat_map(|(_, old)| old.slos.iter().map(|slo| slo.id.to_string())).collect();
        let all = self.0.values().map(|accepted| accepted.slos.len()).sum::<usize>();
        let many = slos.len() > 3.max(all / 10);
        if many || slos.iter().any(|slo| fires(slo)) { slos } else { Vec::new() }
    }
}

fn accepted(document: &Document, slos: &[Slo]) -> Accepted {
    Accepted {
        text: document.text.clone(),
        file: document.place.file.clone(),
        slos: slos.iter().cloned().map(Arc::new).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::time::Step;
    use crate::slo::{Context, SourceFile, load};

    fn document(name: &str, objective: &str) -> String {
        format!(
            "apiVersion: damper.dev/v1\nkind: ServiceLevelObjective\nmetadata: {{name: {name}}}\nspec:\n  service: shop\n  objective: {objective}\n  sli:\n    events:\n      bad: r_total{{job=\"shop\",code=~\"5..\"}}\n      total: r_total{{job=\"shop\"}}\n"
        )
    }

    fn loaded(files: &[(&str, String)]) -> Loaded {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| SourceFile { path: (*path).into(), text: text.clone() })
            .collect();
        load(&files, &Context { step: Step::DEFAULT, sources: vec![] })
    }

    fn names(reload: &Reload) -> Vec<String> {
        reload.next.slos().iter().map(|slo| slo.id.name.clone()).collect()
    }

    fn start(files: &[(&str, String)]) -> Catalogue {
        Catalogue::default().reload(&loaded(files), &[], |_| false, false).next
    }

    #[test]
    fn a_bad_edit_keeps_the_last_good_version_of_its_document_alone() {
        let before = start(&[("a.yaml", document("one", "99.9")), ("b.yaml", document("two", "99.9"))]);
        let files = [("a.yaml", document("one", "100")), ("b.yaml", document("two", "99"))];
        let reload = before.reload(&loaded(&files), &[], |_| false, false);
        assert_eq!(names(&reload), ["one", "two"]);
        assert_eq!(reload.changed.len(), 1);
        let objectives: Vec<String> = reload.next.slos().iter().map(|s| s.objective.to_string()).collect();
        assert_eq!(objectives, ["99.9%", "99%"]);
    }

    #[test]
    fn a_document_with_broken_syntax_keeps_what_its_file_held() {
        let both = format!("{}---\n{}", document("one", "99.9"), document("two", "99.9"));
        let before = start(&[("a.yaml", both.clone())]);
        let broken =
            both.replace("kind: ServiceLevelObjective\nmetadata: {name: two}", "kind: [\nmetadata: {name");
        let reload = before.reload(&loaded(&[("a.yaml", broken)]), &[], |_| false, false);
        assert_eq!(names(&reload), ["one", "two"]);
        assert!(reload.removed.is_empty() && reload.waiting.is_empty());
    }

    #[test]
    fn a_document_whose_name_or_service_is_broken_keeps_what_its_file_held() {
        let before = start(&[("a.yaml", document("one", "99.9"))]);
        for (from, to) in
            [("service: shop", "service: Shop!"), ("{name: one}", "{name: Ône}"), ("  service: shop\n", "")]
        {
            let broken = document("one", "99.9").replace(from, to);
            let reload = before.reload(&loaded(&[("a.yaml", broken)]), &[], |_| false, false);
            assert_eq!(names(&reload), ["one"], "{to}");
            assert!(reload.removed.is_empty());
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_gone() {
        let before = start(&[("slos/a.yaml", document("one", "99.9"))]);
        for unread in ["slos/a.yaml", "slos"] {
            let reload = before.reload(&loaded(&[]), &[unread.to_owned()], |_| false, false);
            assert_eq!(names(&reload), ["one"], "{unread}");
        }
    }

    #[test]
    fn removing_few_is_done_and_removing_many_or_a_firing_one_waits() {
        let all: Vec<(String, String)> =
            (0..20).map(|i| (format!("{i}.yaml"), document(&format!("s{i}"), "99.9"))).collect();
        let files: Vec<(&str, String)> = all.iter().map(|(p, t)| (p.as_str(), t.clone())).collect();
        let before = start(&files);
        let few = before.reload(&loaded(&files[3..]), &[], |_| false, false);
        assert_eq!((few.removed.len(), few.waiting.len()), (3, 0));
        let many = before.reload(&loaded(&files[4..]), &[], |_| false, false);
        assert_eq!((many.removed.len(), many.waiting.len(), names(&many).len()), (0, 4, 20));
        let accepted = before.reload(&loaded(&files[4..]), &[], |_| false, true);
        assert_eq!((accepted.removed.len(), accepted.waiting.len()), (4, 0));
        let firing = before.reload(&loaded(&files[1..]), &[], |slo| slo == "shop/s0", false);
        assert_eq!(firing.waiting, ["shop/s0"]);
    }

    #[test]
    fn of_two_documents_with_one_name_the_first_counts() {
        let before = start(&[("a.yaml", document("one", "99.9"))]);
        let files = [("a.yaml", document("one", "99")), ("b.yaml", document("one", "98"))];
        let reload = before.reload(&loaded(&files), &[], |_| false, false);
        assert_eq!(reload.next.slos()[0].objective.to_string(), "99%");
    }
}
