//! A cursor on the tree: one field, its path for messages, and the ways to read it.
//!
//! Every reader reports what is wrong and gives `None`; the caller goes on with the next field.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::slo::nearest;
use crate::slo::problem::{At, Report};
use crate::slo::time::Span;
use crate::slo::yaml::{Entry, Node, Value};

/// One value and its path from the document's root, such as `spec.sli`.
#[derive(Clone, Debug)]
pub(super) struct Field<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
}

/// A mapping whose field names are known.
#[derive(Debug)]
pub(super) struct Section<'n> {
    at: At,
    path: String,
    entries: &'n [Entry],
}

impl<'n> Field<'n> {
    /// The document itself.
    pub(super) fn root(node: &'n Node) -> Self {
        Self { node, path: String::new() }
    }

    pub(super) fn at(&self) -> At {
        self.node.at
    }

    /// As a mapping with these fields and no others.
    pub(super) fn section(&self, known: &[&str], report: &mut Report) -> Option<Section<'n>> {
        let entries = self.entries(report)?;
        for entry in entries {
            if report.is_full() {
                break;
            }
            let path = in_path(&self.path);
            if entry.key == "<<" {
                let hint = "write the fields out; aliases (`*name`) as whole values work".to_owned();
                report.error(entry.key_at, "merge keys (`<<`) are not supported", Some(hint));
            } else if !known.contains(&entry.key.as_str()) {
                let hint = nearest::hint(&entry.key, known);
                report.error(
                    entry.key_at,
                    format!("unknown field `{}`{path}", short(&entry.key)),
                    Some(hint),
                );
            }
        }
        Some(Section { at: self.at(), path: self.path.clone(), entries })
    }

    /// As a mapping with free keys; keys written twice are reported.
    pub(super) fn entries(&self, report: &mut Report) -> Option<&'n [Entry]> {
        let Value::Map(entries) = &self.node.value else {
            self.wrong("a mapping (`field: value`)", report);
            return None;
        };
        let mut seen = std::collections::BTreeSet::new();
        for entry in entries {
            if !seen.insert(&entry.key) {
                let what = format!("`{}` is written twice{}", short(&entry.key), in_path(&self.path));
                report.error(entry.key_at, what, Some("keep one of them".into()));
            }
        }
        Some(entries)
    }

    /// As a list.
    pub(super) fn items(&self, report: &mut Report) -> Option<Vec<Self>> {
        let Value::List(items) = &self.node.value else {
            self.wrong("a list (`[a, b]`, or lines that begin with `- `)", report);
            return None;
        };
        let item = |(i, node)| Field { node, path: format!("{}[{i}]", self.path) };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// As a single value, as it was written.
    pub(super) fn text(&self, report: &mut Report) -> Option<&'n str> {
        let text = self.node.as_text();
        if text.is_none() {
            self.wrong("a single value", report);
        }
        text
    }

    /// As whatever a type reads from text; its error is the message.
    pub(super) fn parse<T: FromStr<Err: Display>>(&self, hint: &str, report: &mut Report) -> Option<T> {
        let text = self.text(report)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(why) => {
                report.error(
                    self.at(),
                    format!("`{}: {}`: {why}", self.path, short(text)),
                    Some(hint.into()),
                );
                None
            }
        }
    }

    /// As one of a few words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)], report: &mut Report) -> Option<T> {
        let text = self.text(report)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let what = format!("`{}` cannot be `{}`", self.path, short(text));
            report.error(self.at(), what, Some(nearest::hint(text, &known)));
        }
        found
    }

    /// As `true` or `false`.
    pub(super) fn flag(&self, report: &mut Report) -> Option<bool> {
        self.choice(&[("true", true), ("false", false)], report)
    }

    /// As a whole number within bounds.
    pub(super) fn whole(&self, range: RangeInclusive<u32>, report: &mut Report) -> Option<u32> {
        let text = self.text(report)?;
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|n| digits && range.contains(n));
        if number.is_none() {
            let what = format!(
                "`{}: {}` is not a whole number from {} to {}",
                self.path,
                short(text),
                range.start(),
                range.end()
            );
            report.error(self.at(), what, None);
        }
        number
    }

    /// As a duration within bounds.
    pub(super) fn span(&self, range: RangeInclusive<Span>, report: &mut Report) -> Option<Span> {
        let span: Span = self.parse("durations are whole seconds: 30s, 5m, 1h30m, 28d", report)?;
        if range.contains(&span) {
            return Some(span);
        }
        let what = format!("`{}: {span}` is not between {} and {}", self.path, range.start(), range.end());
        report.error(self.at(), what, None);
        None
    }

    fn wrong(&self, wanted: &str, report: &mut Report) {
        let name = if self.path.is_empty() { "a document" } else { &self.path };
        report.error(self.at(), format!("`{name}` must be {wanted}, not {}", self.node.shape()), None);
    }
}

impl<'n> Section<'n> {
    /// Where the mapping begins.
    pub(super) fn at(&self) -> At {
        self.at
    }

    /// A field that may be left out; null counts as left out.
    pub(super) fn field(&self, key: &str) -> Option<Field<'n>> {
        let entry = self.entries.iter().find(|e| e.key == key).filter(|e| e.value.value != Value::Null)?;
        Some(Field { node: &entry.value, path: self.path_of(key) })
    }

    /// A field that must be there.
    pub(super) fn require(&self, key: &str, hint: &str, report: &mut Report) -> Option<Field<'n>> {
        let field = self.field(key);
        if field.is_none() {
            let (at, state) = match self.entries.iter().find(|e| e.key == key) {
                Some(entry) => (entry.key_at, "is empty"),
                None => (self.at, "is missing"),
            };
            report.error(at, format!("`{}` {state}", self.path_of(key)), Some(hint.to_owned()));
        }
        field
    }

    /// The one field of `keys` that is written; a problem when there is none or more than one.
    pub(super) fn one_of<'k>(&self, keys: &[&'k str], report: &mut Report) -> Option<&'k str> {
        let mut written =
            keys.iter().filter_map(|k| self.entries.iter().find(|e| e.key == *k).map(|e| (*k, e.key_at)));
        let Some((first, _)) = written.next() else {
            let name = if self.path.is_empty() { "the document" } else { &self.path };
            report.error(self.at, format!("`{name}` needs one of: {}", keys.join(", ")), None);
            return None;
        };
        for (second, at) in written {
            let what = format!("`{first}` and `{second}` cannot stand together{}", in_path(&self.path));
            report.error(at, what, Some(format!("keep one of: {}", keys.join(", "))));
        }
        Some(first)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

fn in_path(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" in {path}") }
}

/// At most forty characters of what was written.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::yaml::{Chunk, parse};

    fn with(text: &str, read: impl Fn(Field<'_>, &mut Report)) -> Vec<String> {
        let root = parse(Chunk { line: 1, text }).unwrap().unwrap();
        let mut report = Report::about("f");
        read(Field::root(&root), &mut report);
        let line = |p: crate::slo::problem::Problem| {
            format!("{}:{} {} ({})", p.line, p.column, p.what, p.hint.unwrap_or_default())
        };
        report.finish().into_iter().map(line).collect()
    }

    #[test]
    fn unknown_and_doubled_fields_are_all_reported() {
        let problems = with("windwo: 1\nname: a\nname: b\nzzz: 2\n", |f, r| {
            f.section(&["name", "window"], r);
        });
        assert_eq!(
            problems,
            [
                "1:1 unknown field `windwo` (did you mean `window`?)",
                "3:1 `name` is written twice (keep one of them)",
                "4:1 unknown field `zzz` (known here: name, window)",
            ]
        );
    }

    #[test]
    fn missing_and_empty_fields_are_told_apart() {
        let problems = with("a:\nb: 1\n", |f, r| {
            let s = f.section(&["a", "b", "c"], r).unwrap();
            s.require("a", "write it", r);
            s.require("c", "write it", r);
        });
        assert_eq!(
            problems,
            ["1:1 `c` is missing (write it)", "1:1 `a` is empty (write it)"]
                .map(String::from)
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn values_of_the_wrong_kind_are_told_with_what_was_written() {
        let problems = with("a: [1]\nb: x\nc: yes\nd: -1\ne: 2h\nf: 5\n", |f, r| {
            let s = f.section(&["a", "b", "c", "d", "e", "f"], r).unwrap();
            s.field("a").unwrap().text(r);
            s.field("b").unwrap().items(r);
            s.field("c").unwrap().flag(r);
            s.field("d").unwrap().whole(1..=5, r);
            s.field("e").unwrap().span(Span::from_mins(1)..=Span::from_hours(1), r);
            s.field("f").unwrap().span(Span::ZERO..=Span::from_hours(1), r);
        });
        assert_eq!(problems.len(), 6, "{problems:?}");
        assert!(problems[3].contains("not a whole number from 1 to 5"), "{}", problems[3]);
        assert!(problems[4].contains("not between 1m and 1h"), "{}", problems[4]);
        assert!(problems[5].contains("not a duration"), "{}", problems[5]);
    }
}
