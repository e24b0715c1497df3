//! The tree: a value and where it stood.

use crate::slo::problem::At;

/// A value and where it began.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Where it began.
    pub at: At,
    /// What was written.
    pub value: Value,
}

/// What was written.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A number, word or string, as text.
    Text {
        /// The text after YAML's escapes.
        text: String,
        /// Written without quotes and not as a block.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order written; a key may be there twice.
    Map(Vec<Entry>),
}

/// One field of a mapping.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// The field's name.
    pub key: String,
    /// Where the name stood.
    pub key_at: At,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The first field of that name that is not null; `None` for anything but a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|e| e.key == key).map(|e| &e.value).filter(|n| n.value != Value::Null)
            }
            _ => None,
        }
    }

    /// The text of a scalar.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// For messages: `a list`.
    pub fn shape(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Text { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}
