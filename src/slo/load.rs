//! Files to documents to SLOs and policies, each document on its own: a mistake in one loses no
//! other. Only what a policy or a composite says of others is judged beside them.

use std::collections::HashMap;

use super::check::{self, Content, Draft};
use super::composite::Part;
use super::doc_id::DocId;
use super::model::{Place, Slo};
use super::policy::ScalePolicy;
use super::problem::{At, Level, MAX_PROBLEMS, Problem, Report};
use super::time::Step;
use super::yaml::{self, Chunk};

/// Bytes in one file at most.
pub const MAX_FILE: usize = 1024 * 1024;
/// Documents in one file at most.
pub const MAX_DOCUMENTS: usize = 5000;

/// A file that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    /// As given, for messages.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What definitions are checked against.
#[derive(Clone, PartialEq, Debug)]
pub struct Context {
    /// The slice length; windows are whole steps.
    pub step: Step,
    /// Names of the configured sources; none when they are not known.
    pub sources: Vec<String>,
    /// Names of the configured actuators; `None` when they are not known.
    pub actuators: Option<Vec<String>>,
}

impl Context {
    /// Without settings: sources and actuators are not known.
    pub const fn without_settings(step: Step) -> Self {
        Self { step, sources: Vec::new(), actuators: None }
    }
}

/// All documents of all files.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Loaded {
    /// In the order of the files.
    pub documents: Vec<Document>,
}

/// One document and what became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Document {
    /// The file and the line its content begins at.
    pub place: Place,
    /// Kind, service and name where they could be read, also of a broken document; `None` for a
    /// file as a whole and for other formats.
    pub id: Option<DocId>,
    /// The document's own text.
    pub text: String,
    /// Its SLOs, none where it is a policy; `None` when any problem is an error.
    pub slos: Option<Vec<Slo>>,
    /// Its policies; none when any problem is an error.
    pub policies: Vec<ScalePolicy>,
    /// All problems, in the order of the file.
    pub problems: Vec<Problem>,
}

/// A document while all are read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) document: Document,
    /// What a policy asks of other documents.
    pub(super) draft: Option<Draft>,
    /// What a composite is made of.
    pub(super) parts: Vec<(Part, At)>,
}

impl Document {
    /// Refuses it for what was found beside other documents.
    pub(super) fn refuse(&mut self, at: At, what: String, hint: Option<String>) {
        self.slos = None;
        self.policies.clear();
        if self.problems.len() < MAX_PROBLEMS {
            let At { line, column } = at;
            let file = self.place.file.clone();
            self.problems.push(Problem { file, line, column, level: Level::Error, what, hint });
            self.problems.sort_by_key(|problem| (problem.line, problem.column));
        }
    }
}

impl From<Document> for Read {
    fn from(document: Document) -> Self {
        Self { document, draft: None, parts: Vec::new() }
    }
}

impl Loaded {
    /// The good SLOs.
    pub fn slos(&self) -> impl Iterator<Item = &Slo> {
        self.documents.iter().filter_map(|d| d.slos.as_ref()).flatten()
    }

    /// The good policies.
    pub fn policies(&self) -> impl Iterator<Item = &ScalePolicy> {
        self.documents.iter().flat_map(|d| &d.policies)
    }

    /// All problems.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.documents.iter().flat_map(|d| &d.problems)
    }
}

/// Checks all files together. Pure: reading them is the caller's.
pub fn load(files: &[SourceFile], context: &Context) -> Loaded {
    let mut read: Vec<Read> = files.iter().flat_map(|file| load_file(file, context)).collect();
    refuse_duplicates(&mut read);
    check::check_set(&mut read);
    Loaded { documents: read.into_iter().map(|read| read.document).collect() }
}

/// Checks a document that was accepted before, by itself: what it names was judged then, and may be
/// broken, older or gone by now without any fault of this one.
pub fn load_accepted(file: &SourceFile, context: &Context) -> Loaded {
    Loaded { documents: load_file(file, context).into_iter().map(|read| read.document).collect() }
}

fn load_file(file: &SourceFile, context: &Context) -> Vec<Read> {
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    if let Some((at, what, hint)) = refuse_file(text) {
        return vec![whole_file(file, at, what, hint).into()];
    }
    let mut chunks = yaml::split(text, MAX_DOCUMENTS);
    let too_many = chunks.get(MAX_DOCUMENTS).map(|chunk| At { line: chunk.line, column: 1 });
    chunks.truncate(MAX_DOCUMENTS);
    let mut read: Vec<Read> =
        chunks.into_iter().filter_map(|chunk| load_document(chunk, file, context)).collect();
    if let Some(at) = too_many {
        let what = format!("more than {MAX_DOCUMENTS} documents in one file; the rest is not read");
        read.push(whole_file(file, at, what, Some("split the file".into())).into());
    }
    read
}

fn refuse_file(text: &str) -> Option<(At, String, Option<String>)> {
    let start = At { line: 1, column: 1 };
    if text.len() > MAX_FILE {
        return Some((start, format!("larger than {MAX_FILE} bytes"), Some("split the file".into())));
    }
    // A lone carriage return is a line break to YAML and to nobody else: no line number would be right.
    let lone = text.split_inclusive('\n').position(|line| {
        line.strip_suffix("\r\n").or_else(|| line.strip_suffix('\n')).unwrap_or(line).contains('\r')
    });
    lone.map(|line| {
        let hint = Some("end lines with a line feed; an editor's line-ending setting does that".to_owned());
        (At { line: line + 1, column: 1 }, "a carriage return in the middle of a line".to_owned(), hint)
    })
}

/// A problem of the file as a whole, as a document without content.
fn whole_file(file: &SourceFile, at: At, what: String, hint: Option<String>) -> Document {
    let mut report = Report::about(&file.path);
    report.error(at, what, hint);
    Document {
        place: Place { file: file.path.clone(), line: at.line },
        id: None,
        text: String::new(),
        slos: None,
        policies: Vec::new(),
        problems: report.finish(),
    }
}

fn load_document(chunk: Chunk<'_>, file: &SourceFile, context: &Context) -> Option<Read> {
    let mut report = Report::about(&file.path);
    let mut place = Place { file: file.path.clone(), line: chunk.line };
    let (id, Content { slos, draft, parts }) = match yaml::parse(chunk) {
        Ok(None) => return None,
        Ok(Some(root)) => {
            place.line = root.at.line;
            let content = check::document(&root, context, &place, &mut report);
            (DocId::of(&root), content)
        }
        Err((at, what, hint)) => {
            report.error(at, what, hint);
            (DocId::guess(chunk.text), Content::default())
        }
    };
    let is_good = report.errors() == 0;
    let policy = draft.as_ref().and_then(|draft| draft.policy.clone()).filter(|_| is_good);
    let document = Document {
        place,
        id,
        text: chunk.text.to_owned(),
        slos: is_good.then_some(slos),
        policies: policy.into_iter().collect(),
        problems: report.finish(),
    };
    Some(Read { document, draft, parts })
}

/// An id belongs to the document that first has it; later ones are refused.
fn refuse_duplicates(read: &mut [Read]) {
    let mut owners: HashMap<String, Place> = HashMap::new();
    for Read { document, .. } in read {
        let slos = document.slos.iter().flatten().map(|slo| slo.id.to_string());
        let policies = document.policies.iter().map(|policy| format!("policy {}", policy.name));
        let ids: Vec<String> = slos.chain(policies).collect();
        let taken = ids.iter().find_map(|id| Some((id, owners.get(id)?)));
        let Some((id, owner)) = taken else {
            owners.extend(ids.into_iter().map(|id| (id, document.place.clone())));
            continue;
        };
        let what = format!("{id} is defined twice");
        let hint = format!("the first is at {}:{}; rename or remove one", owner.file, owner.line);
        document.refuse(At { line: document.place.line, column: 1 }, what, Some(hint));
    }
}
