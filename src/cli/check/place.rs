//! Where in the file a finding belongs: the field that is nearest to what was asked about.

use crate::slo::Document;
use crate::slo::problem::{At, Problem, Report};
use crate::slo::yaml::{self, Chunk, Node, Value};

/// What was found about one SLO or policy.
pub(in crate::cli::check) struct Findings {
    id: String,
    report: Report,
    root: Option<Node>,
    /// Lines before the document's first in the file.
    before: usize,
}

impl Findings {
    /// Nothing yet about the SLO or policy of this name.
    pub(in crate::cli::check) fn about(document: &Document, id: &str) -> Self {
        let root = yaml::parse(Chunk { line: 1, text: &document.text }).ok().flatten();
        let first = root.as_ref().map_or(1, |root| root.at.line);
        Self {
            id: id.to_owned(),
            report: Report::about(&document.place.file),
            root,
            before: document.place.line.saturating_sub(first),
        }
    }

    /// What cannot work. `path` begins below `spec`; of a field that is not written, its parent is shown.
    pub(in crate::cli::check) fn error(&mut self, path: &[&str], what: String, hint: Option<String>) {
        let at = self.at(path);
        self.report.error(at, what, hint);
    }

    /// What is worth knowing.
    pub(in crate::cli::check) fn notice(&mut self, path: &[&str], what: String, hint: Option<String>) {
        let at = self.at(path);
        self.report.notice(at, what, hint);
    }

    /// All problems, in the order of the file.
    pub(in crate::cli::check) fn finish(self) -> Vec<Problem> {
        self.report.finish()
    }

    /// Whether anything cannot work.
    pub(in crate::cli::check) fn has_errors(&self) -> bool {
        self.report.errors() > 0
    }

    /// Whether a field is written.
    pub(in crate::cli::check) fn has(&self, path: &[&str]) -> bool {
        let Some(spec) = self.root.as_ref().and_then(|root| root.get("spec")) else { return false };
        path.iter().try_fold(spec, |node, key| node.get(key)).is_some()
    }

    fn at(&self, path: &[&str]) -> At {
        let Some(root) = &self.root else { return At { line: self.before + 1, column: 1 } };
        let mut node = root;
        for key in ["spec"].iter().chain(path) {
            let Some(next) = self.below(node, key) else { break };
            node = next;
        }
        At { line: node.at.line + self.before, column: node.at.column }
    }

    /// A field; in a list of objectives, the one that this SLO was made of; a number is a place in a list.
    fn below<'n>(&self, node: &'n Node, key: &str) -> Option<&'n Node> {
        let Value::List(items) = &node.value else { return node.get(key) };
        if let Ok(place) = key.parse::<usize>() {
            return items.get(place);
        }
        let own = |item: &&Node| {
            let text = item.get(key).and_then(Node::as_text);
            text.is_some_and(|text| self.id.ends_with(&format!(".{text}")))
        };
        items.iter().find(own).or(items.first())?.get(key)
    }
}
