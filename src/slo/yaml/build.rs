//! Parser events to tree, under bounds: depth, nodes and what aliases expand to.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

use super::node::{Entry, Node, Value};
use super::split::Chunk;
use crate::slo::problem::At;

/// Nested mappings and lists at most.
const MAX_DEPTH: usize = 32;
/// Values in one document at most, those that aliases repeat included.
const MAX_NODES: usize = 50_000;

/// Why a document is not YAML that we read: where, what, and a hint.
pub type SyntaxError = (At, String, Option<String>);

/// Reads one document; `None` when it holds nothing.
pub fn parse(chunk: Chunk<'_>) -> Result<Option<Node>, SyntaxError> {
    let mut tree =
        Builder { offset: chunk.line - 1, open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    for event in Parser::new_from_str(chunk.text) {
        let (event, span) = event.map_err(|e| tree.syntax(&e))?;
        let at = tree.at(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some_and(|t| t.is_custom()), at)?;
                tree.add(Node { at, value: scalar(&text, style) }, anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.is_some_and(|t| t.is_custom()), at)?;
                tree.begin(Node { at, value: Value::List(Vec::new()) }, anchor)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.is_some_and(|t| t.is_custom()), at)?;
                tree.begin(Node { at, value: Value::Map(Vec::new()) }, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => tree.end()?,
            Event::Alias(anchor) => tree.alias(anchor, at)?,
            _ => {}
        }
    }
    Ok(tree.root.filter(|root| root.value != Value::Null))
}

fn refuse_tag(custom: bool, at: At) -> Result<(), SyntaxError> {
    if custom {
        return Err((
            at,
            "YAML tags are not supported".into(),
            Some("remove the word that begins with `!`".into()),
        ));
    }
    Ok(())
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let plain = style == ScalarStyle::Plain;
    if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Text { text: text.to_owned(), plain }
}

struct Builder {
    /// Lines of the file before the chunk.
    offset: usize,
    open: Vec<Open>,
    /// Finished nodes by the parser's id of their anchor.
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

/// A list or mapping whose end has not come.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<(String, At)>,
}

impl Builder {
    fn at(&self, marker: &Marker) -> At {
        At { line: marker.line() + self.offset, column: marker.col() + 1 }
    }

    fn syntax(&self, error: &ScanError) -> SyntaxError {
        let hint = if error.info().contains("tab") {
            "YAML is indented with spaces alone"
        } else {
            "look at the indentation, and quote values that hold `: `, ` #` or begin with one of {[*&!|>%@`"
        };
        (self.at(error.marker()), format!("not YAML: {}", error.info()), Some(hint.into()))
    }

    fn begin(&mut self, node: Node, anchor: usize) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err((node.at, format!("nested deeper than {MAX_DEPTH} levels"), None));
        }
        self.count(1, node.at)?;
        self.open.push(Open { node, anchor, key: None });
        Ok(())
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        match self.open.pop() {
            Some(open) => self.place(open.node, open.anchor),
            None => Ok(()),
        }
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), SyntaxError> {
        self.count(1, node.at)?;
        self.place(node, anchor)
    }

    fn alias(&mut self, anchor: usize, at: At) -> Result<(), SyntaxError> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err((at, "this alias stands inside of what it names".into(), None));
        };
        let node = node.clone();
        self.count(size(&node), at)?;
        self.place(node, 0)
    }

    /// Puts a finished node into what is open.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), SyntaxError> {
        if anchor != 0 {
            self.count(size(&node), node.at)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return Ok(());
        };
        match &mut open.node.value {
            Value::Map(entries) => match open.key.take() {
                Some((key, key_at)) => entries.push(Entry { key, key_at, value: node }),
                None => open.key = Some(key(node)?),
            },
            Value::List(items) => items.push(node),
            Value::Null | Value::Text { .. } => {}
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, at: At) -> Result<(), SyntaxError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            let hint =
                Some("split it into several documents; aliases count as often as they are used".into());
            return Err((at, format!("more than {MAX_NODES} values in one document"), hint));
        }
        Ok(())
    }
}

fn key(node: Node) -> Result<(String, At), SyntaxError> {
    match node.value {
        Value::Text { text, .. } => Ok((text, node.at)),
        Value::Null => Ok((String::new(), node.at)),
        Value::List(_) | Value::Map(_) => {
            let hint = "quote values that begin with `{` or `[`".to_owned();
            Err((node.at, "a field's name must be a word".into(), Some(hint)))
        }
    }
}

/// Values in a tree; its depth is bounded by [`MAX_DEPTH`] per alias level and its size by [`MAX_NODES`].
fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|e| size(&e.value)).sum(),
        Value::Null | Value::Text { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Node>, SyntaxError> {
        parse(Chunk { line: 1, text })
    }

    fn ok(text: &str) -> Node {
        read(text).unwrap().unwrap()
    }

    #[test]
    fn scalars_keep_the_text_and_the_place_that_was_written() {
        let root = parse(Chunk { line: 10, text: "---\nspec:\n  objective: 99.90\n  no: \"yes\"\n" })
            .unwrap()
            .unwrap();
        let spec = root.get("spec").unwrap();
        let objective = spec.get("objective").unwrap();
        assert_eq!(objective.as_text(), Some("99.90"));
        assert_eq!(objective.at, At { line: 12, column: 14 });
        assert_eq!(spec.get("no").unwrap().value, Value::Text { text: "yes".into(), plain: false });
    }

    #[test]
    fn nothing_is_null_and_a_quoted_nothing_is_not() {
        let root = ok("a:\nb: ~\nc: ''\n");
        assert!(root.get("a").is_none() && root.get("b").is_none());
        assert_eq!(root.get("c").unwrap().as_text(), Some(""));
        assert_eq!(read("# nothing"), Ok(None));
    }

    #[test]
    fn aliases_repeat_what_they_name_and_bombs_are_refused() {
        let root = ok("a: &x {k: 1}\nb: *x\n");
        assert_eq!(root.get("b").unwrap().get("k").unwrap().as_text(), Some("1"));
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for i in 1..12 {
            let refs = vec![format!("*a{}", i - 1); 10].join(",");
            bomb.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
        }
        assert!(read(&bomb).unwrap_err().1.contains("values in one document"));
        assert!(read("a: &a [*a]").is_err());
        assert!(read("a: *nobody").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&format!("{}1{}", "[".repeat(40), "]".repeat(40))).unwrap_err().1.contains("deeper"));
        assert!(read(&"- ".repeat(50_000)).is_err());
    }

    #[test]
    fn tags_and_strange_keys_are_refused() {
        assert!(read("a: !include b.yaml").unwrap_err().1.contains("tags"));
        assert!(read("{a: 1}: 2").unwrap_err().1.contains("word"));
        assert_eq!(ok("a: !!str 5").get("a").unwrap().as_text(), Some("5"));
    }

    #[test]
    fn syntax_errors_have_a_place() {
        let (at, what, hint) = read("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(at.line >= 2, "{at:?} {what}");
        assert!(hint.is_some());
        assert!(read("a:\n\tb: 1\n").unwrap_err().2.unwrap().contains("spaces"));
    }
}
