//! Bounds on query text, checked before the parser sees it. The parser builds a tree that is walked,
//! printed and dropped by recursion, so a deep one overflows the stack and aborts the process.
//!
//! The tree is at most as deep as the brackets plus the operators.

use std::panic::catch_unwind;

use promql_parser::parser::{self, Expr};

use super::QueryError;
use super::regex_cost;

/// Bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// Brackets open at once.
pub(super) const MAX_DEPTH: usize = 64;
/// Operators in all. With 64 brackets, walking the tree takes under half of a 2 MiB stack in a debug build.
pub(super) const MAX_OPERATORS: usize = 250;
/// All regexes together, in about states; at worst two seconds to compile in a debug build.
const MAX_REGEX_COST: u64 = 20_000;
/// Characters of the parser's own message that are passed on; it repeats whole regexes.
const MAX_MESSAGE: usize = 200;
/// Digits of a range or offset written as plain seconds.
const MAX_SECONDS_DIGITS: usize = 9;

/// Parses PromQL within bounds.
pub fn parse(text: &str) -> Result<Expr, QueryError> {
    check(text)?;
    // A panic inside the parser is a bug there, and must not become one here.
    match catch_unwind(|| parser::parse(text)) {
        Ok(Ok(expr)) => Ok(expr),
        Ok(Err(message)) => Err(not_promql(&message)),
        Err(_) => Err(not_promql("the parser cannot read it")),
    }
}

fn not_promql(message: &str) -> QueryError {
    let hint = if message.contains("unknown function") {
        "only functions of Prometheus are known; those of MetricsQL are not"
    } else if message.contains("non-empty matcher") {
        "name the metric"
    } else {
        "try it in Prometheus' own query page; MetricsQL is not PromQL"
    };
    let message: String = message.trim().chars().take(MAX_MESSAGE).collect();
    QueryError::new(format!("not PromQL: {message}"), hint)
}

fn check(text: &str) -> Result<(), QueryError> {
    if text.trim().is_empty() {
        return Err(QueryError::new("the query is empty", "write a selector, such as up{job=\"checkout\"}"));
    }
    if text.len() > MAX_LENGTH {
        let message = format!("the query has {} bytes, more than {MAX_LENGTH}", text.len());
        return Err(QueryError::new(message, "record parts of it with recording rules"));
    }
    let (code, strings) = split(text);
    let (depth, operators) = nesting(&code);
    if depth > MAX_DEPTH {
        let message = format!("brackets are nested {depth} deep, more than {MAX_DEPTH}");
        return Err(QueryError::new(
            message,
            "remove parentheses, or record parts of it with recording rules",
        ));
    }
    if operators > MAX_OPERATORS {
        let message = format!("the query has {operators} operators, more than {MAX_OPERATORS}");
        return Err(QueryError::new(message, "record parts of it, or match several series by one selector"));
    }
    let cost = strings.iter().map(|s| regex_cost::estimate(s)).fold(0, u64::saturating_add);
    if cost > MAX_REGEX_COST {
        let message = "the regexes are too large: counted repetitions and classes such as \\w multiply";
        return Err(QueryError::new(message, "use * or + in place of {n}, or list the values"));
    }
    match odd_seconds(&code) {
        Some(odd) => Err(QueryError::new(format!("{odd:?} is not a duration"), "write it as 30s, 5m or 1h")),
        None => Ok(()),
    }
}

/// The text with strings and comments blanked, and the strings alone. Reads quotes as the parser's
/// lexer does, which takes a backslash as an escape in backticks too.
pub(super) fn split(text: &str) -> (String, Vec<String>) {
    let mut code = String::with_capacity(text.len());
    let mut strings = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' | '`' => {
                code.push(' ');
                strings.push(take_string(c, &mut chars));
            }
            '#' => {
                chars.by_ref().find(|c| matches!(c, '\r' | '\n'));
                code.push('\n');
            }
            c => code.push(c),
        }
    }
    (code, strings)
}

/// The rest of a string literal, escapes as written.
fn take_string(quote: char, chars: &mut std::str::Chars<'_>) -> String {
    let mut string = String::new();
    while let Some(c) = chars.next().filter(|c| *c != quote) {
        string.push(c);
        if c == '\\' {
            string.extend(chars.next());
        }
    }
    string
}

/// The deepest bracket, and how many operators there are outside of braces.
fn nesting(code: &str) -> (usize, usize) {
    let (mut depth, mut deepest, mut operators) = (0usize, 0usize, 0usize);
    let mut in_braces = false;
    for c in code.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '+' | '-' | '*' | '/' | '%' | '^' | '<' | '>' | '=' | '!' if !in_braces => operators += 1,
            _ => {}
        }
        in_braces = (in_braces || c == '{') && c != '}';
        deepest = deepest.max(depth);
    }
    let words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let named = |w: &&str| ["and", "or", "unless", "atan2"].iter().any(|o| w.eq_ignore_ascii_case(o));
    (deepest, operators + words.filter(named).count())
}

/// A range or offset in seconds that the parser would panic on: infinite, not a number, or huge.
fn odd_seconds(code: &str) -> Option<&str> {
    let ranges = code.split('[').skip(1).filter_map(|rest| rest.split(']').next()).flat_map(|r| r.split(':'));
    let lower = code.to_ascii_lowercase();
    let offsets =
        lower.match_indices("offset").filter_map(|(at, word)| first_word(code.get(at + word.len()..)?));
    ranges.map(str::trim).chain(offsets).find(|text| is_odd(text))
}

fn first_word(after_offset: &str) -> Option<&str> {
    let rest = after_offset.trim_start().trim_start_matches(['+', '-']).trim_start();
    rest.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '+')).next()
}

fn is_odd(seconds: &str) -> bool {
    let number = seconds.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let unit = seconds.ends_with(['s', 'm', 'h', 'd', 'w', 'y']);
    let plain =
        seconds.len() <= MAX_SECONDS_DIGITS && seconds.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let word = seconds.eq_ignore_ascii_case("inf") || seconds.eq_ignore_ascii_case("nan");
    word || (number && !unit && !plain)
}
