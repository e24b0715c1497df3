//! The merged layers as a tree that can be read completely: a mistake is noted and taken out, and
//! reading begins again, until nothing is wrong.

use std::collections::BTreeSet;

use config::{Map, Value, ValueKind};
use serde::Deserialize;

use super::place::Place;
use super::problem::{MAX_PROBLEMS, SettingsProblem};
use super::reader::{Reader, Segment, Wrong};

/// Values of all layers.
#[derive(Clone, Debug)]
pub(super) struct Merged(Value);

impl Merged {
    /// `file` is what the file alone says: `config` forgets where mappings stood.
    pub(super) fn new(root: Map<String, Value>, file: Map<String, Value>) -> Self {
        let mut root = Value::new(None, ValueKind::Table(root));
        recall(&mut root, &Value::new(None, ValueKind::Table(file)));
        Self(root)
    }

    /// All of it as `T`, without the parts that are wrong; `None` when nothing is left.
    pub(super) fn read<T: for<'v> Deserialize<'v>>(&self, problems: &mut Vec<SettingsProblem>) -> Option<T> {
        let mut rest = self.0.clone();
        let mut gone = BTreeSet::new();
        for _ in 0..=10 * MAX_PROBLEMS {
            let error = match T::deserialize(Reader(&rest)) {
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            let mut path: Vec<Segment> = error.path.iter().rev().cloned().collect();
            let key = shown(&path);
            // What is missing because it was wrong is told already.
            let mut told = path.clone();
            match &error.wrong {
                Wrong::Value(_) => {}
                Wrong::Unknown { key, .. } => path.push(Segment::Key(key.clone())),
                Wrong::Missing { key } => told.push(Segment::Key((*key).to_owned())),
            }
            if !gone.contains(&path) && !gone.contains(&told) {
                problems.push(SettingsProblem { place: self.place(&path), key, what: error.to_string() });
            }
            // What was taken out and is wanted takes what wants it along.
            while gone.contains(&path) {
                path.pop();
            }
            if path.is_empty() {
                return None;
            }
            take_out(&mut rest, &path);
            gone.insert(path);
        }
        None
    }

    /// Where the value at `path`, or the nearest one that holds it, was written.
    pub(super) fn place(&self, path: &[Segment]) -> Place {
        let mut value = &self.0;
        let mut place = Place::START;
        for segment in path {
            match child(value, segment) {
                Some(found) => value = found,
                None => break,
            }
            if let Some(known) = Place::of(value) {
                place = known;
            }
        }
        place
    }

    /// The same for a path as text: `sources[0].tls.key`. An item may be named: `receivers.oncall.webhook`.
    pub(super) fn place_of(&self, path: &str) -> Place {
        let (mut value, mut rest) = (&self.0, path);
        let mut place = Place::START;
        while let Some((found, after)) = step(value, rest.trim_start_matches('.')) {
            (value, rest) = (found, after);
            if let Some(known) = Place::of(value) {
                place = known;
            }
        }
        place
    }

    /// The names of all items of a list, those that are wrong included.
    pub(super) fn names(&self, list: &str) -> BTreeSet<String> {
        let items = child(&self.0, &Segment::Key(list.to_owned())).map(|list| &list.kind);
        let Some(ValueKind::Array(items)) = items else { return BTreeSet::new() };
        items.iter().filter_map(name).map(str::to_owned).collect()
    }
}

/// Gives mappings that came from the file their place again.
fn recall(merged: &mut Value, file: &Value) {
    let (ValueKind::Table(_), ValueKind::Table(before)) = (&merged.kind, &file.kind) else { return };
    if merged.origin().is_none() {
        let kind = std::mem::take(&mut merged.kind);
        *merged = Value::new(file.origin().map(str::to_owned).as_ref(), kind);
    }
    if let ValueKind::Table(table) = &mut merged.kind {
        for (key, child) in table {
            if let Some(before) = before.get(key) {
                recall(child, before);
            }
        }
    }
}

fn shown(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Key(key) if text.is_empty() => text.push_str(key),
            Segment::Key(key) => text.extend([".", key]),
            Segment::Item(i) => text.push_str(&format!("[{i}]")),
        }
    }
    text
}

fn child<'v>(value: &'v Value, segment: &Segment) -> Option<&'v Value> {
    match (&value.kind, segment) {
        (ValueKind::Table(table), Segment::Key(key)) => table.get(key),
        (ValueKind::Array(items), Segment::Item(i)) => items.get(*i),
        _ => None,
    }
}

fn name(item: &Value) -> Option<&str> {
    match &child(item, &Segment::Key("name".into()))?.kind {
        ValueKind::String(name) => Some(name),
        _ => None,
    }
}

/// The child that the path begins with, and the rest of the path. The longest key that fits: keys may hold dots.
fn step<'v, 'p>(value: &'v Value, path: &'p str) -> Option<(&'v Value, &'p str)> {
    let after = |key: &str| {
        let rest = path.strip_prefix(key)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
    };
    match &value.kind {
        ValueKind::Table(table) => table
            .iter()
            .filter_map(|(key, child)| Some((key.len(), child, after(key)?)))
            .max_by_key(|(length, ..)| *length)
            .map(|(_, child, rest)| (child, rest)),
        ValueKind::Array(items) => match path.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((index, rest)) => Some((items.get(index.parse::<usize>().ok()?)?, rest)),
            None => items.iter().find_map(|item| Some((item, after(name(item)?)?))),
        },
        _ => None,
    }
}

/// Items become nothing, so that the others keep their number.
fn take_out(value: &mut Value, path: &[Segment]) {
    let Some((first, rest)) = path.split_first() else { return };
    let found = match (&mut value.kind, first) {
        (ValueKind::Table(table), Segment::Key(key)) if rest.is_empty() => {
            table.remove(key);
            return;
        }
        (ValueKind::Table(table), Segment::Key(key)) => table.get_mut(key),
        (ValueKind::Array(items), Segment::Item(i)) => items.get_mut(*i),
        _ => None,
    };
    match found {
        Some(item) if rest.is_empty() => item.kind = ValueKind::Nil,
        Some(child) => take_out(child, rest),
        None => {}
    }
}
