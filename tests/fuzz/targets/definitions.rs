//! Files of definitions: read, checked, planned.

use std::sync::Arc;

use damper::engine::plan::SourceKind;
use damper::slo::model::{Place, Slo};
use damper::slo::policy::ScalePolicy;
use damper::slo::time::Step;
use damper::slo::{Context, Document, SourceFile, load_accepted};

use super::plans::{is_asked_as_written, loaded, plan};

pub fn run(data: &[u8]) {
    // What is not text is refused before it gets here.
    let Ok(text) = std::str::from_utf8(data) else { return };
    let loaded = loaded(text);
    let lines = text.split('\n').count();
    for problem in loaded.problems() {
        let place = (problem.line, problem.column);
        assert!(problem.line <= lines + 1, "{place:?} is beyond line {lines}: {}", problem.what);
        assert!(problem.line > 0 && problem.column > 0, "{place:?} is no place: {}", problem.what);
        assert!(!problem.what.is_empty() && problem.what.len() < 8192, "{}", problem.what);
    }
    loaded.documents.iter().for_each(is_read_again);
    let slos: Vec<Arc<Slo>> = loaded.slos().cloned().map(Arc::new).collect();
    for kind in [SourceKind::Prometheus, SourceKind::Thanos] {
        is_asked_as_written(&plan(&slos, kind));
    }
}

/// A document that was accepted is accepted from the store after a restart, and is the same but for its
/// place.
fn is_read_again(document: &Document) {
    let Some(slos) = &document.slos else { return };
    let file = SourceFile { path: "stored".to_owned(), text: document.text.clone() };
    let again = load_accepted(&file, &Context::without_settings(Step::DEFAULT));
    let elsewhere = |slo: &Slo| Slo { place: Place::default(), ..slo.clone() };
    let read: Vec<Slo> = again.slos().map(elsewhere).collect();
    assert_eq!(slos.iter().map(elsewhere).collect::<Vec<_>>(), read, "read again as something else");
    let elsewhere = |policy: &ScalePolicy| ScalePolicy { place: Place::default(), ..policy.clone() };
    let read: Vec<ScalePolicy> = again.policies().map(elsewhere).collect();
    assert_eq!(document.policies.iter().map(elsewhere).collect::<Vec<_>>(), read, "another policy");
}
