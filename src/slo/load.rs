//! Files to documents to SLOs, each document on its own: a mistake in one loses no other.

use std::collections::HashMap;

use super::check;
use super::doc_id::DocId;
use super::model::{Place, Slo, SloId};
use super::problem::{At, Level, Problem, Report};
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
    /// Its SLOs; `None` when any problem is an error.
    pub slos: Option<Vec<Slo>>,
    /// All problems, in the order of the file.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// The good SLOs.
    pub fn slos(&self) -> impl Iterator<Item = &Slo> {
        self.documents.iter().filter_map(|d| d.slos.as_ref()).flatten()
    }

    /// All problems.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.documents.iter().flat_map(|d| &d.problems)
    }
}

/// Checks all files together. Pure: reading them is the caller's.
pub fn load(files: &[SourceFile], context: &Context) -> Loaded {
    let mut documents: Vec<Document> = files.iter().flat_map(|file| load_file(file, context)).collect();
    refuse_duplicates(&mut documents);
    Loaded { documents }
}

fn load_file(file: &SourceFile, context: &Context) -> Vec<Document> {
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    if let Some((at, what, hint)) = refuse_file(text) {
        return vec![whole_file(file, at, what, hint)];
    }
    let mut chunks = yaml::split(text, MAX_DOCUMENTS);
    let too_many = chunks.get(MAX_DOCUMENTS).map(|chunk| At { line: chunk.line, column: 1 });
    chunks.truncate(MAX_DOCUMENTS);
    let mut documents: Vec<Document> =
        chunks.into_iter().filter_map(|chunk| load_document(chunk, file, context)).collect();
    if let Some(at) = too_many {
        let what = format!("more than {MAX_DOCUMENTS} documents in one file; the rest is not read");
        documents.push(whole_file(file, at, what, Some("split the file".into())));
    }
    documents
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
        problems: report.finish(),
    }
}

fn load_document(chunk: Chunk<'_>, file: &SourceFile, context: &Context) -> Option<Document> {
    let mut report = Report::about(&file.path);
    let mut place = Place { file: file.path.clone(), line: chunk.line };
    let (id, slos) = match yaml::parse(chunk) {
        Ok(None) => return None,
        Ok(Some(root)) => {
            place.line = root.at.line;
            let slos = check::document(&root, context, &place, &mut report);
            (DocId::of(&root), slos)
        }
        Err((at, what, hint)) => {
            report.error(at, what, hint);
            (DocId::guess(chunk.text), Vec::new())
        }
    };
    let slos = (report.errors() == 0).then_some(slos);
    Some(Document { place, id, text: chunk.text.to_owned(), slos, problems: report.finish() })
}

/// An id belongs to the document that first has it; later ones are refused.
fn refuse_duplicates(documents: &mut [Document]) {
    let mut owners: HashMap<SloId, Place> = HashMap::new();
    for document in documents {
        let ids = || document.slos.iter().flatten().map(|slo| slo.id.clone());
        let taken = ids().find_map(|id| owners.get(&id).map(|owner| (id, owner.clone())));
        let Some((id, owner)) = taken else {
            owners.extend(ids().map(|id| (id, document.place.clone())));
            continue;
        };
        document.slos = None;
        document.problems.push(Problem {
            file: document.place.file.clone(),
            line: document.place.line,
            column: 1,
            level: Level::Error,
            what: format!("{id} is defined twice"),
            hint: Some(format!("the first is at {}:{}; rename or remove one", owner.file, owner.line)),
        });
    }
}
