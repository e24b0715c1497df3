//! What databases say of trouble, in short and plain words: SQLite speaks of its functions and codes, and
//! several times in one sentence.

use crate::slo::listed::listed;

/// Findings that one sentence names.
const NAMED: usize = 3;

/// What a check of its pages found, each once and in a line of its own; nothing where all is well.
pub(super) fn findings(rows: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // One row may tell several things, under a headline.
    let lines = rows.iter().flat_map(|row| row.lines());
    for line in lines.filter(|line| *line != "ok" && !line.starts_with("***")) {
        let line = finding(line);
        if !found.contains(&line) {
            found.push(line);
        }
    }
    found
}

/// The same in one sentence; `None` where all is well, which takes an `ok`.
pub(super) fn damage(rows: &[String]) -> Option<String> {
    match rows {
        [only] if only == "ok" => None,
        _ => Some(listed(&findings(rows), NAMED)),
    }
}

/// `Tree 24 page 24: btreeInitPage() returns error code 11` says that page 24 is damaged; which of its
/// cells, and how, helps nobody.
fn finding(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let number = lower.split_once("page ").map(|(_, rest)| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        &rest[..end]
    });
    match number {
        Some(number) if !number.is_empty() && !lower.ends_with("never used") => {
            format!("page {number} is damaged")
        }
        _ => line.to_owned(),
    }
}

/// An error without what the library puts before it.
pub(super) fn error(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Database(error) => {
            let damage = error.code().and_then(|code| of_code(&code));
            damage.map_or_else(|| error.to_string(), str::to_owned)
        }
        error => error.to_string(),
    }
}

/// Of SQLite's codes that mean damage: the low byte is the primary one (sqlite.org/rescode.html). Those of
/// PostgreSQL have five characters.
fn of_code(code: &str) -> Option<&'static str> {
    let code: u32 = code.parse().ok().filter(|_| code.len() < 5)?;
    match code & 0xff {
        11 => Some("pages of it are not what was written"),
        26 => Some("it is no SQLite file, or its beginning was overwritten"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<String> {
        vec![text.to_owned()]
    }

    #[test]
    fn what_sqlite_finds_is_told_in_one_short_line() {
        for (said, told) in [
            ("ok", None),
            (
                "*** in database main ***\nTree 24 page 24: btreeInitPage() returns error code 11",
                Some("page 24 is damaged"),
            ),
            (
                "*** in database main ***\nPage 2: btreeInitPage() returns error code 11",
                Some("page 2 is damaged"),
            ),
            (
                "*** in database present ***\nOn tree page 31 cell 6: invalid page number 44371657\n\
                 On tree page 31 cell 11: Offset 0 out of range 321..4092\nPage 7 is never used\n\
                 Page 8: never used\nPage 9: never used",
                Some("page 31 is damaged, Page 7 is never used, Page 8: never used and 1 more"),
            ),
            ("row 1 missing from index outbox_queue", Some("row 1 missing from index outbox_queue")),
            ("Freelist: size is 3 but should be 5", Some("Freelist: size is 3 but should be 5")),
            ("a page of text", Some("a page of text")),
        ] {
            assert_eq!(damage(&rows(said)).as_deref(), told, "{said}");
        }
        assert_eq!(findings(&[String::from("ok"), String::from("row 2 is not one")]), ["row 2 is not one"]);
    }

    #[test]
    fn codes_of_damage_are_told_in_words_and_those_of_a_server_are_not_taken_for_them() {
        for code in ["11", "267", "523", "779"] {
            assert_eq!(of_code(code), Some("pages of it are not what was written"));
        }
        assert!(of_code("26").unwrap().contains("no SQLite file"));
        // Another one, and a server's whose number is 11 in its low byte.
        assert_eq!(
            (of_code("14"), of_code("22027"), of_code("00011"), of_code("XX001")),
            (None, None, None, None)
        );
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(error(&sqlx::Error::Io(refused)), "connection refused");
    }
}
