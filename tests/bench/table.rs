//! The one Markdown table that comes out.

use std::fmt;

/// One line of the table; what does not apply is empty.
#[derive(Default)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Damper's figure, with its unit.
    pub damper: String,
    /// The figure of what it is compared with.
    pub other: String,
    /// How many times less Damper takes.
    pub ratio: String,
    /// What was promised.
    pub target: String,
    /// How often it was measured.
    pub repeated: String,
}

/// All lines.
#[derive(Default)]
pub struct Table(Vec<Row>);

impl Table {
    /// Adds lines.
    pub fn add(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.0.extend(rows);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| measured | Damper | Sloth-shaped rules | ratio | target | repeated |")?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- |")?;
        for Row { what, damper, other, ratio, target, repeated } in &self.0 {
            writeln!(f, "| {what} | {damper} | {other} | {ratio} | {target} | {repeated} |")?;
        }
        Ok(())
    }
}

/// Three digits that say something: `0.0123`, `1.23`, `12.3`, `1,234`.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    let plain = format!("{value:.digits$}");
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) && digit.is_ascii_digit() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}
