//! The settings file: YAML as a layer of `config`.
//!
//! Every scalar stays the text that was written and is read as a number only where a number is
//! wanted: a password `007` is not `7`.

use config::{ConfigError, Map, Source, Value, ValueKind};

use super::place::Place;
use super::problem::SettingsProblem;
use crate::slo::problem::At;
use crate::slo::yaml::{self, Entry, Node};

/// Bytes in a settings file at most.
pub(super) const MAX_FILE: usize = 1024 * 1024;

/// A settings file that is YAML.
#[derive(Clone, Debug)]
pub(super) struct File {
    root: Vec<Entry>,
}

impl File {
    /// Reads the text; what is not YAML or stands there twice is noted.
    pub(super) fn read(text: &str, problems: &mut Vec<SettingsProblem>) -> Self {
        let mut root = Vec::new();
        let mut wrong = |at, key: &str, what: String| {
            problems.push(SettingsProblem { place: Place::File(at), key: key.to_owned(), what });
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let chunks = yaml::split(text, 1);
        if let Some(second) = chunks.get(1) {
            let at = At { line: second.line, column: 1 };
            wrong(at, "", "a second document begins here; settings are one document".into());
        }
        match chunks.first().map(|chunk| yaml::parse(*chunk)) {
            Some(Err((at, what, hint))) => {
                wrong(at, "", hint.map_or(what.clone(), |hint| format!("{what}; {hint}")));
            }
            Some(Ok(Some(Node { at, value }))) => match value {
                yaml::Value::Map(entries) => root = entries,
                _ => wrong(at, "", "settings are a mapping: lines of `key: value`".into()),
            },
            Some(Ok(None)) | None => {}
        }
        twice(&root, "", &mut wrong);
        // `config` would take the name for a path.
        root.retain(|entry| {
            let plain = !entry.key.contains(['.', '[', ']']);
            if !plain {
                wrong(
                    entry.key_at,
                    "",
                    format!("unknown key `{}`; write nested keys as a mapping", entry.key),
                );
            }
            plain
        });
        Self { root }
    }

    /// Whether nothing was read.
    pub(super) fn is_empty(&self) -> bool {
        self.root.is_empty()
    }
}

impl Source for File {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(table(&self.root))
    }
}

fn table(entries: &[Entry]) -> Map<String, Value> {
    entries.iter().map(|entry| (entry.key.clone(), value(&entry.value, entry.key_at))).collect()
}

/// The value of a key has the place of the key, that of a list's item its own.
fn value(node: &Node, at: At) -> Value {
    let kind = match &node.value {
        yaml::Value::Null => ValueKind::Nil,
        yaml::Value::Text { text, .. } => ValueKind::String(text.clone()),
        yaml::Value::List(items) => ValueKind::Array(items.iter().map(|item| value(item, item.at)).collect()),
        yaml::Value::Map(entries) => ValueKind::Table(table(entries)),
    };
    Value::new(Some(&Place::File(at).origin()), kind)
}

fn twice(entries: &[Entry], path: &str, wrong: &mut impl FnMut(At, &str, String)) {
    let mut seen = std::collections::BTreeSet::new();
    for entry in entries {
        let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        if !seen.insert(&entry.key) {
            wrong(entry.key_at, &path, "is written twice; keep one of them".into());
        }
        twice_below(&entry.value, &path, wrong);
    }
}

fn twice_below(node: &Node, path: &str, wrong: &mut impl FnMut(At, &str, String)) {
    match &node.value {
        yaml::Value::Map(entries) => twice(entries, path, wrong),
        yaml::Value::List(items) => {
            for (i, item) in items.iter().enumerate() {
                twice_below(item, &format!("{path}[{i}]"), wrong);
            }
        }
        yaml::Value::Null | yaml::Value::Text { .. } => {}
    }
}
