//! Which selectors are asked in one query: those that differ in one equality matcher.
//!
//! Prometheus turns a regular expression of literal alternatives into a set lookup, so a merged
//! query costs what its series cost and saves what every single request costs.

use std::collections::{BTreeMap, BTreeSet};

use super::group::equals;
use crate::slo::query::{MatchOp, Matcher, Selector};

/// Members of one query at most.
const MEMBERS: usize = 100;
/// Bytes of alternatives in one query at most.
const BYTES: usize = 4096;

/// Selectors asked together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Merged {
    /// What all of them share.
    pub base: Selector,
    /// The label they differ in.
    pub label: Option<String>,
    /// Position in the input, and the value of that label.
    pub members: Vec<(usize, Option<String>)>,
}

/// Partitions selectors that are asked the same way. Largest families first; the result depends
/// only on the selectors and their order.
pub(super) fn merge(selectors: &[&Selector], by: &[String]) -> Vec<Merged> {
    let mut families: BTreeMap<(String, Selector), Vec<(usize, String)>> = BTreeMap::new();
    for (i, selector) in selectors.iter().enumerate() {
        for (label, value, rest) in choices(selector, by) {
            families.entry((label, rest)).or_default().push((i, value));
        }
    }
    let mut families: Vec<_> = families.into_iter().collect();
    families.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));

    let mut left: BTreeSet<usize> = (0..selectors.len()).collect();
    let mut out = Vec::new();
    for ((label, base), mut members) in families {
        members.retain(|(i, _)| left.contains(i));
        if members.len() < 2 {
            continue;
        }
        for (i, _) in &members {
            left.remove(i);
        }
        for part in bounded(members) {
            let members = part.into_iter().map(|(i, value)| (i, Some(value))).collect();
            out.push(Merged { base: base.clone(), label: Some(label.clone()), members });
        }
    }
    let single = |i: usize| {
        let base = (*selectors.get(i)?).clone();
        Some(Merged { base, label: None, members: vec![(i, None)] })
    };
    out.extend(left.into_iter().filter_map(single));
    out.sort_by_key(|merged| merged.members.first().map(|(i, _)| *i));
    out
}

/// Every way to take one equality matcher out. A label that groups the answer or that has
/// another matcher stays; an empty value means "no such label" and could not be told apart.
fn choices<'a>(
    selector: &'a Selector,
    by: &'a [String],
) -> impl Iterator<Item = (String, String, Selector)> + 'a {
    let lone = |m: &Matcher| selector.matchers.iter().filter(|other| other.label == m.label).count() == 1;
    let free = move |m: &&Matcher| {
        m.op == MatchOp::Equal && !m.value.is_empty() && !by.contains(&m.label) && lone(m)
    };
    selector.matchers.iter().filter(free).map(|taken| {
        let rest = selector.matchers.iter().filter(|m| *m != taken).cloned().collect();
        let base = Selector { metric: selector.metric.clone(), matchers: rest };
        (taken.label.clone(), taken.value.clone(), base)
    })
}

fn bounded(members: Vec<(usize, String)>) -> Vec<Vec<(usize, String)>> {
    let mut parts: Vec<Vec<(usize, String)>> = Vec::new();
    let mut bytes = 0;
    for member in members {
        let size = escaped(&member.1).len() + 1;
        match parts.last_mut() {
            Some(part) if part.len() < MEMBERS && bytes + size <= BYTES => {
                bytes += size;
                part.push(member);
            }
            _ => {
                bytes = size;
                parts.push(vec![member]);
            }
        }
    }
    parts
}

/// `label="v"` or `label=~"v|w"`; `None` when that would be too long to be worth asking.
pub(super) fn alternatives(label: &str, values: BTreeSet<&str>) -> Option<Matcher> {
    let mut values = values.into_iter();
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(equals(label, first)) };
    let all: Vec<String> = [first, second].into_iter().chain(values).map(escaped).collect();
    let value = all.join("|");
    // Twice the bound of a planned query, so that no planned query is ever left unrestricted.
    (value.len() <= 2 * BYTES).then(|| Matcher { label: label.to_owned(), op: MatchOp::Regex, value })
}

/// A literal in Go's regular expressions.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(metric: &str, matchers: &[(&str, MatchOp, &str)]) -> Selector {
        let matcher = |(label, op, value): &(&str, MatchOp, &str)| Matcher {
            label: (*label).into(),
            op: *op,
            value: (*value).into(),
        };
        Selector { metric: metric.into(), matchers: matchers.iter().map(matcher).collect() }
    }

    fn service(name: &str, cluster: &str) -> Selector {
        selector("req", &[("cluster", MatchOp::Equal, cluster), ("service", MatchOp::Equal, name)])
    }

    fn names(merged: &[Merged]) -> Vec<(Option<&str>, Vec<usize>)> {
        merged.iter().map(|m| (m.label.as_deref(), m.members.iter().map(|(i, _)| *i).collect())).collect()
    }

    #[test]
    fn the_label_that_merges_most_is_chosen() {
        let all = [service("a", "1"), service("b", "1"), service("c", "1"), service("a", "2")];
        let merged = merge(&all.each_ref(), &[]);
        assert_eq!(names(&merged), [(Some("service"), vec![0, 1, 2]), (None, vec![3])]);
        assert_eq!(merged[0].base.to_string(), r#"req{cluster="1"}"#);
    }

    #[test]
    fn a_label_with_another_matcher_or_that_groups_the_answer_is_not_merged() {
        let twice = |value| {
            selector("req", &[("service", MatchOp::Equal, value), ("service", MatchOp::NotEqual, "x")])
        };
        assert_eq!(merge(&[&twice("a"), &twice("b")], &[]).len(), 2);
        assert_eq!(merge(&[&service("a", "1"), &service("b", "1")], &["service".into()]).len(), 2);
        let none = selector("req", &[("service", MatchOp::Equal, "")]);
        let some = selector("req", &[("service", MatchOp::Equal, "a")]);
        assert_eq!(merge(&[&none, &some], &[]).len(), 2);
    }

    #[test]
    fn queries_are_bounded_in_members_and_bytes() {
        let many: Vec<Selector> = (0..250).map(|i| service(&format!("s{i}"), "1")).collect();
        let sizes = |all: &[Selector]| -> Vec<usize> {
            merge(&all.iter().collect::<Vec<_>>(), &[]).iter().map(|m| m.members.len()).collect()
        };
        assert_eq!(sizes(&many), [100, 100, 50]);
        let long: Vec<Selector> = (0..5).map(|i| service(&format!("{i}{}", "x".repeat(1500)), "1")).collect();
        assert_eq!(sizes(&long), [2, 2, 1]);
    }

    #[test]
    fn literals_stay_literal() {
        assert_eq!(escaped("a.b|c$[0]"), r"a\.b\|c\$\[0\]");
        assert_eq!(alternatives("l", BTreeSet::from(["", "x"])).unwrap().to_string(), r#"l=~"|x""#);
    }
}
