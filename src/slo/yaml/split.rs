//! Cuts a file into documents before any of them is parsed, so that a syntax error in one does not lose the others.
//!
//! YAML allows `---` and `...` at the beginning of a line nowhere but between documents, not even
//! in block or quoted scalars, so lines are enough to find them.

/// The text of one document and where it stood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk<'t> {
    /// Its first line in the file, from 1.
    pub line: usize,
    /// Its text, the `---` line included.
    pub text: &'t str,
}

/// All documents that hold more than comments, at most `limit` and one more to tell that there were too many.
pub fn split(text: &str, limit: usize) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let (mut from, mut from_line) = (0, 1);
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let next = offset + line.len();
        if is_marker(line, "---") {
            push(&mut chunks, text, from..offset, from_line);
            (from, from_line) = (offset, index + 1);
        } else if is_marker(line, "...") {
            push(&mut chunks, text, from..offset, from_line);
            (from, from_line) = (next, index + 2);
        }
        offset = next;
        if chunks.len() > limit {
            return chunks;
        }
    }
    push(&mut chunks, text, from..text.len(), from_line);
    chunks
}

fn push<'t>(chunks: &mut Vec<Chunk<'t>>, text: &'t str, range: std::ops::Range<usize>, line: usize) {
    if let Some(text) = text.get(range).filter(|t| has_content(t)) {
        chunks.push(Chunk { line, text });
    }
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn has_content(chunk: &str) -> bool {
    chunk.lines().any(|line| {
        let line = if is_marker(line, "---") { line.get(3..).unwrap_or("") } else { line };
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && !line.starts_with('%')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(usize, &str)> {
        split(text, 100).into_iter().map(|c| (c.line, c.text)).collect()
    }

    #[test]
    fn documents_keep_their_line() {
        assert_eq!(cut("a: 1\n---\nb: 2\n"), [(1, "a: 1\n"), (2, "---\nb: 2\n")]);
        assert_eq!(
            cut("---\r\na: 1\r\n--- # next\r\nb: 2"),
            [(1, "---\r\na: 1\r\n"), (3, "--- # next\r\nb: 2")]
        );
        assert_eq!(cut("a: 1\n...\n# gone\nb: 2\n"), [(1, "a: 1\n"), (3, "# gone\nb: 2\n")]);
        assert_eq!(cut("--- {a: 1}\n--- {b: 2}\n"), [(1, "--- {a: 1}\n"), (2, "--- {b: 2}\n")]);
    }

    #[test]
    fn empty_documents_comments_and_directives_are_none() {
        assert!(cut("").is_empty());
        assert!(cut("---\n---\n# only a comment\n...\n\n").is_empty());
        assert_eq!(cut("%YAML 1.2\n---\na: 1\n"), [(2, "---\na: 1\n")]);
    }

    #[test]
    fn dashes_inside_scalars_do_not_cut() {
        let text = "a: |\n  x\n  ---\n  y\nb: ---x\n----\n";
        assert_eq!(cut(text), [(1, text)]);
    }

    #[test]
    fn the_number_of_documents_is_bounded() {
        assert_eq!(split(&"---\na: 1\n".repeat(50), 10).len(), 11);
    }
}
