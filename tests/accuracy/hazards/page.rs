//! The table of `docs/reliability.md`: what was booked must be what it says.
//!
//! `TEST_DAMPER_WRITE=1` puts what was booked there instead, in the place of the row of that name.

use std::fmt::Write as _;

use damper::engine::window::Counts;
use damper::slo::unit::Events;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");
/// The line after which the rows stand.
const HEAD: &str = "| hazard | what happens | truth | booked live | booked by backfill | remark |\n| --- | --- | --- | --- | --- | --- |\n";

/// One row.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Row {
    pub hazard: &'static str,
    pub happens: &'static str,
    pub truth: String,
    pub live: String,
    pub later: String,
    pub remark: &'static str,
}

impl Row {
    fn line(&self) -> String {
        let Self { hazard, happens, truth, live, later, remark } = self;
        let cells = [*hazard, *happens, truth, live, later, *remark];
        format!("{}|\n", cells.map(|cell| format!("| {cell} ")).concat().replace("  ", " "))
    }
}

/// Fails the test where a row is not on the page as it is here.
pub fn check(rows: &[Row]) {
    let mut text = std::fs::read_to_string(PAGE).unwrap();
    if std::env::var_os("TEST_DAMPER_WRITE").is_some() {
        rows.iter().for_each(|row| put(&mut text, row));
        std::fs::write(PAGE, text).unwrap();
        return;
    }
    let wrong: Vec<String> = rows.iter().map(Row::line).filter(|line| !text.contains(line)).collect();
    assert!(
        wrong.is_empty(),
        "docs/reliability.md says otherwise; if this is right, run the test with TEST_DAMPER_WRITE=1:\n{}",
        wrong.concat()
    );
}

fn put(text: &mut String, row: &Row) {
    let key = format!("\n| {} |", row.hazard);
    let table = text.find(HEAD).expect("the page says where the rows stand") + HEAD.len();
    let end = match text[table..].find("\n\n") {
        _ if text[table..].starts_with('\n') => table,
        end => end.map_or(text.len(), |end| table + end + 1),
    };
    let known = text[table - 1..end].find(&key).map(|at| table + at);
    let (from, to) = match known {
        Some(at) => (at, at + text[at..].find('\n').unwrap() + 1),
        None => (end, end),
    };
    text.replace_range(from..to, &row.line());
}

/// All events, and the bad ones where there are any.
pub fn events((total, bad): (i64, i64)) -> String {
    written(Events::whole(total), Events::whole(bad))
}

/// The same of a window, and how much of it is not known.
pub fn counted(counts: &Counts) -> String {
    let mut text = written(counts.total, counts.bad);
    if counts.uncovered() > 0 {
        write!(text, "; {}s not known", counts.uncovered()).unwrap();
    }
    text
}

fn written(total: Events, bad: Events) -> String {
    let mut text = number(total);
    if bad != Events::ZERO {
        write!(text, ", {} bad", number(bad)).unwrap();
    }
    text
}

/// In thousands, rounded to whole events.
fn number(events: Events) -> String {
    let digits = ((events.thousandths() + 500) / 1000).to_string();
    let place = |(i, digit): (usize, char)| {
        let comma = i > 0 && (digits.len() - i).is_multiple_of(3);
        [comma.then_some(','), Some(digit)]
    };
    digits.chars().enumerate().flat_map(place).flatten().collect()
}
